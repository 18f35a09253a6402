//! What `status` shows of the mirror of list contents and pending approvals.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::output::rough;
use super::status_errors::cause;
use super::status_source::SourceSchedule;
use super::times::Times;
use crate::config::Config;
use crate::model::MirrorKind;
use crate::store::lists::mirror::{self, MirrorState};

/// Lists named at most in a line; the view has all.
const MOST: usize = 5;

/// How far it is read, for the lists that are followed.
pub(super) struct MirrorStatus {
    states: Vec<MirrorState>,
    next_at: Option<DateTime<Utc>>,
}

impl MirrorStatus {
    pub(super) async fn query(
        config: &Config,
        connection: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let mut states = mirror::states(connection).await?;
        states.retain(|state| {
            let mut lists = config.watch_lists.iter();
            state.key.kind == MirrorKind::Approval
                || lists.any(|list| list.id == state.key.watch_list_id)
        });
        let schedule = &config.schedule;
        let next_at = schedule.list_contents.next_after(now, schedule.timezone);
        Ok(Self { states, next_at })
    }

    pub(super) fn as_value(&self) -> Value {
        self.states
            .iter()
            .map(|state| {
                let id = state.key.watch_list_id;
                json!({
                    "watch_list_id": (id > 0).then_some(id),
                    "kind": state.key.kind.name(),
                    "last_attempt_at": state.attempted_at,
                    "last_success_at": state.read_at,
                    "changed_at": state.changed_at,
                    "unreadable": state.unreadable,
                    "refused_since": state.refused_since,
                    "retry_at": state.retry_at,
                    "last_error": state.last_error,
                })
            })
            .collect()
    }

    /// Nothing before the first attempt.
    pub(super) fn lines(&self, plan: &SourceSchedule, times: Times) -> Vec<String> {
        let now = plan.now;
        let Some(oldest) = self.states.iter().filter_map(|state| state.read_at).min() else {
            return self.refused_lines(times);
        };
        let ago = rough(now - oldest);
        let next = self.next_at.filter(|_| plan.is_running);
        let (then, again) = next.map_or_else(Default::default, |at| {
            let at = rough(at - now);
            (format!(", next in {at}"), format!(", next attempt in {at}"))
        });
        let mut lines = vec![format!(
            "list contents and pending approvals: read within the last {ago}{then}"
        )];
        lines.extend(self.refused_lines(times));
        let failing = self
            .states
            .iter()
            .filter(|state| state.refused_since.is_none());
        lines.extend(failing.filter_map(|state| {
            let error = cause(state.last_error.as_ref()?);
            let at = state
                .attempted_at
                .map_or_else(String::new, |at| format!(" failed {} ago", rough(now - at)));
            Some(format!(
                "  {}: the last attempt{at}{again}: {error}",
                state.key
            ))
        }));
        lines
    }

    /// One line for each kind of collection that upstream refuses.
    fn refused_lines(&self, times: Times) -> Vec<String> {
        let mut lines = Vec::new();
        for kind in MirrorKind::OF_LIST
            .into_iter()
            .chain([MirrorKind::Approval])
        {
            let is_refused =
                |state: &&MirrorState| state.key.kind == kind && state.refused_since.is_some();
            let refused: Vec<&MirrorState> = self.states.iter().filter(is_refused).collect();
            let Some(first) = refused.first() else {
                continue;
            };
            let ids = refused
                .iter()
                .map(|state| state.key.watch_list_id.to_string());
            let ids: Vec<String> = ids.take(MOST).collect();
            let more = if refused.len() > MOST { ", …" } else { "" };
            let of = match kind {
                MirrorKind::Approval => String::new(),
                _ => format!(" of watch list {}{more}", ids.join(", ")),
            };
            let retry = first.retry_at.map_or_else(String::new, |at| {
                format!(", next attempt {}", times.full(at))
            });
            lines.push(format!(
                "{}{of} are not mirrored: upstream refuses them{retry} ({})",
                kind.label(),
                first.last_error.as_deref().unwrap_or_default()
            ));
        }
        lines
    }
}
