//! Rule evaluation: every rule sees every change exactly once and in order. Alerts are
//! created in the same transaction that advances the position.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};
use uuid::Uuid;

use super::arrivals::Arrivals;
use super::joint::{add_verdict, found_nothing, judge_event};
pub use super::rules::RuleSet;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{
    Alert, ChangeKind, Matcher, MessagePurpose, Rule, Silence, Subject, Verdict, alert_id,
    alert_of, counted,
};
use crate::store::alerts::alert::{self, EarlierAlerts};
use crate::store::alerts::evaluation::{self, ChangeVerdicts};
use crate::store::alerts::raised::Raised;
use crate::store::alerts::rule::{self, Current};
use crate::store::alerts::silence;
use crate::store::alerts::subject::{self, ChangeSpan};
use crate::store::alerts::{arrival, details};
use crate::store::database;

/// Changes per transaction: enough to make its commit cheap, few enough that a second
/// daemon does not wait long.
const BATCH: i64 = 2000;
/// Alerts after which a transaction ends early; bounds memory when many rules match
/// many changes.
const MAX_ALERTS: usize = 5000;

/// The result of evaluating changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvaluatedChanges {
    /// Changes evaluated.
    pub changes: u64,
    /// Alerts created, including silenced ones and those of shadow rules.
    pub raised: u64,
    /// Matches in first loads, which create no alerts, by rule.
    pub baseline: BTreeMap<String, u64>,
}

/// Evaluates all changes that were not evaluated yet. Does nothing while another process
/// is evaluating.
pub async fn evaluate(context: &Context, rules: &RuleSet<'_>) -> Result<EvaluatedChanges, Failure> {
    let mut all = EvaluatedChanges::default();
    while !context.stop.is_cancelled() {
        let Some(batch) = evaluate_batch(context, rules).await? else {
            break;
        };
        all.changes += batch.changes;
        all.raised += batch.raised;
        for (rule, matches) in batch.baseline {
            *all.baseline.entry(rule).or_default() += matches;
        }
    }
    log_result(&all);
    Ok(all)
}

fn log_result(all: &EvaluatedChanges) {
    for (rule, matches) in &all.baseline {
        info!(
            rule.name = %rule, matches,
            "rule `{rule}`: {} matched in a first load; that is the baseline, no alerts sent (use --alert-backlog to send)",
            counted(matches, "record")
        );
    }
    if all.raised > 0 {
        crate::measures::raised(all.raised);
        info!(
            alerts = all.raised,
            "{} created",
            counted(all.raised, "alert")
        );
    }
}

/// One batch in one transaction; `None` if there is none, or another process evaluates.
async fn evaluate_batch(
    context: &Context,
    rules: &RuleSet<'_>,
) -> Result<Option<EvaluatedChanges>, Failure> {
    let mut transaction = database::begin(&context.pool).await?;
    let Some(evaluated) = evaluation::lock(&mut transaction).await? else {
        return Ok(None);
    };
    let last = subject::last_seq(&mut transaction).await?;
    let to = subject::end_of_event(&mut transaction, last.min(evaluated + BATCH)).await?;
    if to <= evaluated {
        // Releases the lock at once, not when the connection is next used.
        transaction.rollback().await?;
        return Ok(None);
    }
    let now = context.clock.now();
    let Some(evaluator) = Evaluator::begin(&mut transaction, rules, now).await? else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let words = evaluator.words();
    let span = ChangeSpan {
        after: evaluated,
        to,
        key: None,
        products: evaluator.wants_products(),
        words: &words,
        as_of: None,
    };
    let subjects = if evaluator.pairs.is_empty() {
        Vec::new()
    } else {
        subject::of_span(&mut transaction, span).await?
    };
    let former = former(&mut transaction, &subjects).await?;
    let arrivals = arrivals(&mut transaction, &subjects).await?;
    let result = evaluator.evaluate(&subjects, former, arrivals);
    let to = result.stopped_at.unwrap_or(to);
    evaluation::record(&mut transaction, &result.found, to, now).await?;
    arrival::add_lists(&mut transaction, &result.further_lists).await?;
    let raised = details::complete(&mut transaction, result.raised, &rules.links).await?;
    let raised = alert::raise(&mut transaction, raised, now).await?;
    transaction.commit().await?;
    Ok(Some(EvaluatedChanges {
        changes: u64::try_from(to - evaluated).unwrap_or(0),
        raised,
        baseline: result.baseline,
    }))
}

