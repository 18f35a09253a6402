//! Findings of a health check: for each condition, whether the database shows that it holds.

use chrono::{DateTime, TimeDelta, Utc};

use super::catalogues::{is_followed, stale_file};
use super::finding::{ERROR_CHARS, count, error, of_source, rounded, time};
use super::quiet::quiet;
use super::{feeds, freshness, lists};
use crate::config::Config;
use crate::model::{
    Condition, ConditionState, DateFilter, Evidence, Finding, RunFailure, SourceKey, counted,
    shortened,
};
use crate::store::enrichment::state::EnrichmentState;
use crate::store::health::condition::{MissingMembers, SinkState, SourceState};
use crate::store::lists::{discovery, mirror};
use crate::store::reports::full_reads::FailedFullRead;
use crate::store::reports::missing::MissingDetails;

/// Key of conditions that affect the whole account.
const UPSTREAM: &str = "upstream";
/// Consecutive failures after which the other sinks are notified about a sink.
const SINK_FAILURES: i32 = 4;

/// The data that conditions are derived from.
pub(crate) struct HealthData<'a> {
    pub config: &'a Config,
    /// The time by our clock.
    pub now: DateTime<Utc>,
    /// The time by upstream's clock, like the covered time.
    pub upstream_now: DateTime<Utc>,
    /// The date filter for tickets that upstream supports.
    pub filter: Option<DateFilter>,
    pub sources: Vec<SourceState>,
    /// Details that lists need which are read from the JSON API.
    pub missing: MissingDetails,
    /// Revisions that the revision scan has seen and that are not stored.
    pub revisions: MissingDetails,
    /// Sources whose last full read failed.
    pub full_reads: Vec<FailedFullRead>,
    /// The state of discovery, if it is on.
    pub discovery: Option<discovery::DiscoveryState>,
    /// How far what lists contain is read.
    pub mirrors: Vec<mirror::MirrorState>,
    pub catalogues: Vec<EnrichmentState>,
    pub sinks: Vec<SinkState>,
    pub states: Vec<ConditionState>,
}

