//! Dry run of rules against stored history: what they would have sent, and how it would
//! have been grouped. Writes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::arrivals::Arrivals;
use super::by_clock::{self as clock, kind_of_alert};
use super::evaluate::raised_of;
use super::joint::judge_event;
use super::line::BackTestAlert;
use super::published::PublishedSample;
use super::silenced::{self, PastSilence, Silenced};
use super::timing::Timing;
use super::unknown::Unknown;
use crate::config::MuteTime;
use crate::model::{
    Alert, ClockKind, Matcher, RecordKind, Rule, Silence, Subject, Verdict, alert_of,
};
use crate::store::alerts::by_clock::CandidateFilter;
use crate::store::alerts::subject::{self, ChangeSpan};
use crate::store::alerts::unacknowledged::{self, Acknowledged};

/// Changes per query.
const PAGE: i64 = 5000;
/// Reminders of one advisory; `repeat` may be a minute.
const MAX_REMINDERS: usize = 1000;

/// The time that is replayed, and when messages would have been sent in it.
#[derive(Debug, Clone, Copy)]
pub struct BackTestPeriod<'a> {
    /// Its beginning.
    pub since: DateTime<Utc>,
    /// Its end.
    pub now: DateTime<Utc>,
    /// `[[alerts.mute_times]]`
    pub mute_times: &'a [MuteTime],
    /// Time zone of schedules.
    pub zone: Tz,
}

/// The result of one rule.
#[derive(Debug, Clone, Serialize)]
pub struct BackTest {
    /// Its name.
    pub rule: String,
    /// The messages that it would have sent, in order.
    pub messages: Vec<BackTestMessage>,
    /// The number of changes by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// How many of the alerts there are only because a value is unknown.
    pub unknown: Unknown,
    /// The active silences that match some of the alerts.
    pub silenced: Vec<Silenced>,
    /// The same for what is stored, by publication date; `None` if it was not asked for.
    pub published: Option<PublishedSample>,
    /// Its sinks; none of a rule that only records.
    #[serde(skip)]
    sinks: Vec<String>,
    /// The silences of that time.
    #[serde(skip)]
    silences: Vec<PastSilence>,
    #[serde(skip)]
    arrivals: Arrivals,
    /// Ids of the alerts so far: a change that has the id of an earlier one makes no alert.
    #[serde(skip)]
    ids: HashSet<Uuid>,
    #[serde(skip)]
    lines: Vec<BackTestAlert>,
}

/// One message that would have been sent.
#[derive(Debug, Clone, Serialize)]
pub struct BackTestMessage {
    /// When it would have been sent.
    pub at: DateTime<Utc>,
    /// Its alerts.
    pub alerts: Vec<BackTestAlert>,
}

/// Evaluates rules for the changes of that time, and by the clock. First loads are a
/// baseline here too.
pub async fn back_test(
    connection: &mut PgConnection,
    matchers: &[&Matcher],
    replay: BackTestPeriod<'_>,
) -> Result<Vec<BackTest>, sqlx::Error> {
    let silences = silenced::active(connection, replay.now).await?;
    let past = silenced::since(connection, replay.since).await?;
    let products = matchers.iter().any(|one| one.needs_products())
        || silences.iter().any(Silenced::names_products)
        || past.iter().any(PastSilence::names_products);
    let mut tried: Vec<BackTest> = matchers
        .iter()
        .map(|one| BackTest::of(one, silences.clone(), past.clone()))
        .collect();
    let last = subject::last_seq(connection).await?;
    let mut after = subject::first_since(connection, replay.since).await? - 1;
    let words: Vec<String> = matchers.iter().flat_map(|one| one.words()).collect();
    while after < last {
        let span = ChangeSpan {
            after,
            to: subject::end_of_event(connection, last.min(after + PAGE)).await?,
            key: None,
            products,
            words: &words,
            as_of: None,
        };
        let subjects = subject::of_span(connection, span).await?;
        for event in subjects.chunk_by(Subject::is_same_event) {
            for (matcher, tried) in matchers.iter().zip(&mut tried) {
                tried.evaluate(matcher, event);
            }
        }
        after = span.to;
    }
    for (matcher, tried) in matchers.iter().zip(&mut tried) {
        tried.by_clock(connection, matcher, replay).await?;
        tried.remind(connection, matcher.rule(), replay).await?;
        tried.group(matcher.rule(), replay);
        tried.silenced.retain(|one| one.alerts > 0);
    }
    Ok(tried)
}

