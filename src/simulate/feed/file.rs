//! Writing a feed document to a file.

use std::io::{self, Write};

use chrono::TimeDelta;

use crate::simulate::clock::SimulatedClock;
use crate::simulate::options::SimulatorOptions;
use crate::simulate::world::{World, WorldError};

use super::document::SimulatedFeed;

/// Which document to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedFile {
    /// The watch list; `None` takes every advisory.
    pub list: Option<i64>,
    /// How many in a thousand advisories differ from the document with 0 here: 10 is 1 %.
    pub changed_per_mille: u32,
    /// How often each of these was revised; different numbers make different texts.
    pub revisions: u32,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedWritten {
    /// Advisories.
    pub records: usize,
    /// Length of the document.
    pub bytes: u64,
}

/// Why no document was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFeedError {
    /// The options make no world.
    #[error("the simulated world cannot be made")]
    World(#[from] WorldError),
    /// Nowhere to write to.
    #[error("the feed cannot be written")]
    Write(#[from] io::Error),
}

/// Writes a whole feed document, without any server. Set `starts_at` in the
/// options, else two documents differ in their times.
pub fn write_feed(
    options: &SimulatorOptions,
    file: FeedFile,
    out: &mut impl Write,
) -> Result<FeedWritten, WriteFeedError> {
    let now = SimulatedClock::starting(options.starts_at).now();
    let mut world = World::new(options.clone(), now)?;
    for revision in 1..=file.revisions {
        let later = now + TimeDelta::minutes(i64::from(revision));
        world.revise_share(file.changed_per_mille, later);
    }
    let entries = world.feed(file.list, None, now);
    let mut written = FeedWritten {
        records: entries.len(),
        bytes: 0,
    };
    let mut feed = SimulatedFeed::new(options, file.list, entries);
    while let Some(piece) = feed.piece() {
        out.write_all(&piece)?;
        written.bytes += piece.len() as u64;
    }
    out.flush()?;
    Ok(written)
}
