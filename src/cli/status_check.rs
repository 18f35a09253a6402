//! `advisoryd status --check`: one line and an exit status for Nagios and CI.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_line, rough};
use super::shared::Shared;
use super::status_daemon::Daemons;
use super::status_source::named;
use super::times::Times;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::health::freshness;
use crate::job::lists::discover;
use crate::model::{
    Condition, DateFilter, RunFailure, SourceKey, chain, counted, is_in_future, one_line,
};
use crate::store::health::condition;
use crate::store::reports::report::{self, SourceReport};
use crate::store::tickets::reading;

/// Problems that are named; more are only counted.
const MOST: usize = 4;

/// What `status --check` was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    /// Data that is older is stale; `None`: as `[freshness]` says.
    pub(super) max_age: Option<Duration>,
}

/// How bad it is. The values are the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fresh = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// Prints one line; returns the exit status. An error is a result as well: nothing is
/// known then.
pub(super) async fn run(shared: Shared, check: Check) -> anyhow::Result<u8> {
    let (level, text) = match look(&shared, check).await {
        Ok(found) => found,
        Err(error) => {
            let text = format!("{}; see `advisoryd check`", chain(&*error));
            (Level::Unknown, text)
        }
    };
    print_line(&one_line(&format!("{level}: {text}")));
    Ok(level as u8)
}

async fn look(shared: &Shared, check: Check) -> anyhow::Result<(Level, String)> {
    let config = shared.load()?;
    shared.log(Some(config.log.format), "error")?;
    let (now, times) = (Clock::system().now(), shared.times());
    ask::with_connection(&config, async |connection| {
        let config = discover::followed(connection, &config).await?;
        let seen = Seen::look(connection).await?;
        Ok(seen.verdict(&config, check, (now, times)))
    })
    .await
}

struct Seen {
    daemons: Daemons,
    sources: Vec<SourceReport>,
    filter: Option<DateFilter>,
    conditions: Vec<String>,
}

impl Seen {
    async fn look(connection: &mut PgConnection) -> anyhow::Result<Self> {
        let mut sources = report::sources(connection).await?;
        sources.retain(|source| source.configured);
        let conditions = condition::states(connection).await?;
        let active = conditions.into_iter().filter(|state| {
            // Computed here, by the same limits or by those of the user.
            state.is_raised && state.condition != Condition::DataStale
        });
        Ok(Self {
            daemons: Daemons::look(connection).await?,
            sources,
            filter: reading::get(connection).await?.filter,
            conditions: active
                .map(|state| format!("{} ({})", state.condition.name(), state.key))
                .collect(),
        })
    }

    fn verdict(
        &self,
        config: &Config,
        check: Check,
        (now, times): (DateTime<Utc>, Times),
    ) -> (Level, String) {
        let of_data = self.sources.iter();
        let of_data: Vec<&SourceReport> = of_data
            .filter(|one| one.key != SourceKey::RevisionScan)
            .collect();
        if of_data.is_empty() {
            return (Level::Unknown, "nothing is followed".to_owned());
        }
        let mut problems: Vec<(Level, String)> = Vec::new();
        for source in &self.sources {
            let limit = match check.max_age {
                Some(age) => TimeDelta::from_std(age).ok(),
                None => freshness::limit(config, source, self.filter),
            };
            problems.extend(problem(source, limit, now));
        }
        let warn = |text: String| (Level::Warning, text);
        problems.extend(self.daemons.refused().into_iter().map(warn));
        problems.extend(self.daemons.differing(times).map(warn));
        problems.extend(self.conditions.iter().cloned().map(warn));
        let last_success = of_data.iter().filter_map(|one| one.last_success_at).max();
        problems.extend(self.daemons.missing(last_success, times, now).map(warn));
        // The worst first, otherwise in this order.
        problems.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
        match problems.first() {
            Some((level, _)) => (*level, joined(&problems)),
            None => (Level::Fresh, summary(&of_data, now)),
        }
    }
}

/// What is wrong with a source.
fn problem(
    source: &SourceReport,
    limit: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Option<(Level, String)> {
    let name = named(source);
    if source.last_failure == Some(RunFailure::ListMissing) {
        return Some((
            Level::Critical,
            format!("{name}: upstream has no such list"),
        ));
    }
    if is_in_future(source.covered_to, now) {
        let text = format!("{name}: its coverage ends in the future; correct the clock");
        return Some((Level::Critical, text));
    }
    let age = source.data_from().map(|from| now - from);
    let is_scan = source.key == SourceKey::RevisionScan;
    if let (Some(age), Some(limit), false) = (age, limit, is_scan)
        && age > limit
    {
        let data = match source.covered_to {
            Some(_) => format!("its data is {} old", rough(age)),
            None => format!("it has no data, {} after it was added", rough(age)),
        };
        let limit = rough(limit);
        let text = format!(
            "{name}: {data}, and at most {limit} is allowed{}",
            last_error(source)
        );
        return Some((Level::Critical, text));
    }
    if source.covered_to.is_none() && source.last_error.is_none() && !is_scan {
        return Some((Level::Warning, format!("{name}: not read yet")));
    }
    source.last_error.as_ref()?;
    Some((
        Level::Warning,
        format!("{name}: failing{}", last_error(source)),
    ))
}

fn last_error(source: &SourceReport) -> String {
    let error = source.last_error.as_ref();
    error.map_or_else(String::new, |error| format!(": {error}"))
}

fn joined(problems: &[(Level, String)]) -> String {
    let named: Vec<&str> = problems
        .iter()
        .take(MOST)
        .map(|(_, text)| text.as_str())
        .collect();
    let more = problems.len().saturating_sub(MOST);
    let more = if more > 0 {
        format!("; {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join("; "))
}

/// How fresh everything is, by the oldest.
fn summary(sources: &[&SourceReport], now: DateTime<Utc>) -> String {
    let oldest = sources.iter().filter(|one| one.covered_to.is_some());
    let oldest = oldest.min_by_key(|one| one.covered_to);
    let count = format!("{}, all fresh", counted(sources.len(), "source"));
    match oldest.and_then(|one| Some((one, one.covered_to?))) {
        Some((source, to)) => {
            let age = rough((now - to).max(TimeDelta::zero()));
            format!("{count}; the oldest data is {age} old ({})", named(source))
        }
        None => count,
    }
}
