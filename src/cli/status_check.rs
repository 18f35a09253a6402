//! `advisoryd status --check`: one line and an exit status for Nagios and CI.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_json, print_line, rough};
use super::shared::GlobalArgs;
use super::status_daemon::Daemons;
use super::status_discovery;
use super::status_errors::{self, cause};
use super::status_source::named;
use super::times::Times;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::health::findings::sink_key;
use crate::job::health::{catalogues, freshness};
use crate::job::lists::discover;
use crate::model::{
    Condition, ConditionState, DateFilter, RunFailure, SourceKey, chain, counted, is_in_future,
    one_line,
};
use crate::store::alerts::outcome::{self, SinkLine};
use crate::store::enrichment::state::{self, EnrichmentState};
use crate::store::health::condition;
use crate::store::lists::discovery;
use crate::store::reports::full_reads::{self, FailedFullRead};
use crate::store::reports::report::{self, SourceReport};
use crate::store::tickets::reading;

/// Problems that are named; more are only counted.
const MOST: usize = 4;

/// What `status --check` was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    /// Data that is older is stale; `None`: as `[freshness]` says.
    pub(super) max_age: Option<Duration>,
    /// As JSON.
    pub(super) json: bool,
}

/// How bad it is. The values are the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fresh = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Level {
    /// The name in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Fresh => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

/// As plugins of Nagios write it.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().to_uppercase())
    }
}

/// What was found: the worst level, its text, and each problem: causes of others, then the
/// worst first.
struct Verdict {
    level: Level,
    text: String,
    problems: Vec<(Level, String)>,
}

impl Verdict {
    fn without_problems(level: Level, text: String) -> Self {
        let problems = Vec::new();
        Self {
            level,
            text,
            problems,
        }
    }