/// Former alerts of the advisories that are withdrawn or reinstated in a batch, by rule and key.
type FormerAlerts = HashMap<(String, String), EarlierAlerts>;

async fn former(
    connection: &mut PgConnection,
    subjects: &[Subject],
) -> Result<FormerAlerts, sqlx::Error> {
    let changed = subjects
        .iter()
        .filter(|subject| matches!(subject.what, ChangeKind::Rejected | ChangeKind::Reinstated));
    let keys: Vec<String> = changed.map(|subject| subject.key.clone()).collect();
    if keys.is_empty() {
        return Ok(FormerAlerts::new());
    }
    alert::former(connection, &keys).await
}

/// The alerts that reported the advisories that join a list in a batch.
async fn arrivals(
    connection: &mut PgConnection,
    subjects: &[Subject],
) -> Result<Arrivals, sqlx::Error> {
    let joined = subjects
        .iter()
        .filter(|subject| subject.what == ChangeKind::JoinedWatchList || subject.is_new_in_source);
    let keys: Vec<String> = joined.map(|subject| subject.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Arrivals::default());
    }
    arrival::of_keys(connection, &keys).await.map(Arrivals::of)
}

/// The rules as stored in the database, and the silences at one moment.
struct Evaluator<'a> {
    rules: &'a RuleSet<'a>,
    pairs: Vec<(Cow<'a, Matcher>, Current)>,
    silences: Vec<Silence>,
    now: DateTime<Utc>,
}

/// The result of a batch.
#[derive(Default)]
struct BatchResult {
    found: Vec<ChangeVerdicts>,
    raised: Vec<Raised>,
    baseline: BTreeMap<String, u64>,
    /// Alerts of former batches, and the lists that their advisories have joined since.
    further_lists: Vec<(Uuid, i64)>,
    /// The last evaluated change, if it is not the last of the batch.
    stopped_at: Option<i64>,
}

impl<'a> Evaluator<'a> {
    /// `None` if there is a rule that only a newer version of advisoryd can read; that
    /// version then evaluates.
    async fn begin(
        connection: &mut PgConnection,
        rules: &'a RuleSet<'a>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut pairs = Vec::new();
        for current in rule::current(connection).await? {
            let Some(matcher) = rules.matcher(&current) else {
                let name = &current.name;
                warn!(rule.name = %name, "rule `{name}` was stored by a newer version of advisoryd; that version evaluates the changes");
                return Ok(None);
            };
            pairs.push((matcher, current));
        }
        Ok(Some(Self {
            rules,
            pairs,
            silences: silence::active(connection, now).await?,
            now,
        }))
    }

    fn wants_products(&self) -> bool {
        let mut pairs = self.pairs.iter();
        pairs.any(|(matcher, _)| matcher.needs_products())
            || self.silences.iter().any(Silence::names_products)
    }

    fn words(&self) -> Vec<String> {
        let pairs = self.pairs.iter();
        pairs.flat_map(|(matcher, _)| matcher.words()).collect()
    }

    fn evaluate(
        &self,
        subjects: &[Subject],
        mut former_alerts: FormerAlerts,
        mut arrivals: Arrivals,
    ) -> BatchResult {
        let mut result = BatchResult::default();
        for event in subjects.chunk_by(Subject::is_same_event) {
            self.evaluate_event(event, (&mut former_alerts, &mut arrivals), &mut result);
            if result.raised.len() >= MAX_ALERTS {
                result.stopped_at = event.last().and_then(|subject| subject.seq);
                break;
            }
        }
        result.further_lists = arrivals.add_to(&mut result.raised);
        result
    }

    /// Evaluates what happened to an advisory or ticket at once.
    fn evaluate_event(
        &self,
        event: &[Subject],
        (former_alerts, arrivals): (&mut FormerAlerts, &mut Arrivals),
        result: &mut BatchResult,
    ) {
        let mut found: Vec<ChangeVerdicts> = event.iter().map(found_nothing).collect();
        for (matcher, current) in &self.pairs {
            let judge = |subject: &Subject| {
                let is_seen = subject.seq.unwrap_or_default() > current.after_seq;
                is_seen.then(|| self.judge(matcher, subject))
            };
            let raise = |subject: &Subject, verdict: Verdict| {
                let raised = self.raise(matcher, subject, verdict, former_alerts)?;
                add_former(former_alerts, &raised);
                Some(raised)
            };
            let judged = judge_event((matcher, event), arrivals, judge, raise);
            let raised = judged.raised.into_iter().map(|(_, raised)| raised);
            result.raised.extend(raised);
            for (place, verdict) in judged.verdicts {
                if verdict == Verdict::Baseline {
                    *result.baseline.entry(current.name.clone()).or_default() += 1;
                }
                if let (Some(found), Some(subject)) = (found.get_mut(place), event.get(place)) {
                    add_verdict(found, (current.id, &**matcher), subject, verdict);
                }
            }
        }
        result.found.extend(found);
    }

