//! `advisoryd status`: whether the watch lists of the account are known.

use chrono::{DateTime, Utc};

use super::output::rough;
use super::status_errors::cause;
use crate::config::Config;
use crate::job::health::freshness;
use crate::store::lists::discovery::DiscoveryState;

/// The state of discovery, where the configuration has it. Where nothing is requested, lists
/// come with bundles, whose age is shown.
pub(super) fn of(config: &Config, state: DiscoveryState) -> Option<DiscoveryState> {
    let is_on = config.discovery.watch_lists;
    Some(state).filter(|_| is_on)
}

/// What is wrong with discovery: it failed, or is older than its schedule allows. New lists
/// are not followed then, and nothing else shows it.
pub(super) fn problem(
    config: &Config,
    state: &DiscoveryState,
    now: DateTime<Utc>,
) -> Option<String> {
    let last = state.last_success_at;
    let until = last.and_then(|at| freshness::lists_known_until(config, at));
    let is_old = !config.upstream.offline && until.is_some_and(|until| now > until);
    let error = state.last_error.as_deref();
    if error.is_none() && !is_old && (last.is_some() || config.upstream.offline) {
        return None;
    }
    let what = match (last, until, error) {
        (None, _, None) => "not done yet".to_owned(),
        (None, ..) => "never complete".to_owned(),
        (Some(at), Some(until), _) if is_old => format!(
            "last complete {} ago, and at most {} is allowed",
            rough(now - at),
            rough(until - at)
        ),
        (Some(at), ..) => format!("failing, last complete {} ago", rough(now - at)),
    };
    let why = error.map_or_else(String::new, |error| format!(": {}", cause(error)));
    Some(format!("discovery of watch lists: {what}{why}"))
}
