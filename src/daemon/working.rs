//! What the endpoints show of the current configuration.

use std::sync::Arc;

use super::schedules::Pulse;
use crate::config::Config;
use crate::http::{Client, Usage};

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
    /// The account whose budget of requests is shared.
    pub account: Option<String>,
}