    fn judge(&self, matcher: &Matcher, subject: &Subject) -> Verdict {
        match matcher.judge(subject) {
            Verdict::Baseline if self.rules.backlog => Verdict::Matched,
            verdict => verdict,
        }
    }

    /// The alert for a verdict. Sinks that keep alerts are told that an advisory was withdrawn
    /// or reinstated if they got an earlier alert of the rule, whether the rule selects that
    /// event or not. A silence holds back no withdrawal: what it resolves would stay open.
    fn raise(
        &self,
        matcher: &Matcher,
        subject: &Subject,
        verdict: Verdict,
        former_alerts: &FormerAlerts,
    ) -> Option<Raised> {
        let rule = matcher.rule();
        let is_withdrawn = subject.what == ChangeKind::Rejected;
        let former = if is_withdrawn || subject.what == ChangeKind::Reinstated {
            let key = (rule.name.clone(), subject.key.clone());
            former_alerts.get(&key).cloned().unwrap_or_default()
        } else {
            EarlierAlerts::default()
        };
        let mut kept = rule.sinks.clone();
        kept.retain(|sink| self.rules.resolving.contains(sink) && former.sinks.contains(sink));
        let is_reinstated = || reinstates(matcher, subject, verdict);
        if verdict != Verdict::Matched && (kept.is_empty() || !is_withdrawn && !is_reinstated()) {
            return None;
        }
        let seen = rule.seen(subject);
        let mut alert = alert_of(&rule.name, &seen);
        if is_withdrawn {
            alert.raised_severities = former.severities;
        }
        let mut raised = raised_of(rule, &seen, alert, &self.silences);
        self.rules.timing(self.now).delay(rule, &mut raised);
        let is_resolving = is_withdrawn && !raised.silences.is_empty() && !kept.is_empty();
        if verdict != Verdict::Matched || is_resolving {
            // It goes to fewer sinks than the other alerts of its group.
            raised.sinks = kept;
            raised.group = TimeDelta::zero();
            raised.held_by = None;
        }
        if is_resolving {
            raised.silences.clear();
        }
        Some(raised)
    }
}

/// Whether a rule that does not select reinstatements matches an advisory that was reinstated.
/// What is evaluated by the clock becomes due again by itself.
fn reinstates(matcher: &Matcher, subject: &Subject, verdict: Verdict) -> bool {
    subject.what == ChangeKind::Reinstated
        && verdict == Verdict::NotAsked
        && matcher.rule().clock.is_empty()
        && subject.is_followed
        && matcher.clauses(subject) == Verdict::Matched
}

/// Adds an alert of this batch, so that a withdrawal in the same batch resolves it.
fn add_former(former_alerts: &mut FormerAlerts, raised: &Raised) {
    if raised.alert.resolved || !raised.is_sent() {
        return;
    }
    let rule_and_key = (raised.rule.clone(), raised.alert.key.clone());
    let former = former_alerts.entry(rule_and_key).or_default();
    let severity = raised.alert.severity.clone().unwrap_or_default();
    if !former.severities.contains(&severity) {
        former.severities.push(severity);
    }
    for sink in &raised.sinks {
        if !former.sinks.contains(sink) {
            former.sinks.push(sink.clone());
        }
    }
}

/// The alert for a subject; it is silenced if a silence matches.
pub(crate) fn raised_of(
    rule: &Rule,
    subject: &Subject,
    alert: Alert,
    silences: &[Silence],
) -> Raised {
    Raised {
        id: alert_id(&rule.name, subject),
        rule: rule.name.clone(),
        purpose: MessagePurpose::Alert,
        seq: subject.seq,
        through: subject.through,
        silences: Silence::matching(silences, &rule.name, &alert, subject),
        // Only now: a silence may name any of its CVEs.
        alert: alert.bounded(),
        is_shadow: rule.shadow,
        sinks: rule.sinks.clone(),
        group: TimeDelta::seconds(i64::try_from(rule.group_seconds).unwrap_or(0)),
        held_by: None,
    }
}
