//! Stores what one complete read of a mirrored collection found: what came and what left.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::http::Staleness;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{ListItem, MirrorKind, PendingApproval, counted};
use crate::store::lists::content;
use crate::store::lists::mirror::{self, MirrorState};

/// A complete read of a list that lacks more than this part (one in 5) of what the list
/// contained must be confirmed.
const MAX_LOST_PART: usize = 5;
/// How much later another read must confirm the loss: that of the next hour.
const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(50);

/// What a complete read found.
pub(crate) struct ReceivedMirror {
    pub rows: MirrorRows,
    /// Rows without an id.
    pub unreadable: usize,
    pub staleness: Staleness,
}

/// The rows of a complete read.
pub(crate) enum MirrorRows {
    /// Of a collection below a watch list.
    Items(Vec<ListItem>),
    /// The pending approvals.
    Approvals(Vec<PendingApproval>),
}

impl MirrorRows {
    fn ids(&self) -> HashSet<&str> {
        match self {
            Self::Items(items) => items.iter().map(|item| &*item.upstream_id).collect(),
            Self::Approvals(rows) => rows.iter().map(|row| &*row.upstream_id).collect(),
        }
    }
}

/// How a collection changed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changed {
    pub came: usize,
    pub left: usize,
}

/// Stores a complete read that began at `now`, of what upstream had at `read_at`, in one
/// transaction. While rows of it have
/// no id, nothing is found to have left: each may be what is missing. Nor is it by a copy that
/// is older than the last read.
pub(super) async fn store(
    guard: &Guard,
    state: &MirrorState,
    received: &ReceivedMirror,
    (now, read_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Changed, Failure> {
    let ReceivedMirror {
        rows,
        unreadable,
        staleness,
    } = received;
    // A bundle may be older than what was read before.
    let is_newest = state.read_at.is_none_or(|last| last <= read_at);
    let is_proof = is_newest && *unreadable == 0 && staleness.proves_absence(now, state.read_at);
    let key = state.key;
    let mut transaction = guard.begin().await?;
    let present = content::present(&mut transaction, key).await?;
    match rows {
        MirrorRows::Items(items) => content::store_items(&mut transaction, key, items, now).await?,
        MirrorRows::Approvals(approvals) => {
            for approval in approvals {
                content::store_approval(&mut transaction, approval, now).await?;
            }
        }
    }
    let found = rows.ids();
    let known: HashSet<&str> = present.iter().map(String::as_str).collect();
    let missing = known.difference(&found).map(|id| (*id).to_owned());
    let missing: Vec<String> = missing.filter(|_| is_proof).collect();
    let doubted_at = doubted_at(state, (missing.len(), known.len()), now);
    let left = if doubted_at.is_none() {
        missing.len()
    } else {
        0
    };
    if left > 0 {
        content::leave(&mut transaction, key, &missing, now).await?;
    }
    let came = found.difference(&known).count();
    let is_first = state.read_at.is_none();
    let next = MirrorState {
        attempted_at: Some(now),
        read_at: if doubted_at.is_none() {
            state.read_at.max(Some(read_at))
        } else {
            state.read_at
        },
        changed_at: Some(now)
            .filter(|_| !is_first && came + left > 0)
            .or(state.changed_at),
        unreadable: i64::try_from(*unreadable).unwrap_or(i64::MAX),
        doubted_at,
        refused_since: None,
        retry_at: None,
        last_error: doubted_at.map(|_| doubt(missing.len(), known.len())),
        ..state.clone()
    };
    mirror::set(&mut transaction, &next).await?;
    transaction.commit().await?;
    log_changes(state, &next, Changed { came, left });
    Ok(Changed { came, left })
}

/// Since when a loss is not believed; `None` if there is none, or if it is believed.
/// Approvals are not guarded: one click may approve all of them.
fn doubted_at(
    state: &MirrorState,
    (missing, known): (usize, usize),
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if state.key.kind == MirrorKind::Approval || missing * MAX_LOST_PART <= known {
        return None;
    }
    let since = state.doubted_at.unwrap_or(now);
    (now - since < CONFIRM_AFTER).then_some(since)
}

fn doubt(missing: usize, known: usize) -> String {
    format!(
        "{missing} of {known} are missing; a loss of more than a fifth is accepted only if a read at least {} minutes later confirms it",
        CONFIRM_AFTER.num_minutes()
    )
}

fn log_changes(before: &MirrorState, state: &MirrorState, changed: Changed) {
    let (key, Changed { came, left }) = (state.key, changed);
    if before.refused_since.is_some() {
        info!("{key}: upstream no longer refuses them; they are mirrored again");
    }
    if state.unreadable > 0 && before.unreadable == 0 {
        warn!(
            unreadable = state.unreadable,
            "{key}: not stored, because they have no id: {}; as long as there are such rows, removals are not detected",
            counted(state.unreadable, "row")
        );
    }
    if let Some(error) = &state.last_error {
        warn!("{key}: {error}");
    }
    let is_edit = before.read_at.is_some() && came + left > 0;
    if is_edit && key.kind != MirrorKind::Approval {
        info!(
            watch_list.id = key.watch_list_id,
            came,
            left,
            "{key}: {came} added and {left} removed upstream; the next pull of the list is a full pull"
        );
    }
}
