//! Response bodies that break off, stall or trickle.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::simulate::feed::{BOMB_BLOCK, SimulatedFeed, gzip_bomb};

use super::connection::ConnectionControl;
use super::reply::{Content, Pieces};
use super::shared::SharedState;

/// What happens to a body after some of its bytes.
pub enum Then {
    /// A TCP reset.
    Reset(ConnectionControl),
    /// Nothing more, ever.
    Stall,
    /// Its end.
    End,
    /// A wait at this gate, then the rest.
    Hold(Arc<SharedState>, String),
}

/// Time for what was sent to leave before the connection breaks: without it
/// the client would see nothing of it, and no "middle of the body".
const LEAVE: Duration = Duration::from_millis(50);

/// How many pieces a slow body sends a second.
const SLOW_PIECES: u32 = 10;

/// The document, piece by piece as the client takes it.
pub fn feed(mut feed: SimulatedFeed) -> Pieces {
    let pieces = std::iter::from_fn(move || feed.piece());
    stream::iter(pieces.map(|piece| Ok(Bytes::from(piece)))).boxed()
}

/// A gzip body that never pays off.
pub async fn bomb(mebibytes: u32) -> io::Result<Pieces> {
    let (head, piece) = gzip_bomb().await?;
    let piece = Bytes::from(piece);
    let times = u64::from(mebibytes) * 1024 * 1024 / BOMB_BLOCK as u64;
    let rest = (0..times).map(move |_| Ok(piece.clone()));
    Ok(stream::iter(std::iter::once(Ok(Bytes::from(head))).chain(rest)).boxed())
}

/// Any content as pieces.
pub fn pieces(content: Content) -> Pieces {
    match content {
        Content::Whole(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Content::Pieces(pieces) => pieces,
    }
}

/// At most so many bytes a second.
pub fn slow(pieces: Pieces, bytes_per_second: u32) -> Pieces {
    let length = usize::try_from(bytes_per_second / SLOW_PIECES)
        .unwrap_or(1)
        .max(1);
    let parts = pieces.flat_map(move |piece| {
        stream::iter(match piece {
            Ok(bytes) => split(bytes, length).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    let is_slowed = parts.then(|part| async {
        tokio::time::sleep(Duration::from_secs(1) / SLOW_PIECES).await;
        part
    });
    is_slowed.boxed()
}

fn split(mut bytes: Bytes, length: usize) -> Vec<Bytes> {
    let mut parts = Vec::with_capacity(bytes.len() / length + 1);
    while bytes.len() > length {
        parts.push(bytes.split_to(length));
    }
    parts.push(bytes);
    parts
}

/// The pieces up to `after_bytes`, and what happens then.
pub fn interrupt(pieces: Pieces, after_bytes: usize, then: Then) -> Pieces {
    let state = Interrupted {
        pieces,
        rest: Bytes::new(),
        left: after_bytes,
        then: Some(then),
    };
    stream::unfold(state, |mut state| async move {
        let piece = state.next().await?;
        Some((piece, state))
    })
    .boxed()
}

struct Interrupted {
    pieces: Pieces,
    /// What was taken from `pieces` and lies behind the interruption.
    rest: Bytes,
    left: usize,
    then: Option<Then>,
}

impl Interrupted {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.left == 0
            && let Some(then) = self.then.take()
        {
            match then {
                Then::Hold(shared, gate) => shared.gates.wait(&gate).await,
                Then::Stall => std::future::pending().await,
                Then::End => {
                    tokio::time::sleep(LEAVE).await;
                    self.pieces = stream::empty().boxed();
                    return None;
                }
                Then::Reset(connection) => {
                    tokio::time::sleep(LEAVE).await;
                    connection.reset();
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
        }
        let mut bytes = if self.rest.is_empty() {
            match self.pieces.next().await? {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            }
        } else {
            std::mem::take(&mut self.rest)
        };
        if self.then.is_some() {
            self.rest = bytes.split_off(self.left.min(bytes.len()));
            self.left -= bytes.len();
        }
        Some(Ok(bytes))
    }
}
