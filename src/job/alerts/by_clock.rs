//! Rules that are evaluated by the clock: what has not happened for some time. An evaluation
//! that comes late finds the same, once.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::clock_baseline::{Baseline, RuleProgress};
use super::evaluate::RuleSet;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{
    Alert, ClockKind, Matcher, MessagePurpose, Overdue, RecordKind, Rule, Silence, Subject,
    Verdict, counted,
};
use crate::store::alerts::by_clock::{self, CandidateFilter};
use crate::store::alerts::raised::Raised;
use crate::store::alerts::subject::{self, ChangeSpan, StoredPage};
use crate::store::alerts::unacknowledged;
use crate::store::alerts::{alert, clock_baseline, details, evaluation, rule, silence};
use crate::store::database;

/// Candidates per transaction.
const PAGE: i64 = 500;

/// Evaluates the rules with clauses about time; returns the number of alerts.
pub async fn evaluate(context: &Context, rules: &RuleSet<'_>) -> Result<u64, Failure> {
    evaluate_some(context, rules, |_| true).await
}

/// The same for rules that are new or were changed, before anything else is stored: what is
/// overdue now is their baseline.
pub(crate) async fn take_baselines(context: &Context, rules: &RuleSet<'_>) -> Result<u64, Failure> {
    evaluate_some(context, rules, RuleProgress::is_new).await
}

async fn evaluate_some(
    context: &Context,
    rules: &RuleSet<'_>,
    is_wanted: impl Fn(&RuleProgress) -> bool,
) -> Result<u64, Failure> {
    let mut connection = context.pool.acquire().await?;
    let current = rule::current(&mut connection).await?;
    let mut timed = Vec::new();
    for one in &current {
        let Some(matcher) = rules.matcher(one) else {
            continue;
        };
        if !is_timed(matcher.rule()) {
            continue;
        }
        let progress = RuleProgress::of(&mut connection, one).await?;
        if let Some(progress) = progress.filter(&is_wanted) {
            timed.push((matcher, progress));
        }
    }
    drop(connection);
    let mut raised = 0;
    for (matcher, progress) in timed {
        let page = Page {
            context,
            rules,
            matcher: &matcher,
            progress,
        };
        raised += page.evaluate_all().await?;
    }
    if raised > 0 {
        crate::measures::raised(raised);
        tracing::info!(
            alerts = raised,
            "{} created by rules that are evaluated by the clock",
            counted(raised, "alert")
        );
    }
    Ok(raised)
}

/// Whether a rule has something to evaluate by the clock.
pub fn is_timed(rule: &Rule) -> bool {
    !rule.clock.is_empty() || rule.repeat_seconds > 0
}

/// The kind of the alerts of such a rule.
pub(super) fn kind_of_alert(rule: &Rule) -> ClockKind {
    if rule.clock.is_empty() {
        ClockKind::Reminder
    } else {
        rule.clock.kind()
    }
}

/// What is overdue for a rule, and whether these are advisories or tickets.
pub(super) async fn candidates(
    connection: &mut PgConnection,
    rule: &Rule,
    asked: CandidateFilter<'_>,
) -> Result<(RecordKind, Vec<Overdue>), sqlx::Error> {
    if let Some(open_for) = rule.clock.ticket_open_for {
        let found = by_clock::tickets(connection, open_for, asked).await?;
        return Ok((RecordKind::Ticket, found));
    }
    let repeat = i64::try_from(rule.repeat_seconds).unwrap_or(i64::MAX);
    let unacknowledged = match rule.clock.unacknowledged_for {
        Some(seconds) => Some((seconds, false)),
        None => rule.clock.is_empty().then_some((repeat, true)),
    };
    if let Some((seconds, reminders)) = unacknowledged {
        let found = unacknowledged::unacknowledged(connection, seconds, reminders, asked);
        return Ok((RecordKind::Advisory, found.await?));
    }
    let (without, unsolved) = (rule.clock.without_ticket_for, rule.clock.no_solution_for);
    let found = by_clock::advisories(connection, without, unsolved, asked).await?;
    Ok((RecordKind::Advisory, found))
}