impl<'a> BackTestPeriod<'a> {
    fn at(&self, now: DateTime<Utc>) -> Timing<'a> {
        Timing {
            mute_times: self.mute_times,
            zone: self.zone,
            now,
        }
    }
}

impl BackTest {
    fn of(matcher: &Matcher, silenced: Vec<Silenced>, past: Vec<PastSilence>) -> Self {
        Self {
            rule: matcher.rule().name.clone(),
            messages: Vec::new(),
            verdicts: BTreeMap::new(),
            unknown: Unknown::default(),
            silenced,
            published: None,
            sinks: if matcher.rule().shadow {
                Vec::new()
            } else {
                matcher.rule().sinks.clone()
            },
            silences: past,
            arrivals: Arrivals::default(),
            ids: HashSet::new(),
            lines: Vec::new(),
        }
    }

    /// Where its alerts go; `None` stands for a rule that only records them.
    pub(super) fn receivers(&self) -> Vec<Option<String>> {
        if self.sinks.is_empty() {
            return vec![None];
        }
        self.sinks.iter().cloned().map(Some).collect()
    }

    /// How many alerts there would have been.
    pub fn alerts(&self) -> usize {
        self.messages.iter().map(|one| one.alerts.len()).sum()
    }

    /// What happened to an advisory or ticket at once.
    fn evaluate(&mut self, matcher: &Matcher, event: &[Subject]) {
        let rule = matcher.rule();
        if !rule.clock.is_empty() {
            return;
        }
        let judge = |subject: &Subject| Some(matcher.judge(subject));
        let raise = |subject: &Subject, verdict: Verdict| {
            let seen = rule.seen(subject);
            let alert = alert_of(&rule.name, &seen);
            let active = silenced::at(&self.silences, subject.at);
            (verdict == Verdict::Matched).then(|| raised_of(rule, &seen, alert, &active))
        };
        let judged = judge_event((matcher, event), &mut self.arrivals, judge, raise);
        let mut verdicts = judged.verdicts;
        for (place, raised) in judged.raised {
            // An event that happens again without a new version makes no alert.
            if !self.ids.insert(raised.id) {
                if let Some((_, verdict)) = verdicts.iter_mut().find(|(one, _)| *one == place) {
                    *verdict = Verdict::Reported;
                }
                continue;
            }
            let Some(subject) = event.get(place) else {
                continue;
            };
            // With all its CVEs: a silence may name any.
            let alert = alert_of(&rule.name, &rule.seen(subject));
            self.count(matcher, subject, &alert);
            if raised.silences.is_empty() {
                let (kind, seq, at) = (subject.kind(), subject.seq, subject.at);
                self.lines
                    .push(BackTestAlert::of(kind, seq, at, raised.alert));
            }
        }
        for (_, verdict) in verdicts {
            *self.verdicts.entry(verdict_name(verdict)).or_default() += 1;
        }
    }

    /// Counts what is to be known of an alert.
    fn count(&mut self, matcher: &Matcher, subject: &Subject, alert: &Alert) {
        self.unknown.add(&matcher.unknown_values(subject));
        for silenced in &mut self.silenced {
            silenced.add(&matcher.rule().name, alert, subject);
        }
    }

    /// What became overdue in that time, with its present content.
    async fn by_clock(
        &mut self,
        connection: &mut PgConnection,
        matcher: &Matcher,
        replay: BackTestPeriod<'_>,
    ) -> Result<(), sqlx::Error> {
        let rule = matcher.rule();
        if rule.clock.is_empty() {
            return Ok(());
        }
        let mut after_key = String::new();
        loop {
            let asked = CandidateFilter {
                after_key: &after_key,
                ..CandidateFilter::again(&rule.name, (replay.since, replay.now))
            };
            let (kind, overdue) = clock::candidates(connection, rule, asked).await?;
            let Some(last) = overdue.last().map(|one| one.key.clone()) else {
                return Ok(());
            };
            let found = (kind, &overdue[..]);
            let products = matcher.needs_products()
                || self.silenced.iter().any(Silenced::names_products)
                || self.silences.iter().any(PastSilence::names_products);
            let wanted = (matcher.words(), products);
            let subjects = clock::subjects(connection, wanted, found, replay.now).await?;
            for mut subject in subjects {
                let of_key = overdue.iter().find(|one| one.key == subject.key);
                let Some(one) = of_key.filter(|_| subject.is_followed) else {
                    continue;
                };
                let verdict = matcher.clauses(&subject);
                *self.verdicts.entry(verdict_name(verdict)).or_default() += 1;
                if verdict == Verdict::Matched {
                    subject.at = one.due_at;
                    let alert = one.alert(&rule.name, kind_of_alert(rule), &subject);
                    self.count(matcher, &subject, &alert);
                    let active = silenced::at(&self.silences, one.due_at);
                    if Silence::matching(&active, &rule.name, &alert, &subject).is_empty() {
                        self.lines
                            .push(BackTestAlert::of(kind, None, one.due_at, alert));
                    }
                }
            }
            after_key = last;
        }
    }

