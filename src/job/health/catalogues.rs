//! Freshness of the KEV catalogue and EPSS scores.

use chrono::{DateTime, TimeDelta, Utc};

use super::freshness::OFFLINE_AGE;
use crate::config::{Allowed, Config};
use crate::model::{Catalogue, Condition, Evidence, Finding, shortened};
use crate::store::enrichment::state::EnrichmentState;

/// Added to the second scheduled time: the attempt that it starts may take a while.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// EPSS scores are published every day. If they are older, the place no longer has new ones.
const OLDEST_SCORES: TimeDelta = TimeDelta::days(7);
/// Maximum length of an included error, in characters.
const ERROR_CHARS: usize = 300;

/// Whether the age of a file counts: it is configured, or came with a bundle where nothing is
/// requested.
pub fn is_followed(config: &Config, state: &EnrichmentState) -> bool {
    state.origin.is_some() || config.upstream.offline && state.read_at.is_some()
}

/// Until when a file that was last read at that time is fresh; `None` without a limit. What
/// bundles bring has the limit of the feeds in them.
pub(crate) fn fresh_until(
    config: &Config,
    catalogue: Catalogue,
    read_at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if config.upstream.offline && config.enrichment.location(catalogue).is_none() {
        let age = match config.freshness.feeds {
            Allowed::Off => return None,
            Allowed::Age(age) => TimeDelta::from_std(age).ok()?,
            Allowed::BySchedule => OFFLINE_AGE,
        };
        return read_at.checked_add_signed(age);
    }
    let schedule = config.enrichment.schedule(catalogue);
    let zone = config.schedule.timezone;
    let first = schedule.next_after(read_at, zone)?;
    Some(schedule.next_after(first, zone)? + SLACK)
}

/// Whether a file was not read in time, or what is read is old.
pub(super) fn stale_file(config: &Config, state: &EnrichmentState, now: DateTime<Utc>) -> Finding {
    let from = state.data_from();
    let until = from.and_then(|from| fresh_until(config, state.catalogue, from));
    let is_late = until.is_some_and(|until| now > until);
    let released_at = state.released_at.filter(|at| {
        let is_daily = state.catalogue == Catalogue::Epss;
        is_daily && state.read_at.is_some() && now - *at > OLDEST_SCORES
    });
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
    let label = state.catalogue.label();
    let summary = match (is_late, released_at) {
        (true, _) => {
            let last = state.read_at.map_or_else(
                || "never read since it is configured".to_owned(),
                |at| format!("last read {}", time(at)),
            );
            let advice = if state.origin.is_some() {
                "no attempt failed, see `advisoryd status`"
            } else {
                "import a newer bundle"
            };
            let error = state.last_error.as_deref().map_or_else(
                || advice.to_owned(),
                |error| format!("the last attempt failed: {}", shortened(error, ERROR_CHARS)),
            );
            format!("{label}: {last}; {error}")
        }
        (false, Some(at)) if state.origin.is_none() => {
            format!("{label}: those of the last bundle are of {}", time(at))
        }
        (false, Some(at)) => format!(
            "{label}: the data at the URL of [enrichment] epss is of {}; the vendor probably publishes it at another URL now",
            time(at)
        ),
        (false, None) => match state.read_at {
            Some(at) => format!("{label}: read {}", time(at)),
            None => format!("{label}: not read yet"),
        },
    };
    Finding {
        condition: Condition::DataStale,
        key: state.catalogue.name().to_owned(),
        evidence: if is_late || released_at.is_some() {
            Evidence::For
        } else {
            Evidence::Against
        },
        value: from.map_or(0, |from| (now - from).num_seconds().max(0)),
        summary,
    }
}
