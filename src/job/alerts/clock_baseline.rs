//! What was overdue before a rule existed: nothing is sent while it goes on matching, since
//! it was known then. What comes into the rule later is news: an escalated advisory, a
//! ticket that is open again. What a changed rule matches in addition is its baseline, too.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Clause, Matcher, Overdue, RecordKind, Subject, Verdict};
use crate::store::alerts::clock_baseline::{self, Ages, Early, EvaluatedRule};
use crate::store::alerts::rule::{self, Current};
use crate::store::alerts::subject;

/// Since when a rule exists, and how far it was evaluated.
#[derive(Debug, Clone)]
pub(super) struct RuleProgress {
    ages: Ages,
    /// The last change of the last evaluation; `None` if the baseline is to be taken.
    seq: Option<i64>,
    /// Whether the rule was never evaluated.
    is_first: bool,
    /// What the rule was before, if its baseline is to be taken again.
    former: Option<Matcher>,
    /// This evaluation.
    pub present: EvaluatedRule,
}

impl RuleProgress {
    /// Of a rule; `None` if it is not stored.
    pub async fn of(
        connection: &mut PgConnection,
        rule: &Current,
    ) -> Result<Option<Self>, sqlx::Error> {
        let Some(ages) = clock_baseline::ages(connection, rule.id).await? else {
            return Ok(None);
        };
        let last = clock_baseline::evaluated(connection, &rule.name).await?;
        let seq = last.filter(|last| last.definition_id == rule.id);
        let seq = seq.map(|last| last.seq);
        let former = match ages.former_id.filter(|_| seq.is_none()) {
            Some(id) => definition(connection, id).await?,
            None => None,
        };
        Ok(Some(Self {
            ages,
            seq,
            is_first: last.is_none(),
            former,
            present: EvaluatedRule {
                definition_id: rule.id,
                seq: subject::last_seq(connection).await?,
            },
        }))
    }

    /// Whether the baseline is to be taken.
    pub fn is_new(&self) -> bool {
        self.seq.is_none()
    }

    /// What was overdue until then may belong to the baseline.
    pub fn after(&self) -> DateTime<Utc> {
        self.ages.defined_at
    }

    /// Of what was overdue until then, only what has changed after this one has to be
    /// compared again. `None`: everything, because it may match without a change.
    pub fn changed_after(&self, matcher: &Matcher) -> Option<i64> {
        let by_time = matcher.asks_for(Clause::State)
            || matcher.asks_for(Clause::Where)
            || matcher.compares_kev()
            || matcher.compares_epss();
        self.seq.filter(|_| !by_time)
    }

    /// Whether the baseline takes what matches now. What the former definition matched is
    /// none: it was reported, or will be.
    fn takes(&self, overdue: &Overdue, subject: &Subject) -> bool {
        let is_old = self.is_first && overdue.due_at <= self.ages.exists_since;
        let former = self.former.as_ref();
        let was_matched = former.is_some_and(|one| one.clauses(subject) == Verdict::Matched);
        is_old || !was_matched
    }
}

async fn definition(
    connection: &mut PgConnection,
    id: i32,
) -> Result<Option<Matcher>, sqlx::Error> {
    let mut all = rule::all(connection).await?.into_iter();
    let found = all.find(|one| one.id == id);
    Ok(found.and_then(|one| Matcher::new(one.rule).ok()))
}

/// The baseline of a rule for a page of candidates.
pub(super) struct Baseline<'a> {
    progress: &'a RuleProgress,
    early: HashMap<String, Early>,
    kept: Vec<&'a Overdue>,
    released: Vec<&'a Overdue>,
}

impl<'a> Baseline<'a> {
    pub async fn of(
        connection: &mut PgConnection,
        rule: &str,
        (kind, overdue): (RecordKind, &[Overdue]),
        progress: &'a RuleProgress,
    ) -> Result<Self, sqlx::Error> {
        let is_early = |one: &&Overdue| one.due_at <= progress.after();
        let early: Vec<&Overdue> = overdue.iter().filter(is_early).collect();
        let seq = progress.seq.unwrap_or(0);
        let found = clock_baseline::early(connection, rule, (kind, &early), seq).await?;
        Ok(Self {
            progress,
            early: found
                .into_iter()
                .map(|one| (one.key.clone(), one))
                .collect(),
            kept: Vec::new(),
            released: Vec::new(),
        })
    }

    /// Whether it belongs to the baseline. `matches` says whether the subject matches the
    /// rule now.
    pub fn has(&mut self, overdue: &'a Overdue, subject: &Subject, matches: bool) -> bool {
        if overdue.due_at > self.progress.after() {
            return false;
        }
        let early = self.early.get(&overdue.key);
        let is_kept = early.is_some_and(|early| early.is_kept);
        let is_taken = match self.progress.seq {
            None => self.progress.takes(overdue, subject),
            // What is overdue already when it is stored has come with a first load.
            Some(_) => early.is_some_and(|early| early.is_new),
        };
        match (matches, is_kept) {
            (true, false) if is_taken => self.kept.push(overdue),
            (true, false) => return false,
            (false, true) => self.released.push(overdue),
            _ => {}
        }
        true
    }

    pub async fn write(
        &self,
        transaction: &mut PgConnection,
        rule: &str,
        kind: RecordKind,
    ) -> Result<(), sqlx::Error> {
        if !self.kept.is_empty() {
            clock_baseline::keep(transaction, rule, (kind, &self.kept)).await?;
        }
        if !self.released.is_empty() {
            clock_baseline::release(transaction, rule, (kind, &self.released)).await?;
        }
        Ok(())
    }
}
