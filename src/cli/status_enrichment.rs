//! What `status` shows of the KEV catalogue and EPSS scores.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::output::rough;
use crate::config::Config;
use crate::store::enrichment::state::{self, EnrichmentState};

/// How far they are read, those that are configured or were ever read.
pub(super) struct EnrichmentStatus {
    files: Vec<(EnrichmentState, Option<DateTime<Utc>>)>,
}

impl EnrichmentStatus {
    pub(super) async fn query(
        config: &Config,
        connection: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let states = state::states(connection).await?.into_iter();
        let known = states.filter(|state| state.origin.is_some() || state.read_at.is_some());
        let files = known.map(|state| {
            let schedule = config.enrichment.schedule(state.catalogue);
            let next = schedule.next_after(now, config.schedule.timezone);
            let next = next.filter(|_| state.origin.is_some());
            (state, next)
        });
        Ok(Self {
            files: files.collect(),
        })
    }

    pub(super) fn as_value(&self) -> Value {
        let files = self.files.iter().map(|(state, next)| {
            json!({
                "kind": state.catalogue.name(),
                "configured": state.origin.is_some(),
                "last_attempt_at": state.attempted_at,
                "last_success_at": state.read_at,
                "changed_at": state.changed_at,
                "released_at": state.released_at,
                "release": state.release,
                "entries": state.entries,
                "last_error": state.last_error,
                "next_run_at": next,
            })
        });
        files.collect()
    }

    pub(super) fn lines(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut lines = Vec::new();
        for (state, next) in &self.files {
            let label = state.catalogue.label();
            let next = next.map_or_else(String::new, |at| format!(", next in {}", rough(at - now)));
            let Some(read_at) = state.read_at else {
                lines.push(format!("{label}: not read yet{next}"));
                lines.extend(error(state));
                continue;
            };
            let released = state
                .released_at
                .map_or_else(String::new, |at| format!("of {}, ", at.format("%Y-%m-%d")));
            let entries = state.entries.unwrap_or(0);
            let ago = rough(now - read_at);
            lines.push(format!(
                "{label}: {released}{entries} CVEs, read {ago} ago{next}"
            ));
            lines.extend(error(state));
        }
        lines
    }
}

fn error(state: &EnrichmentState) -> Option<String> {
    let error = state.last_error.as_deref()?;
    Some(format!("last error ({}): {error}", state.catalogue.label()))
}
