//! Stream connections to a syslog receiver: unix, TCP or TLS.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::super::tls::Connector;
use super::unsent::unsent;
use crate::config::SyslogTransport;

/// An open stream.
#[derive(Debug)]
pub(super) enum SyslogStream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl fmt::Display for SyslogTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::UnixDatagram(path) => return write!(formatter, "unix://{}", path.display()),
            Self::UnixStream(path) => {
                return write!(formatter, "unix-stream://{}", path.display());
            }
            Self::Udp(host, port) => ("udp", host, port),
            Self::Tcp(host, port) => ("tcp", host, port),
            Self::Tls(host, port) => ("tls", host, port),
        };
        if host.contains(':') {
            return write!(formatter, "{scheme}://[{host}]:{port}");
        }
        write!(formatter, "{scheme}://{host}:{port}")
    }
}

impl SyslogStream {
    pub(super) async fn open(
        transport: &SyslogTransport,
        tls: Option<&Connector>,
    ) -> io::Result<Self> {
        match (transport, tls) {
            (SyslogTransport::UnixStream(path), _) => {
                UnixStream::connect(path).await.map(Self::Unix)
            }
            (SyslogTransport::Tcp(host, port), _) => TcpStream::connect((host.as_str(), *port))
                .await
                .map(Self::Tcp),
            (SyslogTransport::Tls(host, port), Some(tls)) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                tls.connect(host, stream).await.map(Box::new).map(Self::Tls)
            }
            _ => Err(io::Error::other("no stream")),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writer: &mut (dyn AsyncWrite + Unpin + Send) = match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        };
        writer.write_all(bytes).await?;
        writer.flush().await
    }

    /// Whether the peer has closed or reset the connection, as far as is known now.
    /// Whatever it says is ignored.
    pub(super) fn check_open(&mut self) -> io::Result<()> {
        let reader: &mut (dyn AsyncRead + Unpin) = match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        };
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let mut bytes = [0; 256];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *reader).poll_read(&mut context, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Err(closed()),
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// How many bytes the peer has not acknowledged (TCP) or not read (unix).
    pub(super) fn unsent(&self) -> io::Result<i32> {
        let socket: BorrowedFd<'_> = match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.get_ref().0.as_fd(),
        };
        unsent(socket)
    }
}

/// The peer closed the connection.
pub(super) fn closed() -> io::Error {
    io::Error::other("the connection was closed before the receipt of the message was confirmed")
}
