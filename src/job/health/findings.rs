//! What one look at the database says of each condition.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Allowed, Config};
use crate::model::{
    Condition, ConditionState, DateFilter, Evidence, Finding, RunFailure, shortened,
};
use crate::store::health::condition::{SinkState, SourceState};

/// What concerns the whole account is filed under this.
const UPSTREAM: &str = "upstream";
/// Failures in a row after which a sink is told of through the others.
const SINK_FAILURES: i32 = 4;
/// Behind the second tick: the run that it woke may take its time.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Of an error that is told along, in characters.
const ERROR_CHARS: usize = 300;

/// What there is to tell conditions by.
pub(crate) struct Seen<'a> {
    pub config: &'a Config,
    /// Upstream's time, which the covered time is measured in.
    pub upstream_now: DateTime<Utc>,
    /// Which date filter upstream honours on tickets.
    pub filter: Option<DateFilter>,
    pub sources: Vec<SourceState>,
    pub sinks: Vec<SinkState>,
    pub standings: Vec<ConditionState>,
}

impl Seen<'_> {
    /// One finding for each condition of each thing that is followed, and for
    /// those that were told of things that no longer are.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![
            self.of_upstream(Condition::TokenRejected),
            self.of_upstream(Condition::RequestBudgetExhausted),
        ];
        for source in &self.sources {
            findings.push(self.stale(source));
            findings.push(not_recognised(source));
            findings.push(quarantine(source));
            findings.push(hole(source));
        }
        findings.extend(self.sinks.iter().map(failing));
        let gone = self.standings.iter().filter(|standing| {
            standing.is_raised
                && !findings.iter().any(|finding| {
                    finding.condition == standing.condition && finding.key == standing.key
                })
        });
        let gone: Vec<Finding> = gone.map(no_longer_followed).collect();
        findings.extend(gone);
        findings
    }

    fn standing(&self, condition: Condition, key: &str) -> Option<&ConditionState> {
        self.standings
            .iter()
            .find(|one| one.condition == condition && one.key == key)
    }

    /// Holds while the last run of any source says so; is over when a run that
    /// ended after it began says so.
    fn of_upstream(&self, condition: Condition) -> Finding {
        let saying = |evidence: Evidence| {
            self.sources
                .iter()
                .filter(move |source| RunFailure::says(source.last_failure, condition) == evidence)
        };
        let since = self
            .standing(condition, UPSTREAM)
            .map(|standing| standing.since);
        let is_over = saying(Evidence::Against).any(|source| {
            let said_at = match source.last_failure {
                Some(_) => source.last_error_at,
                None => source.last_success_at,
            };
            said_at.is_some() && said_at > since
        });
        let holding: Vec<&SourceState> = saying(Evidence::For).collect();
        let names: Vec<String> = holding
            .iter()
            .map(|source| source.key.to_string())
            .collect();
        let (evidence, summary) = match (holding.first(), is_over) {
            (Some(first), _) => {
                let advice = match condition {
                    Condition::TokenRejected => {
                        "put a new token into [upstream] token_file and reload"
                    }
                    _ => {
                        "see [upstream] requests_per_day and [feeds] details_per_day (trial accounts: 1000 and 30), and who else uses the account"
                    }
                };
                let (names, error) = (names.join(", "), error(first));
                (
                    Evidence::For,
                    format!("{names} cannot be read: {error}; {advice}"),
                )
            }
            (None, true) => (Evidence::Against, "a request was accepted".to_owned()),
            (None, false) => (Evidence::None, String::new()),
        };
        Finding {
            condition,
            key: UPSTREAM.to_owned(),
            evidence,
            value: count(holding.len()),
            summary,
        }
    }

    fn stale(&self, source: &SourceState) -> Finding {
        let read_to = source.covered_to.max(source.followed_since);
        let until = read_to.and_then(|from| self.allowed_until(source, from));
        let age = read_to.map_or(TimeDelta::zero(), |from| self.upstream_now - from);
        let is_stale = until.is_some_and(|until| self.upstream_now > until);
        let summary = match (is_stale, source.covered_to) {
            (false, Some(to)) => format!("complete to {}", time(to)),
            (false, None) => "no longer watched".to_owned(),
            (true, to) => format!(
                "{} ({} ago; allowed until {}); {}",
                to.map_or_else(
                    || "it was never read completely since it is followed".to_owned(),
                    |to| format!("nothing newer than {} was read completely", time(to))
                ),
                rough(age),
                until.map_or_else(String::new, time),
                source.last_error.as_ref().map_or_else(
                    || "no run has failed, see `advisoryd status`".to_owned(),
                    |_| format!("the last run failed: {}", error(source))
                ),
            ),
        };
        of_source(
            source,
            Condition::DataStale,
            is_stale,
            (age.num_seconds(), summary),
        )
    }

    fn allowed_until(&self, source: &SourceState, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let config = self.config;
        match config.allowed_age_of(&source.key) {
            Allowed::Off => None,
            Allowed::Age(age) => from.checked_add_signed(TimeDelta::from_std(age).ok()?),
            Allowed::BySchedule => {
                let schedule = config.schedule_of(&source.key, self.filter)?;
                let zone = config.schedule.timezone;
                let first = schedule.next_after(from, zone)?;
                Some(schedule.next_after(first, zone)? + SLACK)
            }
        }
    }
}

