//! Explains why an alert was or was not sent: one of a fixed set of explanations
//! ([`RuleAnswer`]) for each change and rule.

mod answer;
mod judged;
mod lists;
mod words;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

pub use answer::RuleAnswer;

use judged::{falsehood, judge};
use lists::{by_alert, names};

use super::by_clock::kind_of_alert;
use super::try_one::{by_clock, clock_kind};
use super::would::WouldAlert;
use crate::model::words::{self as of_rules, JudgedValue};
use crate::model::{Clause, Matcher, RecordKind, RecordReceipt, Subject, Verdict, alert_id};
use crate::store::alerts::by_clock as clock;
use crate::store::alerts::evaluation;
use crate::store::alerts::outcome::{self, AlertOutcome};
use crate::store::alerts::rule::{self, Definition};
use crate::store::alerts::subject::{self, ChangeSpan};

/// The explanation for one change and one rule.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedChange {
    /// The change; `None` for what is not stored, and for alerts without a change.
    pub seq: Option<i64>,
    /// When advisoryd read it.
    pub at: Option<DateTime<Utc>>,
    /// What happened; `None` for what is not stored.
    pub what: Option<String>,
    /// The version that it created.
    pub version: Option<i32>,
    /// The rule.
    pub rule: String,
    /// The machine-readable name of the explanation.
    pub answer: &'static str,
    /// The explanation, for people.
    pub text: String,
    /// Whether the rule would match, whatever the baseline says; `None` for what is not
    /// stored.
    pub would_match: Option<bool>,
    /// The alert, where there is one.
    pub alert_id: Option<Uuid>,
}

/// Explains every change of an advisory or ticket for every current rule, or for the
/// rule `only`, then what its receipt adds: records in quarantine, pending details.
pub async fn explain(
    connection: &mut PgConnection,
    key: &str,
    only: Option<&str>,
    (receipt, now): (&RecordReceipt, DateTime<Utc>),
) -> Result<Vec<ExplainedChange>, sqlx::Error> {
    let definitions = rule::all(connection).await?;
    let current = names(&definitions, only);
    let last = subject::last_seq(connection).await?;
    let words: Vec<String> = definitions
        .iter()
        .filter_map(|one| Matcher::new(one.rule.clone()).ok())
        .flat_map(|matcher| matcher.words())
        .collect();
    let span = ChangeSpan {
        after: 0,
        to: last,
        key: Some(key),
        products: true,
        words: &words,
        as_of: None,
    };
    let subjects = subject::of_span(connection, span).await?;
    let history = History::of(connection, key, definitions).await?;
    let former = history.former(&current, only);
    let names: Vec<String> = current.iter().chain(&former).cloned().collect();
    let mut all = history.of_changes(&subjects, &names, &current);
    let kind = subjects.first().map_or(RecordKind::Advisory, Subject::kind);
    if !subjects.is_empty() {
        let found = clock::found_of(connection, key).await?;
        for name in &names {
            all.extend(history.found_by_clock(name, &found));
            if current.contains(name) {
                let says = history.clock_says(connection, name, (kind, key), now);
                all.extend(says.await?);
            }
        }
    }
    let backlog: Vec<ExplainedChange> = history.without_change(&subjects, &names).collect();
    // The baseline was sent after all.
    all.retain(|one| !is_baseline_of(one, &backlog));
    all.extend(backlog);
    for (at, answer) in not_stored(receipt, subjects.is_empty()) {
        all.extend(current.iter().map(|name| without_event(name, at, &answer)));
    }
    for one in all.iter_mut().filter(|one| former.contains(&one.rule)) {
        one.text = format!("{}; the rule is not configured any more", one.text);
    }
    Ok(all)
}

/// Whether it says of one of these alerts that it belongs to the baseline.
fn is_baseline_of(explained: &ExplainedChange, sent: &[ExplainedChange]) -> bool {
    let event = |one: &ExplainedChange| (one.rule.clone(), one.version, one.what.clone());
    matches!(explained.answer, "baseline" | "before_rule")
        && sent.iter().any(|one| event(one) == event(explained))
}

/// What is known of what is not stored.
fn not_stored(
    receipt: &RecordReceipt,
    is_without_change: bool,
) -> Vec<(Option<DateTime<Utc>>, RuleAnswer)> {
    let records = receipt.quarantined.iter();
    let mut answers: Vec<_> = records
        .map(|record| (Some(record.at), RuleAnswer::Quarantined(record.clone())))
        .collect();
    let entry = receipt.pending.clone();
    answers.extend(entry.map(|entry| (Some(entry.since), RuleAnswer::Pending(entry))));
    if answers.is_empty() && is_without_change {
        let answer = match receipt.sentences().pop() {
            Some(reason) => RuleAnswer::NotStored(reason),
            None => RuleAnswer::NotFollowed,
        };
        answers.push((None, answer));
    }
    answers
}