    /// The reminders of a rule with `repeat`, while nobody takes care of the advisory.
    async fn remind(
        &mut self,
        connection: &mut PgConnection,
        rule: &Rule,
        replay: BackTestPeriod<'_>,
    ) -> Result<(), sqlx::Error> {
        let repeat = i64::try_from(rule.repeat_seconds).unwrap_or(i64::MAX);
        let Some(repeat) = TimeDelta::try_seconds(repeat).filter(|repeat| !repeat.is_zero()) else {
            return Ok(());
        };
        let mut first: BTreeMap<String, BackTestAlert> = BTreeMap::new();
        for line in &self.lines {
            if line.kind == RecordKind::Advisory && !line.resolved {
                first
                    .entry(line.key.clone())
                    .or_insert_with(|| line.clone());
            }
        }
        let keys: Vec<String> = first.keys().cloned().collect();
        let acknowledged = unacknowledged::acknowledged(connection, &keys).await?;
        let mut by_key: HashMap<String, Vec<Acknowledged>> = HashMap::new();
        for one in acknowledged {
            by_key.entry(one.said.clone()).or_default().push(one);
        }
        for (key, line) in first {
            let taken = by_key.remove(&key).unwrap_or_default();
            let open = open_periods((replay.at(line.at).sent_at(rule).0, replay.now), &taken);
            let times = open.into_iter().flat_map(|(from, to)| {
                let times =
                    std::iter::successors(Some(from + repeat), move |at| Some(*at + repeat));
                times.take_while(move |at| *at < to)
            });
            self.lines
                .extend(times.take(MAX_REMINDERS).map(|at| BackTestAlert {
                    seq: None,
                    at,
                    what: ClockKind::Reminder.name().to_owned(),
                    summary: "reminder: not acknowledged".to_owned(),
                    ..line.clone()
                }));
        }
        Ok(())
    }

    /// Puts the alerts into messages: at once, after `group`, or at the next digest, and not
    /// within a mute time.
    fn group(&mut self, rule: &Rule, replay: BackTestPeriod<'_>) {
        self.lines.sort_by_key(|line| line.at);
        for line in std::mem::take(&mut self.lines) {
            let (at, held_by) = replay.at(line.at).sent_at(rule);
            let collects = held_by.is_some() || rule.group_seconds > 0;
            match self.messages.last_mut() {
                Some(open) if collects && open.at > line.at => open.alerts.push(line),
                _ => self.messages.push(BackTestMessage {
                    at,
                    alerts: vec![line],
                }),
            }
        }
    }
}

/// The periods of a time in which an advisory is not acknowledged; each begins anew when an
/// acknowledgement has expired or was withdrawn.
fn open_periods(
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    acknowledged: &[Acknowledged],
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut open = Vec::new();
    let mut from = from;
    for one in acknowledged {
        if one.at > from {
            open.push((from, one.at.min(to)));
        }
        match one.until {
            Some(until) => from = from.max(until),
            None => return open,
        }
    }
    open.push((from, to));
    open
}

fn verdict_name(verdict: Verdict) -> String {
    match verdict {
        Verdict::Matched => "matched".to_owned(),
        Verdict::NotAsked => "event type not in `on`".to_owned(),
        Verdict::NotFollowed => "not in a followed list".to_owned(),
        Verdict::Baseline => "baseline".to_owned(),
        Verdict::Reported => "already reported".to_owned(),
        Verdict::False(clause) => format!("`{}` false", clause.name()),
        Verdict::Missing(clause) => format!("`{}` missing", clause.name()),
    }
}
