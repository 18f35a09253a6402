//! Evaluates changes: every rule looks at every change once, in their order, and
//! what matches is raised in the transaction that moves on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};

use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{
    Alert, ChangeKind, Clause, Matcher, Purpose, Rule, Silence, Subject, Verdict, alert_id,
    alert_of,
};
use crate::store::alerts::alert::{self, Former};
use crate::store::alerts::evaluation::{self, Found};
use crate::store::alerts::raised::Raised;
use crate::store::alerts::rule::{self, Current};
use crate::store::alerts::silence;
use crate::store::alerts::subject::{self, Span};

/// Changes of one transaction: enough to make its commit cheap, few enough that
/// a second daemon does not wait long.
const BATCH: i64 = 2000;
/// Alerts after which a transaction ends early: many rules that match all of
/// many changes would fill the memory.
const MOST_RAISED: usize = 5000;

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

    /// A rule as the database has it, which is how every daemon on it evaluates,
    /// also one whose configuration is older. `None` when only a newer program
    /// understands it.
    pub(crate) fn matcher(&self, current: &Current) -> Option<Cow<'a, Matcher>> {
        let definition = current.definition.as_ref()?;
        let ours = self.matchers.iter().find(|one| one.rule() == definition);
        match ours {
            Some(ours) => Some(Cow::Borrowed(ours)),
            None => Matcher::new(definition.clone()).ok().map(Cow::Owned),
        }
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
        // The place is given back at once, not when the connection is next used.
        transaction.rollback().await?;
        return Ok(None);
    }
    let now = context.clock.now();
    let Some(looking) = Looking::begin(&mut transaction, rules, now).await? else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let span = Span {
        after: evaluated,
        to,
        key: None,
        products: looking.wants_products(),
    };
    let subjects = if looking.pairs.is_empty() {
        Vec::new()
    } else {
        subject::of_span(&mut transaction, span).await?
    };
    let former = former(&mut transaction, &subjects).await?;
    let looked = looking.look(&subjects, former);
    let to = looked.stopped_at.unwrap_or(to);
    evaluation::record(&mut transaction, &looked.found, to, now).await?;
    let raised = alert::raise(&mut transaction, looked.raised, now).await?;
    transaction.commit().await?;
    Ok(Some(Evaluated {
        changes: u64::try_from(to - evaluated).unwrap_or(0),
        raised,
        baseline: looked.baseline,
    }))
}

/// What was told before of the advisories that are withdrawn in a batch.
type Told = HashMap<(String, String), Former>;

async fn former(connection: &mut PgConnection, subjects: &[Subject]) -> Result<Told, sqlx::Error> {
    let over = subjects
        .iter()
        .filter(|subject| subject.what == ChangeKind::Rejected);
    let keys: Vec<String> = over.map(|subject| subject.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Told::new());
    }
    alert::former(connection, &keys).await
}

/// Rules, as they stand in the database, and silences at one moment.
struct Looking<'a> {
    rules: &'a Rules<'a>,
    pairs: Vec<(Cow<'a, Matcher>, Current)>,
    silences: Vec<Silence>,
}

/// What was found of the changes of a batch.
#[derive(Default)]
struct Looked {
    found: Vec<Found>,
    raised: Vec<Raised>,
    baseline: BTreeMap<String, u64>,
    /// The last change that was looked at, if that is not the last of the batch.
    stopped_at: Option<i64>,
}

impl<'a> Looking<'a> {
    /// `None` when there is a rule that only a newer program understands: that
    /// one evaluates.
    async fn begin(
        connection: &mut PgConnection,
        rules: &'a Rules<'a>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut pairs = Vec::new();
        for current in rule::current(connection).await? {
            let Some(matcher) = rules.matcher(&current) else {
                let name = &current.name;
                warn!(rule.name = %name, "rule `{name}` was written by a newer program, which is left to evaluate the changes");
                return Ok(None);
            };
            pairs.push((matcher, current));
        }
        Ok(Some(Self {
            rules,
            pairs,
            silences: silence::active(connection, now).await?,
        }))
    }

    fn wants_products(&self) -> bool {
        let mut pairs = self.pairs.iter();
        pairs.any(|(matcher, _)| matcher.asks_for(Clause::Product))
    }

    fn look(&self, subjects: &[Subject], mut told: Told) -> Looked {
        let mut looked = Looked::default();
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
                    *looked.baseline.entry(current.name.clone()).or_default() += 1;
                }
                if let Some(raised) = self.raise(matcher, subject, verdict, &told) {
                    remember(&mut told, &raised);
                    looked.raised.push(raised);
                }
            }
            looked.found.push(Found { seq, verdicts });
            if looked.raised.len() >= MOST_RAISED {
                looked.stopped_at = Some(seq);
                break;
            }
        }
        looked
    }

    fn judge(&self, matcher: &Matcher, subject: &Subject) -> Verdict {
        match matcher.judge(subject) {
            Verdict::Baseline if self.rules.backlog => Verdict::Matched,
            verdict => verdict,
        }
    }

    /// What is told of a verdict. An advisory that is withdrawn ends what was told
    /// of it where alerts are kept, whether the rule asks for it or not.
    fn raise(
        &self,
        matcher: &Matcher,
        subject: &Subject,
        verdict: Verdict,
        told: &Told,
    ) -> Option<Raised> {
        let rule = matcher.rule();
        let is_over = subject.what == ChangeKind::Rejected;
        let former = if is_over {
            let fact = (rule.name.clone(), subject.key.clone());
            told.get(&fact).cloned().unwrap_or_default()
        } else {
            Former::default()
        };
        let mut sinks = rule.sinks.clone();
        if verdict != Verdict::Matched {
            let kept =
                |sink: &String| self.rules.resolving.contains(sink) && former.sinks.contains(sink);
            sinks.retain(kept);
            if !is_over || sinks.is_empty() {
                return None;
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
        Some(raised)
    }
}

/// What is told in this batch of an advisory ends with its withdrawal in the same.
fn remember(told: &mut Told, raised: &Raised) {
    if raised.alert.resolved || !raised.is_sent() {
        return;
    }
    let fact = (raised.rule.clone(), raised.alert.key.clone());
    let former = told.entry(fact).or_default();
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

/// What is raised of a subject, silenced where a silence fits.
pub(crate) fn raised_of(
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
