//! Dry run of rules against stored history: what they would have sent, and how it would
//! have been grouped. Writes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::arrivals::Arrivals;
use super::published::Published;
use crate::model::{Matcher, Subject, Verdict, alert_of};
use crate::store::alerts::subject::{self, Span};

/// Changes per query.
const PAGE: i64 = 5000;

/// The result of one rule.
#[derive(Debug, Clone, Serialize)]
pub struct BackTest {
    /// Its name.
    pub rule: String,
    /// The messages that it would have sent, in order.
    pub messages: Vec<Would>,
    /// The number of changes by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// The same for what is stored, by publication date; `None` if it was not asked for.
    pub published: Option<Published>,
    #[serde(skip)]
    arrivals: Arrivals,
}

/// One message that would have been sent.
#[derive(Debug, Clone, Serialize)]
pub struct Would {
    /// When it would have been sent.
    pub at: DateTime<Utc>,
    /// Its alerts.
    pub alerts: Vec<Line>,
}

/// One alert of it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The change.
    pub seq: i64,
    /// When advisoryd read it.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: String,
    /// The advisory or ticket.
    pub key: String,
    /// Title at that time.
    pub title: String,
    /// One sentence.
    pub summary: String,
}

/// Evaluates rules for the changes since that time. First loads are a baseline here too.
pub async fn back_test(
    connection: &mut PgConnection,
    matchers: &[&Matcher],
    since: DateTime<Utc>,
) -> Result<Vec<BackTest>, sqlx::Error> {
    let mut tried: Vec<BackTest> = matchers.iter().map(|one| BackTest::of(one)).collect();
    let last = subject::last_seq(connection).await?;
    let mut after = subject::first_since(connection, since).await? - 1;
    let words: Vec<String> = matchers.iter().flat_map(|one| one.words()).collect();
    while after < last {
        let span = Span {
            after,
            to: last.min(after + PAGE),
            key: None,
            products: matchers.iter().any(|one| one.needs_products()),
            words: &words,
        };
        for subject in subject::of_span(connection, span).await? {
            for (matcher, tried) in matchers.iter().zip(&mut tried) {
                tried.evaluate(matcher, &subject);
            }
        }
        after = span.to;
    }
    Ok(tried)
}

impl BackTest {
    fn of(matcher: &Matcher) -> Self {
        Self {
            rule: matcher.rule().name.clone(),
            messages: Vec::new(),
            verdicts: BTreeMap::new(),
            published: None,
            arrivals: Arrivals::default(),
        }
    }

    /// How many alerts there would have been.
    pub fn alerts(&self) -> usize {
        self.messages.iter().map(|one| one.alerts.len()).sum()
    }

    fn evaluate(&mut self, matcher: &Matcher, subject: &Subject) {
        let verdict = self
            .arrivals
            .settle(matcher.judge(subject), matcher, subject);
        *self.verdicts.entry(verdict_name(verdict)).or_default() += 1;
        if verdict != Verdict::Matched {
            return;
        }
        let rule = matcher.rule();
        let group = TimeDelta::seconds(i64::try_from(rule.group_seconds).unwrap_or(0));
        let alert = alert_of(&rule.name, subject);
        let line = Line {
            seq: subject.seq.unwrap_or_default(),
            at: subject.at,
            what: alert.what,
            key: alert.key,
            title: alert.title,
            summary: alert.summary,
        };
        match self.messages.last_mut() {
            Some(open) if group > TimeDelta::zero() && open.at > subject.at => {
                open.alerts.push(line);
            }
            _ => self.messages.push(Would {
                at: subject.at + group,
                alerts: vec![line],
            }),
        }
    }
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
