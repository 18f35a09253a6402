//! A worker's source, schedule and signals.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::progress::{Watch, Woken};
use crate::config::CronExpression;
use crate::job::feeds::feed::Feed;
use crate::model::SourceKey;

/// What one worker does when it is woken.
#[derive(Debug, Clone)]
pub enum WorkerTask {
    /// Pulls a feed.
    Feed(Feed),
    /// Reads the tickets' differences.
    Tickets,
    /// Compares the modification times of all advisories with what is stored.
    RevisionScan,
    /// Walks the tickets in full, where upstream offers no filter.
    FullScan,
}

/// A worker and when it is woken.
#[derive(Debug, Clone)]
pub struct Worker {
    /// What it does.
    pub task: WorkerTask,
    /// When.
    pub schedule: CronExpression,
    /// Woken by its ticks; ticks during a run fold into one.
    pub tick: Arc<Notify>,
    /// Woken when old time may be read again.
    pub again: Arc<Notify>,
    /// Cancelled when the source is no longer followed; a run under way ends first.
    pub end: CancellationToken,
    /// Whether its runs come back.
    pub watch: Watch,
}

impl Worker {
    pub(super) fn new(task: WorkerTask, schedule: &CronExpression) -> Self {
        Self {
            task,
            schedule: schedule.clone(),
            tick: Arc::new(Notify::new()),
            again: Arc::new(Notify::new()),
            end: CancellationToken::new(),
            watch: Watch::default(),
        }
    }

    /// How its schedule wakes it.
    pub fn woken(&self) -> Woken {
        Woken {
            schedule: self.schedule.clone(),
            tick: Arc::clone(&self.tick),
            watch: self.watch.clone(),
        }
    }

    /// The source it reads.
    pub fn key(&self) -> SourceKey {
        match &self.task {
            WorkerTask::Feed(feed) => feed.key.clone(),
            WorkerTask::Tickets | WorkerTask::FullScan => SourceKey::Tickets,
            WorkerTask::RevisionScan => SourceKey::RevisionScan,
        }
    }
}
