//! Exponential backoff between attempts to start a server that ended, and what
//! of their failures is worth a line in the log.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::error::ClusterError;

/// First pause before a server that ended is started again; each is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest such pause: free space on a full disk is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a server has to serve until its end is no longer one of a series.
const STEADY_AFTER: Duration = Duration::from_mins(1);

/// When the next attempt is due. Kept outside of the future that makes the
/// attempts: dropping that one does not shorten a pause.
#[derive(Debug)]
pub(super) struct LaunchBackoff {
    pause: Duration,
    due: Instant,
    last_failure: Option<Discriminant<ClusterError>>,
}

impl LaunchBackoff {
    pub(super) fn new() -> Self {
        Self {
            pause: FIRST_PAUSE,
            due: Instant::now(),
            last_failure: None,
        }
    }

    /// A server that served since `since` has ended.
    pub(super) fn ended(&mut self, since: Instant) {
        if since.elapsed() >= STEADY_AFTER {
            self.pause = FIRST_PAUSE;
        }
        self.last_failure = None;
        self.postpone();
    }

    /// An attempt failed. Returns whether it is news: the one before did not
    /// fail alike.
    pub(super) fn failed(&mut self, error: &ClusterError) -> bool {
        self.postpone();
        let failure = Some(discriminant(error));
        std::mem::replace(&mut self.last_failure, failure) != failure
    }

    /// Whether the attempt before this one failed.
    pub(super) fn is_retry(&self) -> bool {
        self.last_failure.is_some()
    }

    /// Waits until the next attempt is due.
    pub(super) async fn wait(&self) {
        sleep_until(self.due).await;
    }

    fn postpone(&mut self) {
        self.due = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
