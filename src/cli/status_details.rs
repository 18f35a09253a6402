//! The line of `status` about details: how many are to be fetched, and until when.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::status_source::SourceSchedule;
use super::times::Times;
use crate::config::Config;
use crate::job::details::outlook::outlook;
use crate::model::{SourceKey, counted, outgoing};
use crate::store::ledger::source;
use crate::store::wanted::backlog::{self, Backlog};

/// How far fetching is.
pub(super) struct DetailsStatus {
    is_on: bool,
    backlog: Backlog,
    done_at: Option<DateTime<Utc>>,
    paused_until: Option<DateTime<Utc>>,
}

impl DetailsStatus {
    pub(super) async fn query(
        config: &Config,
        connection: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let backlog = backlog::backlog(connection, config.feeds.details, now).await?;
        let found = source::find(connection, &SourceKey::Details).await?;
        let paused_until = found
            .and_then(|found| found.paused_until)
            .filter(|until| *until > now);
        let done_at = outlook(config, &backlog, now).filter(|_| paused_until.is_none());
        Ok(Self {
            is_on: config.fetches_details(),
            backlog,
            done_at,
            paused_until,
        })
    }

    pub(super) fn as_value(&self) -> Value {
        json!({
            "pending": self.backlog.wanted,
            "unavailable": self.backlog.unavailable,
            "fetched": self.backlog.fetched,
            "requests_of_day": self.backlog.requests_of_day,
            "done_at": self.done_at,
            "paused_until": self.paused_until,
            "last_error": self.backlog.last_error,
        })
    }

    /// What an operator wants to know; nothing where there is nothing to report.
    pub(super) fn lines(&self, plan: &SourceSchedule, times: Times) -> Vec<String> {
        let now = plan.now;
        let Backlog {
            wanted,
            unavailable,
            ..
        } = self.backlog;
        let mut lines = Vec::new();
        if wanted > 0 {
            let done_at = self.done_at.filter(|_| plan.is_running);
            lines.push(match (self.is_on, self.paused_until, done_at) {
                (false, ..) => {
                    format!("{wanted} advisory details pending, but [feeds] details = \"never\"")
                }
                (true, Some(until), _) => format!(
                    "{wanted} advisory details pending; this account may not read them, next attempt {}",
                    times.full(until)
                ),
                (true, None, Some(done)) => format!(
                    "{wanted} advisory details pending, complete about {}",
                    times.soon(done, now)
                ),
                (true, None, None) if plan.is_running => {
                    format!("{wanted} advisory details pending")
                }
                (true, None, None) => format!(
                    "{wanted} advisory details pending; the daemon or `advisoryd sync` fetches them"
                ),
            });
        }
        if unavailable > 0 {
            let error = outgoing(self.backlog.last_error.as_deref().unwrap_or_default());
            let them = if unavailable == 1 {
                "it is"
            } else {
                "they are"
            };
            lines.push(format!(
                "upstream does not return the details of {}; {them} requested again at growing intervals; last error: {error}",
                counted(unavailable, "advisory")
            ));
        }
        lines
    }
}