fn without_event(rule: &str, at: Option<DateTime<Utc>>, answer: &RuleAnswer) -> ExplainedChange {
    ExplainedChange {
        seq: None,
        at,
        what: None,
        version: None,
        rule: rule.to_owned(),
        answer: words::name(answer),
        text: words::text(answer),
        would_match: None,
        alert_id: None,
    }
}

/// An alert that the clock raised: rule, kind of alert, when, and its id.
type Found = (String, String, DateTime<Utc>, Uuid);

/// What the database contains about a key.
struct History {
    evaluated: i64,
    verdicts: HashMap<(i64, i32), Verdict>,
    /// What some of them were made with, in words.
    values: HashMap<(i64, i32), JudgedValue>,
    outcomes: HashMap<Uuid, Vec<AlertOutcome>>,
    definitions: Vec<Definition>,
}

impl History {
    async fn of(
        connection: &mut PgConnection,
        key: &str,
        definitions: Vec<Definition>,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self {
            evaluated: evaluation::evaluated(connection).await?,
            verdicts: evaluation::of_key(connection, key).await?,
            values: evaluation::values_of_key(connection, key).await?,
            outcomes: by_alert(outcome::of_key(connection, key).await?),
            definitions,
        })
    }

    /// The names of rules that have alerts and are not configured any more.
    fn former(&self, current: &[String], only: Option<&str>) -> Vec<String> {
        let mut names: Vec<String> = self
            .outcomes
            .values()
            .flatten()
            .map(|one| one.rule.clone())
            .filter(|name| !current.contains(name) && only.is_none_or(|only| only == name))
            // advisoryd's own conditions have no rule.
            .filter(|name| self.newest(name).is_some_and(|one| !one.is_current))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Every change for every rule. Of a rule that is gone, only what it has raised is of
    /// interest; one that is evaluated by the clock does not see changes.
    fn of_changes(
        &self,
        subjects: &[Subject],
        names: &[String],
        current: &[String],
    ) -> Vec<ExplainedChange> {
        let mut all = Vec::new();
        for subject in subjects {
            for name in names.iter().filter(|name| !self.is_by_clock(name)) {
                let explained = self.explain(subject, name);
                if explained.alert_id.is_some() || current.contains(name) {
                    all.push(explained);
                }
            }
        }
        all
    }

    fn explain(&self, subject: &Subject, name: &str) -> ExplainedChange {
        let rule = self.definition(subject, name).map(|one| &one.rule);
        let seen = rule.map(|rule| rule.seen(subject));
        let id = alert_id(name, seen.as_deref().unwrap_or(subject));
        let answer = self.answer(subject, name, id);
        let what = subject.what.name();
        let would = rule.and_then(|rule| WouldAlert::of_rule(rule, subject));
        let would = would.unwrap_or(WouldAlert::NotAsked { what });
        let would_match = match &answer {
            RuleAnswer::Raised(_) | RuleAnswer::NoLongerKept | RuleAnswer::Reported => true,
            // What it is compared with may be another now.
            RuleAnswer::ClauseFalse { .. } | RuleAnswer::ValueMissing { .. } => false,
            _ => would.is_match(),
        };
        let mut text = words::text(&answer);
        if answer.is_without_verdict() {
            text = format!("{text}; the rule {}", would.sentence());
        }
        ExplainedChange {
            seq: subject.seq,
            at: Some(subject.at),
            what: Some(what.to_owned()),
            version: Some(subject.version),
            rule: name.to_owned(),
            answer: words::name(&answer),
            text,
            would_match: Some(would_match),
            alert_id: matches!(answer, RuleAnswer::Raised(_)).then_some(id),
        }
    }

    fn answer(&self, subject: &Subject, name: &str, id: Uuid) -> RuleAnswer {
        let seq = subject.seq.unwrap_or_default();
        let outcomes = self.outcomes.get(&id);
        // An event that happens again without a new version has the id of the first alert.
        let is_own = |one: &AlertOutcome| one.seq.is_none() || one.seq == subject.seq;
        let is_raised = |all: &[AlertOutcome]| subject.seq.is_none() || all.iter().any(is_own);
        if let Some(own) = outcomes.filter(|all| is_raised(all)) {
            return RuleAnswer::Raised(own.clone());
        }
        if seq > self.evaluated {
            return RuleAnswer::NotEvaluated;
        }
        let Some(definition) = self.in_force(name, seq) else {
            return RuleAnswer::BeforeRule;
        };
        let found = self.verdicts.get(&(seq, definition.id)).copied();
        let rule = &definition.rule;
        let verdict = found.unwrap_or_else(|| judge(rule, subject));
        let judged = self.values.get(&(seq, definition.id));
        match verdict {
            Verdict::Matched if outcomes.is_some() => RuleAnswer::Reported,
            Verdict::Matched => RuleAnswer::NoLongerKept,
            Verdict::NotAsked => RuleAnswer::NotAsked {
                what: subject.what.name(),
            },
            Verdict::NotFollowed => RuleAnswer::NotFollowed,
            Verdict::Reported => RuleAnswer::Reported,
            Verdict::Baseline => RuleAnswer::Baseline {
                list: subject.through,
            },
            Verdict::False(clause) => {
                let (required, actual) = falsehood(rule, subject, (clause, judged));
                RuleAnswer::ClauseFalse {
                    clause,
                    required,
                    actual,
                }
            }
            Verdict::Missing(clause) => RuleAnswer::ValueMissing {
                clause,
                actual: (clause == Clause::Where).then(|| {
                    let judged = judged.map(|judged| judged.actual.clone());
                    judged.unwrap_or_else(|| of_rules::actual_value(&rule.clauses, subject, clause))
                }),
            },
        }
    }

    /// The definition in force at the change, or else the present one.
    fn definition(&self, subject: &Subject, name: &str) -> Option<&Definition> {
        let seq = subject.seq.unwrap_or_default();
        self.in_force(name, seq).or_else(|| self.newest(name))
    }

    fn newest(&self, name: &str) -> Option<&Definition> {
        let mut all = self.definitions.iter();
        all.rfind(|one| one.rule.name == name)
    }

    fn is_by_clock(&self, name: &str) -> bool {
        let newest = self.newest(name);
        newest.is_some_and(|one| !one.rule.clock.is_empty())
    }

    /// The alerts that the clock raised: overdue, reminders.
    fn found_by_clock<'a>(
        &'a self,
        name: &'a str,
        found: &'a [Found],
    ) -> impl Iterator<Item = ExplainedChange> + 'a {
        let of_rule = found.iter().filter(move |(rule, ..)| rule == name);
        of_rule.map(|(rule, what, at, id)| {
            let (answer, what) = if let Some(outcomes) = self.outcomes.get(id) {
                (RuleAnswer::Raised(outcomes.clone()), what.as_str())
            } else {
                let newest = self.newest(rule);
                let what = newest.map_or(what.as_str(), |one| kind_of_alert(&one.rule).name());
                (RuleAnswer::NoLongerKept, what)
            };
            ExplainedChange {
                seq: None,
                at: Some(*at),
                what: Some(what.to_owned()),
                version: None,
                rule: rule.clone(),
                answer: words::name(&answer),
                text: words::text(&answer),
                would_match: Some(true),
                alert_id: Some(*id),
            }
        })
    }

    /// What a rule that is evaluated by the clock says now.
    async fn clock_says(
        &self,
        connection: &mut PgConnection,
        name: &str,
        (kind, key): (RecordKind, &str),
        now: DateTime<Utc>,
    ) -> Result<Option<ExplainedChange>, sqlx::Error> {
        let matcher = self.newest(name).map(|one| Matcher::new(one.rule.clone()));
        let Some(Ok(matcher)) = matcher else {
            return Ok(None);
        };
        let would = by_clock(connection, &matcher, (kind, key), now).await?;
        Ok(would.map(|would| ExplainedChange {
            seq: None,
            at: Some(now),
            what: Some(clock_kind(&matcher).name().to_owned()),
            version: None,
            rule: name.to_owned(),
            answer: "by_clock",
            text: format!("evaluated by the clock: the rule {}", would.sentence()),
            would_match: Some(would.is_match()),
            alert_id: None,
        }))
    }

    /// The definition in force at this change: the newest that began before it and was
    /// not replaced yet.
    fn in_force(&self, name: &str, seq: i64) -> Option<&Definition> {
        self.definitions
            .iter()
            .rfind(|one| one.rule.name == name && one.after_seq < seq)
            .filter(|one| one.until_seq.is_none_or(|until| seq <= until))
    }

    /// Alerts that `--alert-backlog` created, without a change.
    fn without_change<'a>(
        &'a self,
        subjects: &'a [Subject],
        names: &'a [String],
    ) -> impl Iterator<Item = ExplainedChange> + 'a {
        let stored = subjects.last().into_iter().flat_map(|last| {
            (1..=last.version).map(|version| Subject {
                what: crate::model::ChangeKind::Appeared,
                through: None,
                seq: None,
                version,
                ..last.clone()
            })
        });
        stored.flat_map(move |subject| {
            names.iter().filter_map(move |name| {
                let known = |one: &Subject| alert_id(name, one) == alert_id(name, &subject);
                let id = alert_id(name, &subject);
                let is_new = self.outcomes.contains_key(&id) && !subjects.iter().any(known);
                is_new.then(|| self.explain(&subject, name))
            })
        })
    }
}
