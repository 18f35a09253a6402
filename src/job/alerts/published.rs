//! Replay of the stored advisories by publication date: what a rule would have sent if it
//! had been there. It works on a new installation, where all that is stored is baseline.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::baseline::{PAGE, selects_new_ones};
use super::evaluate::raised_of;
use super::line::BackTestAlert;
use super::unknown::Unknown;
use crate::model::{
    LinkTemplates, MESSAGE_VERSION, Matcher, Message, MessagePurpose, Subject, Verdict, alert_of,
};
use crate::store::alerts::details;
use crate::store::alerts::subject::{self, StoredPage};

/// What a rule would have sent about the stored advisories.
#[derive(Debug, Clone, Serialize)]
pub struct PublishedSample {
    /// How many of the advisories that were published since then match, each as if it had
    /// just appeared with its present content.
    pub alerts: usize,
    /// How many of them match only because a value is unknown.
    pub unknown: Unknown,
    /// Length of that time in days.
    pub days: i64,
    /// Alerts a week.
    pub per_week: f64,
    /// The day with most alerts (UTC).
    pub biggest_day: Option<NaiveDate>,
    /// Alerts on that day.
    pub biggest: usize,
    /// The message about the newest one.
    pub sample: Option<Message>,
    /// The alerts, in order of publication.
    #[serde(skip)]
    pub(super) lines: Vec<BackTestAlert>,
}

/// Replays what was published since then; `None` for a rule that does not ask for new
/// advisories.
pub async fn published(
    connection: &mut PgConnection,
    matcher: &Matcher,
    (since, now): (DateTime<Utc>, DateTime<Utc>),
    links: &LinkTemplates,
) -> Result<Option<PublishedSample>, sqlx::Error> {
    if !selects_new_ones(matcher) {
        return Ok(None);
    }
    let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    let mut newest: Option<(DateTime<Utc>, Subject)> = None;
    let mut summaries = Vec::new();
    let mut unknown = Unknown::default();
    let existing_at = subject::last_seq(connection).await?;
    let words = matcher.words();
    let mut after = String::new();
    loop {
        let page = StoredPage {
            after: &after,
            limit: PAGE,
            existing_at,
            words: &words,
            only: None,
        };
        let subjects = subject::stored(connection, page).await?;
        let Some(last) = subjects.last() else { break };
        after.clone_from(&last.key);
        for subject in subjects {
            let released_at = subject.advisory.as_ref().and_then(|one| one.released_at);
            let Some(at) = released_at.filter(|at| (since..=now).contains(at)) else {
                continue;
            };
            if !subject.is_followed || matcher.clauses(&subject) != Verdict::Matched {
                continue;
            }
            *days.entry(at.date_naive()).or_default() += 1;
            unknown.add(&matcher.unknown_values(&subject));
            let alert = alert_of(&matcher.rule().name, &subject);
            summaries.push(BackTestAlert::of(subject.kind(), None, at, alert));
            if newest.as_ref().is_none_or(|(newest, _)| at > *newest) {
                newest = Some((at, subject));
            }
        }
    }
    let sample = match newest {
        Some((at, subject)) => sample(connection, matcher, &subject, (at, links)).await?,
        None => None,
    };
    summaries.sort_by_key(|line| line.at);
    let length = (now - since).num_days().max(1);
    Ok(Some(PublishedSample {
        lines: summaries,
        unknown,
        ..summed(&days, length, sample)
    }))
}

fn summed(
    days: &BTreeMap<NaiveDate, usize>,
    length: i64,
    sample: Option<Message>,
) -> PublishedSample {
    let alerts = days.values().sum();
    let biggest = days.iter().max_by_key(|(_, count)| **count);
    let as_float = |number: usize| u32::try_from(number).map_or(f64::INFINITY, f64::from);
    let weeks = i32::try_from(length).map_or(f64::INFINITY, f64::from) / 7.0;
    PublishedSample {
        alerts,
        unknown: Unknown::default(),
        days: length,
        per_week: as_float(alerts) / weeks,
        biggest_day: biggest.map(|(day, _)| *day),
        biggest: biggest.map_or(0, |(_, count)| *count),
        sample,
        lines: Vec::new(),
    }
}

pub(super) async fn sample(
    connection: &mut PgConnection,
    matcher: &Matcher,
    subject: &Subject,
    (at, links): (DateTime<Utc>, &LinkTemplates),
) -> Result<Option<Message>, sqlx::Error> {
    let rule = matcher.rule();
    let raised = raised_of(rule, subject, alert_of(&rule.name, subject), &[]);
    let raised = details::complete(connection, vec![raised], links).await?;
    Ok(raised.into_iter().next().map(|raised| {
        let alerts = vec![raised.alert];
        Message {
            schema: MESSAGE_VERSION,
            id: raised.id.to_string(),
            purpose: MessagePurpose::Alert,
            at,
            rule: rule.name.clone(),
            title: Message::title_of(&rule.name, &alerts),
            alerts,
        }
    }))
}
