//! Findings about watch lists: advisories that cannot be fetched, lists that are not known,
//! contents that cannot be read.

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{ERROR_CHARS, of_source, rounded, time};
use crate::config::Config;
use crate::model::{
    Condition, Evidence, Finding, IngestedVia, MirrorKind, SourceKey, counted, shortened,
};
use crate::store::health::condition::SourceState;
use crate::store::lists::discovery;
use crate::store::lists::mirror::MirrorState;
use crate::store::reports::missing::MissingDetails;

/// How long discovery and the reading of contents may fail: both run hourly, and feeds are
/// read without them.
const LONGEST_FAILURE: TimeDelta = TimeDelta::hours(24);

/// Details that a list needs which is read from the JSON API. Which lists an advisory is in
/// is in its details only, so each such list may lack it.
pub(super) fn details_missing(source: &SourceState, missing: &MissingDetails) -> Finding {
    let is_active = source.ingested_via == IngestedVia::Json && missing.failed > 0;
    let failed = if is_active { missing.failed } else { 0 };
    let summary = if is_active {
        format!(
            "the list is read from the JSON API, and details of some advisories cannot be fetched: {} ({}): {}; they are not stored if they belong to the list. The feed is requested at each scheduled time",
            counted(failed, "advisory"),
            missing.named_failed(),
            error(missing.error.as_deref())
        )
    } else {
        "no advisory of the list is missing".to_owned()
    };
    of_source(
        source,
        Condition::DetailsMissing,
        is_active,
        (failed, summary),
    )
}

/// Revisions that the revision scan has seen, and whose details cannot be fetched or wait for
/// long.
pub(super) fn revisions_missing(source: &SourceState, missing: &MissingDetails) -> Finding {
    let pending = missing.pending;
    let summary = if pending > 0 {
        format!(
            "upstream lists newer revisions of {} ({}) that no feed has brought, and their details are not fetched: {}; the stored versions are older",
            counted(pending, "advisory"),
            missing.named(),
            error(Some(
                missing.error.as_deref().unwrap_or("pending for hours")
            ))
        )
    } else {
        "no revision is missing".to_owned()
    };
    of_source(
        source,
        Condition::DetailsMissing,
        pending > 0,
        (pending, summary),
    )
}

/// Whether the lists of the account are not all known.
pub(super) fn discovered(state: &discovery::DiscoveryState, now: DateTime<Utc>) -> Finding {
    let last = state.last_success_at;
    let is_long = last.is_none_or(|at| now - at > LONGEST_FAILURE);
    let failed = state.last_error.as_deref();
    let is_active = failed.is_some() && (state.unreadable > 0 || is_long);
    let summary = if is_active {
        let last = last.map_or_else(
            || "never complete".to_owned(),
            |at| format!("last complete {}", time(at)),
        );
        format!("{} ({last})", error(failed))
    } else {
        "the watch lists are known".to_owned()
    };
    Finding {
        condition: Condition::DiscoveryIncomplete,
        key: "discovery".to_owned(),
        evidence: if is_active {
            Evidence::For
        } else {
            Evidence::Against
        },
        value: state.unreadable,
        summary,
    }
}

/// Whether what a list contains could not be read for long. What upstream refuses to the
/// account is no failure.
pub(super) fn contents(
    source: &SourceState,
    config: &Config,
    mirrors: &[MirrorState],
    now: DateTime<Utc>,
) -> Option<Finding> {
    let SourceKey::WatchList(id) = source.key else {
        return None;
    };
    let is_of_list = |state: &&MirrorState| {
        state.key.watch_list_id == id && state.key.kind != MirrorKind::Approval
    };
    let failing = mirrors.iter().filter(is_of_list).filter(|state| {
        let since = state.read_at.max(source.followed_since);
        let is_long = since.is_some_and(|at| now - at > LONGEST_FAILURE);
        state.refused_since.is_none() && state.last_error.is_some() && is_long
    });
    let schedule = &config.schedule;
    let next = schedule.list_contents.next_after(now, schedule.timezone);
    let worst = failing
        .min_by_key(|state| state.read_at)
        .filter(|_| next.is_some());
    let since = worst.and_then(|state| state.read_at.max(source.followed_since));
    let age = since.map_or(TimeDelta::zero(), |at| now - at);
    let summary = worst.map_or_else(
        || "what the list contains is read".to_owned(),
        |state| {
            format!(
                "{} not read for {}: {}; products that are added upstream are found by the full pulls of [schedule] full_feeds only",
                state.key,
                rounded(age),
                error(state.last_error.as_deref())
            )
        },
    );
    let value = (age.num_seconds(), summary);
    let condition = Condition::ListContentsStale;
    Some(of_source(source, condition, worst.is_some(), value))
}

fn error(error: Option<&str>) -> String {
    shortened(error.unwrap_or("unknown"), ERROR_CHARS)
}
