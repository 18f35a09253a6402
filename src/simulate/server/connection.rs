//! Connections, and closing them with a TCP reset.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What a handler can do to the connection its request came on.
#[derive(Debug, Clone, Default)]
pub struct ConnectionControl {
    reset: Arc<AtomicBool>,
}

impl ConnectionControl {
    /// Makes the next write fail, and the end of the connection a TCP reset
    /// instead of an orderly close.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

/// A listener whose connections can be reset, and all end when the simulator stops.
#[derive(Debug)]
pub struct Listening {
    /// Where clients come in.
    pub listener: TcpListener,
    /// Ends every connection.
    pub stop: CancellationToken,
}

/// Pause after a failed `accept` (out of file descriptors, say), instead of a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listener for Listening {
    type Io = ClientStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ClientStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((tcp, from)) => {
                    let stream = ClientStream {
                        tcp,
                        connection: ConnectionControl::default(),
                        stopped: Box::pin(self.stop.clone().cancelled_owned()),
                    };
                    return (stream, from);
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listening>> for ConnectionControl {
    fn connect_info(stream: IncomingStream<'_, Listening>) -> Self {
        stream.io().connection.clone()
    }
}

/// One client's connection.
pub struct ClientStream {
    tcp: TcpStream,
    connection: ConnectionControl,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl ClientStream {
    /// An error when the connection is to end.
    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.connection.reset.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        match self.stopped.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Acquire) {
            // With nothing to linger for, the kernel sends a reset. If it
            // refuses, the client sees a close in the wrong place instead.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
