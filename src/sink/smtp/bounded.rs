//! A stream from a mail server whose lines and replies have a maximum size: lettre checks
//! the size of a line only once it has all of it in memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Maximum length of a line of a reply, in bytes. RFC 5321 allows 512.
const MAX_LINE_BYTES: usize = 4 << 10;
/// Maximum size of a reply, in bytes.
const MAX_REPLY_BYTES: usize = 64 << 10;
/// Maximum number of lines of a reply: lettre parses all of them again with each line.
const MAX_REPLY_LINES: usize = 500;

/// A stream that fails for good once the server has sent more than a reply can have.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    peer: SocketAddr,
    /// What the reader receives before anything of the stream.
    before: &'static [u8],
    reply: Reply,
}

/// What was received since the last command.
#[derive(Debug, Default)]
struct Reply {
    /// Bytes of the unfinished line.
    line_bytes: usize,
    bytes: usize,
    lines: usize,
    /// Why the connection is not read any further.
    excess: Option<String>,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            before: b"",
            reply: Reply::default(),
        }
    }

    /// The reader receives this greeting before anything of the stream.
    pub(super) fn greeted(self, greeting: &'static [u8]) -> Self {
        Self {
            before: greeting,
            ..self
        }
    }
}

impl Reply {
    /// The next reply begins. An unfinished line stays one: a server that writes
    /// without being asked gains nothing.
    fn begin(&mut self) {
        self.bytes = self.line_bytes;
        self.lines = 0;
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len();
        let mut parts = bytes.split(|byte| *byte == b'\n');
        self.line_bytes += parts.next().map_or(0, <[u8]>::len);
        let mut longest = self.line_bytes;
        for part in parts {
            self.lines += 1;
            self.line_bytes = part.len();
            longest = longest.max(part.len());
        }
        let excess = [
            (longest, MAX_LINE_BYTES, "a line of", "bytes"),
            (self.bytes, MAX_REPLY_BYTES, "a reply of", "bytes"),
            (self.lines, MAX_REPLY_LINES, "a reply of", "lines"),
        ];
        let excess = excess.into_iter().find(|(has, most, ..)| has > most);
        if let Some((_, most, what, unit)) = excess {
            let excess = format!("the mail server sent {what} more than {most} {unit}");
            self.excess = Some(excess);
        }
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        match &self.excess {
            Some(excess) => Err(io::Error::other(excess.clone())),
            None => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.reply.check()?;
        if !this.before.is_empty() {
            let (now, later) = this
                .before
                .split_at(this.before.len().min(buffer.remaining()));
            buffer.put_slice(now);
            this.before = later;
            return Poll::Ready(Ok(()));
        }
        let former = buffer.filled().len();
        std::task::ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let received = buffer.filled().get(former..).unwrap_or_default();
        Poll::Ready(this.reply.take(received))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.reply.check()?;
        this.reply.begin();
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S> AsyncTokioStream for Bounded<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE_BYTES, MAX_REPLY_BYTES, MAX_REPLY_LINES, Reply};

    /// Takes the bytes in pieces; the number of bytes taken until it refused.
    fn taken(bytes: &[u8], piece: usize) -> Option<usize> {
        let mut reply = Reply::default();
        let mut taken = 0;
        for piece in bytes.chunks(piece) {
            taken += piece.len();
            if reply.take(piece).is_err() {
                return Some(taken);
            }
        }
        None
    }

    #[test]
    fn a_line_and_a_reply_have_a_maximum_size_however_they_arrive() {
        let line = vec![b'x'; MAX_LINE_BYTES];
        let over = vec![b'x'; 2 * MAX_LINE_BYTES];
        let long = [line.as_slice(), b"\n"].concat().repeat(100);
        let many = b"\n".repeat(2 * MAX_REPLY_LINES);
        for piece in [1, 7, 8192] {
            let until = |most: usize| Some((most + 1).next_multiple_of(piece));
            assert_eq!(taken(&line, piece), None);
            let at = |limit: usize, len: usize| until(limit).map(|at| at.min(len));
            assert_eq!(taken(&over, piece), at(MAX_LINE_BYTES, over.len()));
            assert_eq!(taken(&long, piece), at(MAX_REPLY_BYTES, long.len()));
            assert_eq!(taken(&many, piece), at(MAX_REPLY_LINES, many.len()));
        }
    }

    #[test]
    fn a_command_begins_another_reply_and_no_other_line() {
        let mut reply = Reply::default();
        for _ in 0..100 {
            let line = [vec![b'x'; MAX_LINE_BYTES - 1], b"\n".to_vec()].concat();
            assert!(reply.take(&line).is_ok());
            reply.begin();
        }
        assert!(reply.take(&[b'x'; MAX_LINE_BYTES]).is_ok());
        reply.begin();
        assert!(reply.take(b"x").is_err());
        reply.begin();
        assert!(reply.take(b"\n").is_err(), "it fails for good");
    }
}