    fn as_value(&self) -> Value {
        let problem = |(level, text): &(Level, String)| json!({"status": level.name(), "message": one_line(text)});
        json!({
            "status": self.level.name(),
            "exit_status": self.level as u8,
            "message": one_line(&self.text),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }
}

/// Prints one line; returns the exit status. An error is a result as well: nothing is
/// known then.
pub(super) async fn run(shared: GlobalArgs, check: Check) -> anyhow::Result<u8> {
    let verdict = inspect(&shared, check).await.unwrap_or_else(|error| {
        let text = format!("{}; see `advisoryd check`", chain(&*error));
        Verdict::without_problems(Level::Unknown, text)
    });
    if check.json {
        print_json(&verdict.as_value())?;
    } else {
        let Verdict { level, text, .. } = &verdict;
        print_line(&one_line(&format!("{level}: {text}")));
    }
    Ok(verdict.level as u8)
}

async fn inspect(shared: &GlobalArgs, check: Check) -> anyhow::Result<Verdict> {
    let config = shared.load()?;
    shared.note_at("advisoryd=error")?;
    let (now, times) = (Clock::system().now(), shared.times());
    ask::with_reader(&config, async |opened| {
        let mut connection = ask::up_to_date(opened).await?;
        let config = discover::followed(&mut connection, &config).await?;
        let mut seen = Seen::inspect(&mut connection).await?;
        let not_writable = ask::not_writable(opened, &mut connection).await?;
        seen.not_writable = not_writable;
        Ok(seen.verdict(&config, check, (now, times)))
    })
    .await
}

struct Seen {
    not_writable: Option<String>,
    daemons: Daemons,
    sources: Vec<SourceReport>,
    filter: Option<DateFilter>,
    discovery: discovery::DiscoveryState,
    full_reads: Vec<FailedFullRead>,
    catalogues: Vec<EnrichmentState>,
    conditions: Vec<String>,
}

impl Seen {
    async fn inspect(connection: &mut PgConnection) -> anyhow::Result<Self> {
        let mut sources = report::sources(connection).await?;
        sources.retain(|source| source.configured);
        let conditions = condition::states(connection).await?;
        // Computed here, by the same limits or by those of the user.
        let computed = [
            Condition::DataStale,
            Condition::DiscoveryIncomplete,
            Condition::FullReadFailed,
        ];
        let sinks = outcome::sinks(connection).await?;
        let active = conditions.into_iter().filter(|state| {
            state.is_found() && !computed.contains(&state.condition) && is_of_now(state, &sinks)
        });
        Ok(Self {
            not_writable: None,
            daemons: Daemons::query(connection).await?,
            sources,
            filter: reading::get(connection).await?.filter,
            discovery: discovery::state(connection).await?,
            full_reads: full_reads::failed(connection).await?,
            catalogues: state::states(connection).await?,
            conditions: active
                .map(|ConditionState { condition, key, .. }| {
                    format!("{key}: {} ({})", condition.title(true), condition.name())
                })
                .collect(),
        })
    }

    fn verdict(
        &self,
        config: &Config,
        check: Check,
        (now, times): (DateTime<Utc>, Times),
    ) -> Verdict {
        let of_data = self.sources.iter();
        let of_data: Vec<&SourceReport> = of_data
            .filter(|one| one.key != SourceKey::RevisionScan)
            .collect();
        let discovery = status_discovery::of(config, self.discovery.clone());
        let discovery = discovery.and_then(|state| status_discovery::problem(config, &state, now));
        if of_data.is_empty() {
            let why = discovery.map_or_else(String::new, |problem| format!("; {problem}"));
            let text = format!("nothing is followed{why}");
            return Verdict::without_problems(Level::Unknown, text);
        }
        let mut problems: Vec<(Level, String)> = Vec::new();
        let alike = status_errors::by_cause(self.sources.iter());
        let shared = alike.iter().filter(|one| one.sources.len() > 1);
        let is_shared = |source: &SourceReport| {
            let mut all = shared.clone().flat_map(|one| &one.sources);
            all.any(|one| one.key == source.key)
        };
        for source in &self.sources {
            let limit = match check.max_age {
                Some(age) => TimeDelta::from_std(age).ok(),
                None => freshness::limit(config, source, self.filter),
            };
            let error = source.last_error.as_ref();
            let error = error.filter(|_| !is_shared(source));
            problems.extend(problem(source, (error, limit), now));
        }
        // A cause that several have in common is said once.
        let count = self.sources.len();
        let level_and_line = shared.clone().map(|one| (Level::Warning, one.line(count)));
        problems.extend(level_and_line.chain(self.stale_files(config, now)));
        let warn = |text: String| (Level::Warning, text);
        // One that fails altogether is said above.
        let failing = |key: &SourceKey| {
            let mut all = self.sources.iter();
            all.any(|one| one.key == *key && one.last_error.is_some())
        };
        let name = |key: &SourceKey| {
            let mut all = self.sources.iter();
            let source = all.find(|one| one.key == *key);
            source.map_or_else(|| key.label(), named)
        };
        let full_reads = self.full_reads.iter().filter(|one| !failing(&one.key));
        problems.extend(full_reads.map(|one| {
            let (name, error) = (name(&one.key), cause(&one.error));
            warn(format!("{name}: the last {} failed: {error}", one.name()))
        }));
        problems.extend(discovery.map(warn));
        problems.extend(self.daemons.refused().into_iter().map(warn));
        problems.extend(self.daemons.differing(times).map(warn));
        problems.extend(self.conditions.iter().cloned().map(warn));
        let problems = self.sorted(problems, &of_data, (now, times));
        let Some((level, _)) = problems.first() else {
            return Verdict::without_problems(Level::Fresh, summary(&of_data, now));
        };
        Verdict {
            level: *level,
            text: joined(&problems),
            problems,
        }
    }
}

impl Seen {
    /// The worst first, otherwise in this order; before them what makes data old, which is as
    /// bad as that.
    fn sorted(
        &self,
        mut problems: Vec<(Level, String)>,
        of_data: &[&SourceReport],
        (now, times): (DateTime<Utc>, Times),
    ) -> Vec<(Level, String)> {
        problems.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
        let worst = problems.first().map_or(Level::Warning, |(level, _)| *level);
        let last_success = of_data.iter().filter_map(|one| one.last_success_at).max();
        let causes = self.not_writable.iter().cloned();
        let causes = causes.chain(self.daemons.missing(last_success, times, now));
        problems.splice(0..0, causes.map(|text| (worst, text)));
        problems
    }

    fn stale_files(&self, config: &Config, now: DateTime<Utc>) -> Vec<(Level, String)> {
        let catalogues = self.catalogues.iter();
        let stale = catalogues.filter_map(|one| stale_file(config, one, now));
        stale.collect()
    }
}

/// Whether it is so now: a failing sink works again with its first delivery, and is of no
/// account once it is not configured; the next check of the daemon resolves it.
fn is_of_now(state: &ConditionState, sinks: &[SinkLine]) -> bool {
    let mut failing = sinks
        .iter()
        .filter(|sink| sink.configured && sink.failing_since.is_some());
    state.condition != Condition::SinkFailing
        || failing.any(|sink| state.key == sink_key(&sink.name))
}

/// What is wrong with a source.
fn problem(
    source: &SourceReport,
    (error, limit): (Option<&String>, Option<TimeDelta>),
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
            cause_suffix(error)
        );
        return Some((Level::Critical, text));
    }
    if source.covered_to.is_none() && source.last_error.is_none() && !is_scan {
        return Some((Level::Warning, format!("{name}: not read yet")));
    }
    error?;
    Some((
        Level::Warning,
        format!("{name}: failing{}", cause_suffix(error)),
    ))
}

/// That the KEV catalogue or EPSS scores are too old. `--max-age` is about sources, which are
/// read more often.
fn stale_file(
    config: &Config,
    file: &EnrichmentState,
    now: DateTime<Utc>,
) -> Option<(Level, String)> {
    let from = file.data_from()?;
    let until = catalogues::fresh_until(config, file.catalogue, from)?;
    let is_stale = catalogues::is_followed(config, file) && now > until;
    let (label, age, limit) = (
        file.catalogue.label(),
        rough(now - from),
        rough(until - from),
    );
    let text = format!("{label}: its data is {age} old, and at most {limit} is allowed");
    is_stale.then_some((Level::Critical, text))
}

/// The cause of an error. The address of the request is in `advisoryd status -v`.
fn cause_suffix(error: Option<&String>) -> String {
    error.map_or_else(String::new, |error| format!(": {}", cause(error)))
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
