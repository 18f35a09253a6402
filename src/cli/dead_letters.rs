//! Which dead letters `alerts resend` and `alerts dismiss` are about: those of alerts, or all.

use chrono::{DateTime, Utc};
use clap::Args;

use super::alert_id::AlertId;
use super::since::{Since, since};
use super::times::Times;
use crate::store::alerts::resend::DeadLetters;

#[derive(Debug, Args)]
pub(super) struct Which {
    /// IDs, as shown by `list`, or their beginnings
    #[arg(required_unless_present = "state", value_parser = AlertId::parse)]
    pub(super) ids: Vec<AlertId>,
    /// All dead letters instead of IDs
    #[arg(long, value_parser = ["dead_letter"], conflicts_with = "ids")]
    state: Option<String>,
    /// Only deliveries to this sink
    #[arg(long, value_name = "SINK")]
    pub(super) sink: Option<String>,
    /// With --state: only messages of this rule
    #[arg(long, value_name = "NAME", requires = "state")]
    rule: Option<String>,
    /// With --state: only messages created since: a duration (`7d`) or a date or time
    #[arg(long, value_name = "WHEN", value_parser = since, requires = "state")]
    since: Option<Since>,
}

impl Which {
    /// Whether it is about all dead letters, not about alerts by their ids.
    pub(super) fn is_all(&self) -> bool {
        self.state.is_some()
    }

    /// Those among all.
    pub(super) fn all(&self, now: DateTime<Utc>, times: Times) -> DeadLetters<'_> {
        DeadLetters {
            sink: self.sink.as_deref(),
            rule: self.rule.as_deref(),
            since: self.since.map(|since| since.time(now, times)),
        }
    }
}
