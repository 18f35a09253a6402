//! Why nothing is overdue for a rule that is evaluated by the clock, or when it will be.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::by_clock::candidates;
use crate::model::Rule;
use crate::store::alerts::acknowledgement;
use crate::store::alerts::by_clock::CandidateFilter;
use crate::store::alerts::unacknowledged;

/// So far ahead, everything is overdue that can be.
const FAR: TimeDelta = TimeDelta::days(100 * 365);

/// The reason, as words after the clauses of the rule.
pub(super) async fn why(
    connection: &mut PgConnection,
    rule: &Rule,
    key: &str,
    now: DateTime<Utc>,
) -> Result<String, sqlx::Error> {
    let repeat = i64::try_from(rule.repeat_seconds).unwrap_or(0);
    let reminders = rule.clock.is_empty().then_some((repeat, true));
    let escalates = rule.clock.unacknowledged_for.map(|length| (length, false));
    if let Some((length, reminders)) = escalates.or(reminders) {
        return unacknowledged(connection, (&rule.name, length, reminders), key, now).await;
    }
    let asked = CandidateFilter {
        only: Some(key),
        ..CandidateFilter::again(&rule.name, (DateTime::UNIX_EPOCH, now + FAR))
    };
    let (_, later) = candidates(connection, rule, asked).await?;
    Ok(match later.first() {
        Some(later) => passes(later.due_at, later.since),
        None if rule.clock.ticket_open_for.is_some() => {
            "does not apply: the ticket is gone".to_owned()
        }
        None if rule.clock.no_solution_for.is_none() => {
            "does not apply: it has a ticket, or is rejected".to_owned()
        }
        None if rule.clock.without_ticket_for.is_none() => {
            "does not apply: it has a solution, or is rejected".to_owned()
        }
        None => "does not apply: it has a ticket or a solution, or is rejected".to_owned(),
    })
}

async fn unacknowledged(
    connection: &mut PgConnection,
    (rule, length, reminders): (&str, i64, bool),
    said: &str,
    now: DateTime<Utc>,
) -> Result<String, sqlx::Error> {
    if let Some(ack) = acknowledgement::in_force(connection, said, now).await? {
        let until = ack.until.map_or_else(
            || "until the acknowledgement is removed".to_owned(),
            |until| format!("until {}", at(until)),
        );
        let by = &ack.by;
        return Ok(format!(
            "does not apply: acknowledged by {by} {until}; the time starts again then"
        ));
    }
    let asked = (rule, reminders);
    let since = unacknowledged::unacknowledged_since(connection, asked, said).await?;
    Ok(match since {
        None if reminders => "does not apply: the rule has sent no alert about it".to_owned(),
        None => "does not apply: no other rule has sent an alert about it".to_owned(),
        Some(since) => {
            let length = length.max(1);
            let passed = (now - since).num_seconds().max(0) / length;
            let next = TimeDelta::try_seconds((passed + 1).saturating_mul(length));
            match next.and_then(|next| since.checked_add_signed(next)) {
                Some(next) => passes(next, since),
                None => "never elapses: the time is beyond the range of dates".to_owned(),
            }
        }
    })
}

fn passes(next: DateTime<Utc>, since: DateTime<Utc>) -> String {
    format!("elapses at {} (started at {})", at(next), at(since))
}

fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
