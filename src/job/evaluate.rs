//! Evaluates changes: every rule looks at every change once, in their order, and
//! what matches is raised in the transaction that moves on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::info;

use super::context::Context;
use super::failure::Failure;
use crate::model::{
    Alert, ChangeKind, Clause, Matcher, Purpose, Rule, Silence, Subject, Verdict, alert_id,
    alert_of,
};
use crate::store::alert::{self, Former, Raised};
use crate::store::evaluation::{self, Found};
use crate::store::rule::{self, Current};
use crate::store::silence;
use crate::store::subject::{self, Span};

/// Changes of one transaction: enough to make its commit cheap, few enough that
/// a second daemon does not wait long.
const BATCH: i64 = 2000;

/// What there is to evaluate with.
pub struct Rules<'a> {
    /// From the configuration.
    pub matchers: &'a [Matcher],
    /// Sinks that keep alerts until they are told that they are over.
    pub resolving: BTreeSet<String>,
    /// Whether first loads are news too.
    pub backlog: bool,
}

impl<'a> Rules<'a> {
    /// The configured ones.
    pub fn of(context: &'a Context, backlog: bool) -> Self {
        let alerts = &context.config.alerts;
        Self {
            matchers: &alerts.rules,
            resolving: alerts.resolving_sinks().map(str::to_owned).collect(),
            backlog,
        }
    }

    pub(super) fn want_products(&self) -> bool {
        self.matchers
            .iter()
            .any(|one| one.asks_for(Clause::Product))
    }
}

/// What a pass over the changes found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Changes looked at.
    pub changes: u64,
    /// Alerts raised, those of shadow rules and silenced ones included.
    pub raised: u64,
    /// What first loads would have raised, by rule.
    pub baseline: BTreeMap<String, u64>,
}

/// Evaluates all changes that were not evaluated yet. Another process that is at
/// it does the same: then there is nothing to do here.
pub async fn evaluate(context: &Context, rules: &Rules<'_>) -> Result<Evaluated, Failure> {
    let mut all = Evaluated::default();
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
    tell(&all);
    Ok(all)
}

fn tell(all: &Evaluated) {
    for (rule, matches) in &all.baseline {
        info!(
            rule.name = %rule, matches,
            "rule `{rule}`: a first load brought {matches} advisories or tickets that it would have matched; that is the baseline, and nobody is told (`--alert-backlog` would)"
        );
    }
    if all.raised > 0 {
        crate::measures::raised(all.raised);
        info!(alerts = all.raised, "{} alerts raised", all.raised);
    }
}

/// One batch in one transaction; `None` when there is none, or not for us.
async fn evaluate_batch(
    context: &Context,
    rules: &Rules<'_>,
) -> Result<Option<Evaluated>, Failure> {
    let mut transaction = context.pool.begin().await?;
    let Some(evaluated) = evaluation::lock(&mut transaction).await? else {
        return Ok(None);
    };
    let to = subject::last_seq(&mut transaction)
        .await?
        .min(evaluated + BATCH);
    if to <= evaluated {
        return Ok(None);
    }
    let now = context.clock.now();
    let looking = Looking::begin(&mut transaction, rules, now).await?;
    let span = Span {
        after: evaluated,
        to,
        key: None,
        products: rules.want_products(),
    };
    let subjects = if looking.pairs.is_empty() {
        Vec::new()
    } else {
        subject::of_span(&mut transaction, span).await?
    };
    let mut batch = Evaluated {
        changes: u64::try_from(to - evaluated).unwrap_or(0),
        ..Evaluated::default()
    };
    let (found, raised) = looking
        .look(&mut transaction, &subjects, &mut batch)
        .await?;
    evaluation::record(&mut transaction, &found, to, now).await?;
    batch.raised = alert::raise(&mut transaction, raised, now).await?;
    transaction.commit().await?;
    Ok(Some(batch))
}

