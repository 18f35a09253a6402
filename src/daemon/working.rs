//! What the endpoints show of the current configuration.

use std::sync::Arc;

use tokio::sync::watch;

use super::schedules::Pulse;
use crate::config::Config;
use crate::http::{Client, Usage};
use crate::job::problems::ActiveProblems;

/// What runs under the current configuration.
#[derive(Clone)]
pub struct Working {
    /// The client for upstream.
    pub client: Client,
    /// Shows whether the scheduler is alive.
    pub pulse: Pulse,
    /// The configuration.
    pub config: Arc<Config>,
    /// The fingerprint of the configuration as it was loaded.
    pub fingerprint: u64,
    /// Requests of the clients before it, in earlier generations.
    pub used_before: Usage,
    /// What is wrong at present.
    pub problems: watch::Receiver<ActiveProblems>,
    /// The account whose budget of requests is shared.
    pub account: Option<String>,
}

impl Working {
    /// Why the database cannot be used although it answers.
    pub(super) fn unreadable(&self) -> Option<String> {
        let problems = self.problems.borrow();
        problems.database.unreadable().map(str::to_owned)
    }
}