fn of_source(
    source: &SourceState,
    condition: Condition,
    holds: bool,
    (value, summary): (i64, String),
) -> Finding {
    Finding {
        condition,
        key: source.key.to_string(),
        evidence: if holds {
            Evidence::For
        } else {
            Evidence::Against
        },
        value,
        summary,
    }
}

fn not_recognised(source: &SourceState) -> Finding {
    let condition = Condition::StructureNotRecognised;
    let evidence = RunFailure::says(source.last_failure, condition);
    let summary = match evidence {
        Evidence::For => format!(
            "{}; `advisoryd inspect FILE` shows how a saved document is understood, [feeds.aliases] teaches names",
            error(source)
        ),
        Evidence::Against | Evidence::None => "a run was complete".to_owned(),
    };
    Finding {
        evidence,
        ..of_source(source, condition, false, (1, summary))
    }
}

fn quarantine(source: &SourceState) -> Finding {
    let records = source.quarantined;
    let summary = match records {
        0 => "all that came is understood".to_owned(),
        _ => format!("{records} in quarantine; see `advisoryd quarantine list`"),
    };
    of_source(
        source,
        Condition::QuarantineGrew,
        records > 0,
        (records, summary),
    )
}

fn hole(source: &SourceState) -> Finding {
    let gaps = source.gaps;
    let summary = match gaps {
        0 => "the holes are closed".to_owned(),
        _ => format!(
            "{gaps} holes in the covered time; the next runs ask for them again as far as [feeds] max_days reaches, see `advisoryd status`"
        ),
    };
    of_source(source, Condition::CoverageHole, gaps > 0, (gaps, summary))
}

fn failing(sink: &SinkState) -> Finding {
    let failures = sink.failures;
    let (evidence, summary) = match failures {
        0 => (Evidence::Against, "it took a message".to_owned()),
        SINK_FAILURES.. => (
            Evidence::For,
            format!(
                "{failures} attempts in a row failed since {}: {}; what it did not refuse for good waits, and `advisoryd alerts test {}` tries it",
                sink.failing_since.map_or_else(String::new, time),
                shortened(sink.last_error.as_deref().unwrap_or("unknown"), ERROR_CHARS),
                sink.name
            ),
        ),
        _ => (Evidence::None, String::new()),
    };
    Finding {
        condition: Condition::SinkFailing,
        key: sink_key(&sink.name),
        evidence,
        value: i64::from(failures),
        summary,
    }
}

/// What conditions of a sink are filed under.
pub(crate) fn sink_key(name: &str) -> String {
    format!("sink {name}")
}

fn no_longer_followed(standing: &ConditionState) -> Finding {
    Finding {
        condition: standing.condition,
        key: standing.key.clone(),
        evidence: Evidence::Against,
        value: 0,
        summary: "the configuration no longer names it".to_owned(),
    }
}

fn error(source: &SourceState) -> String {
    shortened(
        source.last_error.as_deref().unwrap_or("unknown"),
        ERROR_CHARS,
    )
}

/// As people read it.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn rough(age: TimeDelta) -> String {
    match age.num_minutes() {
        minutes @ 0..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