/// Rules, as they stand in the database, and silences at one moment.
struct Looking<'a> {
    rules: &'a Rules<'a>,
    pairs: Vec<(&'a Matcher, Current)>,
    silences: Vec<Silence>,
}

impl<'a> Looking<'a> {
    async fn begin(
        connection: &mut PgConnection,
        rules: &'a Rules<'a>,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let mut current: HashMap<String, Current> = rule::current(connection)
            .await?
            .into_iter()
            .map(|rule| (rule.name.clone(), rule))
            .collect();
        let pair = |one: &'a Matcher| Some((one, current.remove(&one.rule().name)?));
        Ok(Self {
            rules,
            pairs: rules.matchers.iter().filter_map(pair).collect(),
            silences: silence::active(connection, now).await?,
        })
    }

    async fn look(
        &self,
        connection: &mut PgConnection,
        subjects: &[Subject],
        batch: &mut Evaluated,
    ) -> Result<(Vec<Found>, Vec<Raised>), sqlx::Error> {
        let mut found = Vec::with_capacity(subjects.len());
        let mut raised = Vec::new();
        for subject in subjects {
            let seq = subject.seq.unwrap_or_default();
            let mut verdicts = Vec::new();
            for (matcher, current) in &self.pairs {
                if seq <= current.after_seq {
                    continue;
                }
                let verdict = self.judge(matcher, subject);
                if verdict != Verdict::NotAsked {
                    verdicts.push((current.id, verdict));
                }
                if verdict == Verdict::Baseline {
                    *batch.baseline.entry(current.name.clone()).or_default() += 1;
                }
                raised.extend(self.raise(connection, matcher, subject, verdict).await?);
            }
            found.push(Found { seq, verdicts });
        }
        Ok((found, raised))
    }

    fn judge(&self, matcher: &Matcher, subject: &Subject) -> Verdict {
        match matcher.judge(subject) {
            Verdict::Baseline if self.rules.backlog => Verdict::Matched,
            verdict => verdict,
        }
    }

    /// What is told of a verdict. An advisory that is withdrawn ends what was told
    /// of it where alerts are kept, whether the rule asks for it or not.
    async fn raise(
        &self,
        connection: &mut PgConnection,
        matcher: &Matcher,
        subject: &Subject,
        verdict: Verdict,
    ) -> Result<Option<Raised>, sqlx::Error> {
        let rule = matcher.rule();
        let is_over = subject.what == ChangeKind::Rejected;
        let former = if is_over {
            alert::former(connection, &rule.name, &subject.key).await?
        } else {
            Former::default()
        };
        let mut sinks = rule.sinks.clone();
        if verdict != Verdict::Matched {
            let kept =
                |sink: &String| self.rules.resolving.contains(sink) && former.sinks.contains(sink);
            sinks.retain(kept);
            if !is_over || sinks.is_empty() {
                return Ok(None);
            }
        }
        let mut alert = alert_of(&rule.name, subject);
        alert.raised_severities = former.severities;
        let mut raised = raised_of(rule, subject, alert, &self.silences);
        raised.sinks = sinks;
        if verdict != Verdict::Matched {
            // It goes to fewer sinks than what its rule gathers.
            raised.group = TimeDelta::zero();
        }
        Ok(Some(raised))
    }
}

/// What is raised of a subject, silenced where a silence fits.
pub(super) fn raised_of(
    rule: &Rule,
    subject: &Subject,
    alert: Alert,
    silences: &[Silence],
) -> Raised {
    let silence = silences.iter().find(|one| one.fits(&rule.name, &alert));
    Raised {
        id: alert_id(&rule.name, subject),
        rule: rule.name.clone(),
        purpose: Purpose::Alert,
        seq: subject.seq,
        through: subject.through,
        silence_id: silence.map(|silence| silence.id),
        alert,
        is_shadow: rule.shadow,
        sinks: rule.sinks.clone(),
        group: TimeDelta::seconds(i64::try_from(rule.group_seconds).unwrap_or(0)),
    }
}
