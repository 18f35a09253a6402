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

    pub(super) fn lines(&self, plan: &SourceSchedule, times: Times) -> Vec<String> {
        let now = plan.now;
        let mut lines = Vec::new();
        let next = self.next_at.filter(|_| plan.is_running);
        let (then, again) = next.map_or_else(Default::default, |at| {
            let at = rough(at - now);
            (format!(", next in {at}"), format!(", next attempt in {at}"))
        });
        if let Some(oldest) = self.states.iter().filter_map(|state| state.read_at).min() {
            let ago = rough(now - oldest);
            lines.push(format!(
                "list contents and pending approvals: read within the last {ago}{then}"
            ));
        }
        lines.extend(
            self.never_read(plan.config)
                .map(|of| format!("list contents{of}: never read{then}")),
        );
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

    /// The followed lists of whose contents nothing was read and nothing refused.
    fn never_read(&self, config: &Config) -> Option<String> {
        let is_read = |id: i64| {
            let of_list = |state: &&MirrorState| {
                state.key.kind != MirrorKind::Approval && state.key.watch_list_id == id
            };
            let mut states = self.states.iter().filter(of_list);
            states.any(|state| state.read_at.is_some() || state.refused_since.is_some())
        };
        let followed = config.watch_lists.iter().map(|list| list.id);
        let unread: Vec<String> = followed
            .filter(|id| !is_read(*id))
            .map(|id| id.to_string())
            .collect();
        match unread.len() {
            0 => None,
            all if all == config.watch_lists.len() => Some(String::new()),
            _ => Some(format!(" of watch list {}", listed(&unread))),
        }
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
            let ids: Vec<String> = ids.collect();
            let of = match kind {
                MirrorKind::Approval => String::new(),
                _ => format!(" of watch list {}", listed(&ids)),
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

/// Ids of lists, as many as a line has room for.
fn listed(ids: &[String]) -> String {
    let more = if ids.len() > MOST { ", …" } else { "" };
    format!("{}{more}", ids[..ids.len().min(MOST)].join(", "))
}