/// The candidates with their present content: whether they contain `words`, and their
/// products if those are compared.
pub(super) async fn subjects(
    connection: &mut PgConnection,
    (words, products): (Vec<String>, bool),
    (kind, overdue): (RecordKind, &[Overdue]),
    now: DateTime<Utc>,
) -> Result<Vec<Subject>, sqlx::Error> {
    let keys: Vec<String> = overdue.iter().map(|one| one.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut subjects = Vec::new();
    if kind == RecordKind::Advisory {
        let page = StoredPage {
            after: "",
            limit: i64::try_from(keys.len()).unwrap_or(PAGE),
            existing_at: i64::MAX,
            words: &words,
            only: Some(&keys),
        };
        subjects = subject::stored(connection, page).await?;
    } else {
        for seq in by_clock::last_changes(connection, &keys).await? {
            let span = ChangeSpan {
                after: seq - 1,
                to: seq,
                key: None,
                products,
                words: &words,
                as_of: Some(now),
            };
            subjects.extend(subject::of_span(connection, span).await?);
        }
    }
    for subject in &mut subjects {
        subject.at = now;
        subject.seq = None;
        subject.through = None;
    }
    Ok(subjects)
}

/// A page of candidates of a rule.
struct Page<'a> {
    context: &'a Context,
    rules: &'a RuleSet<'a>,
    matcher: &'a Matcher,
    progress: RuleProgress,
}

impl Page<'_> {
    /// Evaluates page after page; returns the number of alerts.
    async fn evaluate_all(&self) -> Result<u64, Failure> {
        let mut raised = 0;
        let mut after_key = String::new();
        while !self.context.stop.is_cancelled() {
            let (alerts, last) = self.evaluate(&after_key).await?;
            raised += alerts;
            let Some(last) = last else {
                let mut transaction = database::begin(&self.context.pool).await?;
                let rule = &self.matcher.rule().name;
                clock_baseline::record(&mut transaction, rule, self.progress.present).await?;
                transaction.commit().await?;
                break;
            };
            after_key = last;
        }
        Ok(raised)
    }

    /// Evaluates the page after a key in one transaction; returns the number of alerts and
    /// the last key, if there may be more.
    async fn evaluate(&self, after_key: &str) -> Result<(u64, Option<String>), Failure> {
        let now = self.context.clock.now();
        let mut transaction = database::begin(&self.context.pool).await?;
        evaluation::wait_and_lock(&mut transaction).await?;
        let asked = CandidateFilter {
            rule: &self.matcher.rule().name,
            after: self.progress.after(),
            changed_after: self.progress.changed_after(self.matcher),
            now,
            after_key,
            limit: PAGE,
            only: None,
            also_found: false,
        };
        let rule = self.matcher.rule();
        let (kind, overdue) = candidates(&mut transaction, rule, asked).await?;
        let full = i64::try_from(overdue.len()).is_ok_and(|length| length >= PAGE);
        let last = overdue.last().map(|one| one.key.clone()).filter(|_| full);
        let silences = silence::active(&mut transaction, now).await?;
        let products =
            self.matcher.needs_products() || silences.iter().any(Silence::names_products);
        let wanted = (self.matcher.words(), products);
        let subjects = subjects(&mut transaction, wanted, (kind, &overdue), now).await?;
        let candidates = (kind, &overdue[..]);
        let mut baseline =
            Baseline::of(&mut transaction, &rule.name, candidates, &self.progress).await?;
        let mut raised = Vec::new();
        let mut found = Vec::new();
        for subject in &subjects {
            let Some(overdue) = overdue.iter().find(|one| one.key == subject.key) else {
                continue;
            };
            let matches = subject.is_followed && self.matcher.clauses(subject) == Verdict::Matched;
            if baseline.has(overdue, subject, matches) || !matches {
                continue;
            }
            let one = self.raise(overdue, subject, &silences, now);
            found.push((overdue.key.clone(), overdue.since, one.id));
            raised.push(one);
        }
        baseline.write(&mut transaction, &rule.name, kind).await?;
        by_clock::found(&mut transaction, &rule.name, kind, &found, now).await?;
        let raised = details::complete(&mut transaction, raised, &self.rules.links).await?;
        let created = alert::raise(&mut transaction, raised, now).await?;
        transaction.commit().await?;
        Ok((created, last))
    }

    fn raise(
        &self,
        overdue: &Overdue,
        subject: &Subject,
        silences: &[Silence],
        now: DateTime<Utc>,
    ) -> Raised {
        let rule = self.matcher.rule();
        let kind = kind_of_alert(rule);
        let alert: Alert = overdue.alert(&rule.name, kind, subject);
        let id: Uuid = overdue.alert_id(&rule.name, kind);
        let mut raised = Raised {
            id,
            rule: rule.name.clone(),
            purpose: MessagePurpose::Alert,
            seq: None,
            through: None,
            silences: Silence::matching(silences, &rule.name, &alert, subject),
            alert: alert.bounded(),
            is_shadow: rule.shadow,
            sinks: rule.sinks.clone(),
            group: TimeDelta::seconds(i64::try_from(rule.group_seconds).unwrap_or(0)),
            held_by: None,
        };
        self.rules.timing(now).delay(rule, &mut raised);
        raised
    }
}
