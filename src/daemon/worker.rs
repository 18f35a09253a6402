//! A worker: its task, schedule and notifications.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::progress::{Watch, Woken};
use crate::config::CronExpression;
use crate::job::feeds::feed::Feed;
use crate::model::SourceKey;

/// What a worker does when it is woken.
#[derive(Debug, Clone)]
pub(crate) enum WorkerTask {
    /// Pulls a feed.
    Feed(Feed),
    /// Reads changed tickets.
    Tickets,
    /// Compares the modification times of all advisories with the database.
    RevisionScan,
    /// Reads all tickets.
    FullScan,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// What it does.
    pub(crate) task: WorkerTask,
    /// When.
    pub schedule: CronExpression,
    /// When a feed is pulled in full. These ticks are like those of `schedule`: the run
    /// itself decides whether a full pull is due.
    pub full_schedule: Option<CronExpression>,
    /// Notified by each tick; several ticks during a run count as one.
    pub tick: Arc<Notify>,
    /// Notified when covered time may be read again (reconciliation).
    pub again: Arc<Notify>,
    /// Cancelled when the source is no longer followed; a run in progress ends first.
    pub end: CancellationToken,
    /// Shows whether it makes progress.
    pub watch: Watch,
}

impl Worker {
    pub(super) fn new(task: WorkerTask, schedule: &CronExpression) -> Self {
        Self {
            task,
            schedule: schedule.clone(),
            full_schedule: None,
            tick: Arc::new(Notify::new()),
            again: Arc::new(Notify::new()),
            end: CancellationToken::new(),
            watch: Watch::default(),
        }
    }

    pub(super) fn with_full_schedule(self, schedule: &CronExpression) -> Self {
        Self {
            full_schedule: Some(schedule.clone()),
            ..self
        }
    }

    /// Its schedules and notification.
    pub fn woken(&self) -> impl Iterator<Item = Woken> {
        let schedules = std::iter::once(&self.schedule).chain(&self.full_schedule);
        schedules.map(|schedule| Woken {
            schedule: schedule.clone(),
            tick: Arc::clone(&self.tick),
            watch: self.watch.clone(),
        })
    }

    /// Gives it a tick.
    pub fn wake(&self) {
        self.watch.ticked();
        self.tick.notify_one();
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
