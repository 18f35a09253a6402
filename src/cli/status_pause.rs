//! What `status` tells of pauses that upstream asked for (429).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::times::Times;
use crate::store::reports::budget;

/// A pause of requests.
pub(super) struct Pause {
    what: &'static str,
    until: DateTime<Utc>,
    by: Option<String>,
}

impl Pause {
    /// The pauses that are not over.
    pub(super) async fn query(connection: &mut PgConnection) -> Result<Vec<Self>, sqlx::Error> {
        let mut pauses = Vec::new();
        for report in budget::budgets(connection).await? {
            let of_all = report.paused_until.map(|until| ("all requests", until));
            let of_details = || {
                let until = report.background_paused_until?;
                Some(("requests for details", until))
            };
            if let Some((what, until)) = of_all.or_else(of_details) {
                let by = report.paused_by;
                pauses.push(Self { what, until, by });
            }
        }
        Ok(pauses)
    }

    pub(super) fn line(&self, times: Times) -> String {
        let by = self.by.as_deref().unwrap_or("a process of this account");
        format!(
            "{} are paused until {}: upstream answered {by} with 429 (too many requests); they continue by themselves (`advisoryd budget`)",
            self.what,
            times.full(self.until)
        )
    }
}