impl HealthData<'_> {
    /// One finding for each condition of each source and sink, and for active conditions
    /// of sources and sinks that are no longer configured.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![
            self.of_upstream(Condition::TokenRejected),
            self.of_upstream(Condition::RequestBudgetExhausted),
        ];
        for source in &self.sources {
            findings.push(self.stale(source));
            findings.push(not_recognised(source));
            findings.push(quarantine(source));
            findings.push(unknown_fields(source));
            findings.push(coverage_gap(source));
            findings.push(removals(source));
            findings.push(quiet(source));
            findings.push(feeds::window_not_honoured(self.config, source));
            findings.push(feeds::alternating(source));
            findings.push(feeds::full_read(source, &self.full_reads, self.now));
            findings.push(match source.key {
                SourceKey::RevisionScan => lists::revisions_missing(source, &self.revisions),
                _ => lists::details_missing(source, &self.missing),
            });
            findings.extend(lists::contents(
                source,
                self.config,
                &self.mirrors,
                self.now,
            ));
        }
        let discovery = self.discovery.as_ref();
        findings.extend(discovery.map(|state| lists::discovered(state, self.now)));
        let followed = self.catalogues.iter();
        let followed = followed.filter(|one| is_followed(self.config, one));
        findings.extend(followed.map(|one| stale_file(self.config, one, self.now)));
        findings.extend(self.sinks.iter().map(failing));
        let gone = self.states.iter().filter(|state| {
            state.is_raised
                && !findings
                    .iter()
                    .any(|finding| finding.condition == state.condition && finding.key == state.key)
        });
        let gone: Vec<Finding> = gone.map(no_longer_followed).collect();
        findings.extend(gone);
        findings
    }

    fn state(&self, condition: Condition, key: &str) -> Option<&ConditionState> {
        self.states
            .iter()
            .find(|one| one.condition == condition && one.key == key)
    }

    /// Active while the last run of any source shows it; resolved when a run that ended
    /// after its beginning shows the opposite. All sources have the same token: what was
    /// rejected before upstream accepted it shows nothing any more.
    fn of_upstream(&self, condition: Condition) -> Finding {
        let with_evidence = |evidence: Evidence| {
            self.sources
                .iter()
                .filter(move |source| RunFailure::says(source.last_failure, condition) == evidence)
        };
        let since = self.state(condition, UPSTREAM).map(|state| state.since);
        let accepted_at = with_evidence(Evidence::Against)
            .filter_map(|source| match source.last_failure {
                Some(_) => source.last_error_at,
                None => source.last_success_at,
            })
            .max();
        let is_resolved = accepted_at.is_some() && accepted_at > since;
        let is_over = |source: &SourceState| {
            condition == Condition::TokenRejected && accepted_at > source.last_error_at
        };
        let holding: Vec<&SourceState> = with_evidence(Evidence::For)
            .filter(|source| !is_over(source))
            .collect();
        let names: Vec<String> = holding.iter().map(|source| source.key.label()).collect();
        let (evidence, summary) = match (holding.first(), is_resolved) {
            (Some(first), _) => {
                let advice = match condition {
                    Condition::TokenRejected => self.config.upstream.token_sources.advice(),
                    _ => "check [upstream] requests_per_day and [feeds] details_per_day (trial accounts: 1000 and 30), and what else uses the account".to_owned(),
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
        let until = read_to
            .and_then(|from| freshness::allowed_until(self.config, &source.key, self.filter, from));
        let age = read_to.map_or(TimeDelta::zero(), |from| self.upstream_now - from);
        let is_stale = until.is_some_and(|until| self.upstream_now > until);
        let summary = match (is_stale, source.covered_to) {
            (false, Some(to)) => format!("complete to {}", time(to)),
            (false, None) => "no longer monitored".to_owned(),
            (true, to) => format!(
                "{} ({} ago; allowed until {}); {}",
                to.map_or_else(
                    || "never read completely since it is followed".to_owned(),
                    |to| format!("last complete up to {}", time(to))
                ),
                rounded(age),
                until.map_or_else(String::new, time),
                source.last_error.as_ref().map_or_else(
                    || "no run failed, see `advisoryd status`".to_owned(),
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
}

fn not_recognised(source: &SourceState) -> Finding {
    let condition = Condition::StructureNotRecognised;
    let evidence = RunFailure::says(source.last_failure, condition);
    let summary = match evidence {
        Evidence::For => format!(
            "{}; `advisoryd inspect FILE` shows how a saved document is parsed, [feeds.aliases] maps unknown names",
            error(source)
        ),
        Evidence::Against | Evidence::None | Evidence::Gone => "a run completed".to_owned(),
    };
    Finding {
        evidence,
        ..of_source(source, condition, false, (1, summary))
    }
}

fn quarantine(source: &SourceState) -> Finding {
    let records = source.quarantined;
    let summary = match records {
        0 => "all records are parsed".to_owned(),
        _ => format!("{records} in quarantine; see `advisoryd quarantine list`"),
    };
    of_source(
        source,
        Condition::QuarantineGrew,
        records > 0,
        (records, summary),
    )
}

/// Active for a day, so that it is notified once.
fn unknown_fields(source: &SourceState) -> Finding {
    let count = i64::try_from(source.unknown_fields.len()).unwrap_or(i64::MAX);
    let summary = match count {
        0 => "no unknown field was received for a day".to_owned(),
        _ => format!(
            "received for the first time: {}; no column is read from it, see advisoryd_v1.unknown_fields; [feeds.aliases] maps it to a field",
            shortened(&source.unknown_fields.join(", "), ERROR_CHARS)
        ),
    };
    of_source(source, Condition::UnknownField, count > 0, (count, summary))
}

fn coverage_gap(source: &SourceState) -> Finding {
    let gaps = source.gaps;
    let summary = match gaps {
        0 => "the gaps are closed".to_owned(),
        _ => format!(
            "{} in the covered time; the next runs request what is within [feeds] max_days again, see `advisoryd status`",
            counted(gaps, "gap")
        ),
    };
    of_source(source, Condition::CoverageHole, gaps > 0, (gaps, summary))
}

fn removals(source: &SourceState) -> Finding {
    let (missing, summary) = match source.doubt {
        None => (0, "the result of a full pull was accepted".to_owned()),
        Some(MissingMembers {
            since,
            missing,
            known,
        }) => (
            missing,
            format!(
                "full pulls since {} lack {missing} of {known} members; all stay members until a full pull 12 hours later confirms it; if they were removed on purpose, run `advisoryd sync feeds --full --accept-removals`",
                time(since)
            ),
        ),
    };
    let condition = Condition::RemovalsUnconfirmed;
    of_source(source, condition, missing > 0, (missing, summary))
}

fn failing(sink: &SinkState) -> Finding {
    let failures = sink.failures;
    let (evidence, summary) = match failures {
        0 => (Evidence::Against, "a message was delivered".to_owned()),
        SINK_FAILURES.. => (
            Evidence::For,
            format!(
                "{failures} consecutive attempts failed since {}: {}; messages wait until they become dead letters; test the sink with `advisoryd alerts test {}`",
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

/// Key of the conditions of a sink.
pub(crate) fn sink_key(name: &str) -> String {
    format!("sink {name}")
}

fn no_longer_followed(state: &ConditionState) -> Finding {
    Finding {
        condition: state.condition,
        key: state.key.clone(),
        evidence: Evidence::Gone,
        value: 0,
        summary: "no longer in the configuration".to_owned(),
    }
}
