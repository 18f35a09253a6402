//! Delays between the attempts of a request: exponential backoff.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::config::BackoffSettings;

/// The delays of a request, and how many of them are over.
#[derive(Debug)]
pub(super) struct Pauses {
    pub(super) delays: ExponentialBackoff,
    pub(super) made: u32,
}

impl Pauses {
    /// Those of a request that is attempted `max_attempts` times.
    pub(super) fn new(backoff: BackoffSettings, max_attempts: u32) -> Self {
        let BackoffSettings { first, longest } = backoff;
        let delays = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_max_times(max_attempts.saturating_sub(1) as usize)
            .build();
        Self { delays, made: 0 }
    }
}
