//! Dry run of rules for one advisory or ticket with its present content.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::by_clock::{candidates, is_timed, kind_of_alert, subjects};
use super::clock_baseline::{Baseline, RuleProgress};
use super::not_due;
use super::published::sample;
use super::would::{Quiet, WouldAlert};
use crate::model::{
    Alert, ChangeKind, ClockKind, LinkTemplates, Matcher, Message, Overdue, RecordKind, Silence,
    Subject, alert_of,
};
use crate::store::alerts::by_clock::CandidateFilter;
use crate::store::alerts::clock_baseline;
use crate::store::alerts::rule::{self, Current};
use crate::store::alerts::silence;
use crate::store::alerts::subject::{self, StoredPage};

/// Whether a rule would create an alert.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// Name of the rule.
    pub rule: String,
    /// Whether it would.
    pub would_match: bool,
    /// The same as a sentence without its subject.
    pub text: String,
    /// The values whose lack lets it match: clauses and fields.
    pub unknown: Vec<&'static str>,
    /// The active silences that would hold the alert back.
    pub silenced_by: Vec<i64>,
    /// The message that it would send.
    pub sample: Option<Message>,
}

/// Tries rules with the present content of an advisory; `None` if it is not stored.
pub async fn try_advisory(
    connection: &mut PgConnection,
    matchers: &[&Matcher],
    said: &str,
    (links, now): (&LinkTemplates, DateTime<Utc>),
) -> Result<Option<Vec<Tried>>, sqlx::Error> {
    let words: Vec<String> = matchers.iter().flat_map(|one| one.words()).collect();
    let page = StoredPage {
        after: "",
        limit: 1,
        existing_at: i64::MAX,
        words: &words,
        only: Some(&[said.to_owned()]),
    };
    let Some(subject) = subject::stored(connection, page).await?.into_iter().next() else {
        return Ok(None);
    };
    let silences = silence::active(connection, now).await?;
    let mut all = Vec::new();
    for matcher in matchers {
        let rule = matcher.rule();
        let would = if rule.clock.is_empty() {
            of_stored(matcher, &subject)
        } else {
            match by_clock(connection, matcher, (RecordKind::Advisory, said), now).await? {
                Some(would) => would,
                None => WouldAlert::NotAsked { what: "advisory" },
            }
        };
        let is_new = would == WouldAlert::Match;
        let sample = if is_new {
            sample(connection, matcher, &subject, (now, links)).await?
        } else {
            None
        };
        let (mut unknown, mut held_by) = (Vec::new(), Vec::new());
        if would.is_match() {
            unknown = matcher.unknown_values(&subject);
            let alert = alert(matcher, &subject);
            let holding = silences
                .iter()
                .filter(|one| one.fits_subject(&rule.name, &alert, &subject));
            held_by = holding.collect();
        }
        all.push(Tried {
            rule: rule.name.clone(),
            would_match: would.is_match(),
            text: format!("{}{}", would.sentence(), silenced(&held_by)),
            unknown,
            silenced_by: held_by.iter().map(|one| one.id).collect(),
            sample,
        });
    }
    Ok(Some(all))
}

/// The alert that silences are compared with.
fn alert(matcher: &Matcher, subject: &Subject) -> Alert {
    let rule = matcher.rule();
    let what = if rule.clock.is_empty() {
        subject.what.name()
    } else {
        kind_of_alert(rule).name()
    };
    Alert {
        what: what.to_owned(),
        ..alert_of(&rule.name, subject)
    }
}

/// The end of the sentence about a rule: which silences hold its alert back.
fn silenced(silences: &[&Silence]) -> String {
    let named = silences.iter().map(|silence| {
        let until = silence.until.format("%Y-%m-%d %H:%M:%S UTC");
        format!("#{} until {until}", silence.id)
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return String::new();
    }
    format!("; silenced by {}", named.join(" and "))
}

/// As if it had just appeared; a rule that does not ask for new advisories waits for another
/// event.
fn of_stored(matcher: &Matcher, subject: &Subject) -> WouldAlert {
    let on = &matcher.rule().on;
    let asks =
        |kind: &ChangeKind| matches!(kind, ChangeKind::Appeared | ChangeKind::JoinedWatchList);
    match WouldAlert::of_clauses(matcher, subject) {
        WouldAlert::Match if !on.iter().any(asks) => WouldAlert::MatchAt {
            on: on.iter().map(|kind| kind.name()).collect(),
        },
        would => would,
    }
}

/// Whether a rule that is evaluated by the clock would create an alert now; `None` if it is
/// not about such records, or not evaluated by the clock.
pub(super) async fn by_clock(
    connection: &mut PgConnection,
    matcher: &Matcher,
    (kind, key): (RecordKind, &str),
    now: DateTime<Utc>,
) -> Result<Option<WouldAlert>, sqlx::Error> {
    let rule = matcher.rule();
    let of_tickets = rule.clock.ticket_open_for.is_some();
    if !is_timed(rule) || of_tickets != (kind == RecordKind::Ticket) {
        return Ok(None);
    }
    let described = if rule.clock.is_empty() {
        "`repeat`".to_owned()
    } else {
        rule.clock.described().join(" and ")
    };
    let asked = CandidateFilter {
        only: Some(key),
        ..CandidateFilter::again(&rule.name, (DateTime::UNIX_EPOCH, now))
    };
    let (kind, overdue) = candidates(connection, rule, asked).await?;
    let Some(one) = overdue.first() else {
        let why = not_due::why(connection, rule, key, now).await?;
        let clauses = described;
        return Ok(Some(WouldAlert::NotDue { clauses, why }));
    };
    let wanted = (matcher.words(), matcher.needs_products());
    let subjects = subjects(connection, wanted, (kind, &overdue), now).await?;
    let Some(subject) = subjects.first() else {
        return Ok(Some(WouldAlert::NotFollowed));
    };
    Ok(Some(match WouldAlert::of_clauses(matcher, subject) {
        WouldAlert::Match => WouldAlert::MatchByClock {
            clause: described,
            since: one.since,
            quiet: quiet(connection, matcher, (kind, one), subject).await?,
        },
        would => would,
    }))
}

/// Why the stored rule of this name sends nothing for what is overdue.
async fn quiet(
    connection: &mut PgConnection,
    matcher: &Matcher,
    (kind, one): (RecordKind, &Overdue),
    subject: &Subject,
) -> Result<Option<Quiet>, sqlx::Error> {
    let name = &matcher.rule().name;
    let current = rule::current(connection).await?;
    let ours = |other: &&Current| other.definition.as_ref() == Some(matcher.rule());
    let Some(current) = current.iter().find(ours) else {
        return Ok(None);
    };
    if clock_baseline::is_sent(connection, name, (kind, one)).await? {
        return Ok(Some(Quiet::Sent));
    }
    let Some(progress) = RuleProgress::of(connection, current).await? else {
        return Ok(None);
    };
    let found = (kind, std::slice::from_ref(one));
    let mut baseline = Baseline::of(connection, name, found, &progress).await?;
    Ok(baseline.has(one, subject, true).then_some(Quiet::Baseline))
}

/// The kind of alert of a rule that is evaluated by the clock.
pub(super) fn clock_kind(matcher: &Matcher) -> ClockKind {
    kind_of_alert(matcher.rule())
}
