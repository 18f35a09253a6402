//! Heartbeat of `[alerts.heartbeat]` (dead man's switch): a regular message with the
//! freshness of the data and the active conditions. If it stops, the receiver can alarm.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::debug;
use uuid::Uuid;

use super::finding::time;
use crate::config::Heartbeat;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{
    Alert, ConditionState, MessagePurpose, OWN_RULE, SourceKey, counted, heartbeat_id, label_of,
};
use crate::store::alerts::alert;
use crate::store::alerts::evaluation;
use crate::store::alerts::raised::Raised;
use crate::store::health::{condition, heartbeat};

/// Active conditions named in the message; the rest is only counted.
const MAX_NAMED: usize = 5;

/// What to do about the very first heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// At a tick: it is sent.
    IsSent,
    /// At a start: it is skipped, because none was missed.
    IsPassedOver,
}

/// Sends the most recent due heartbeat, unless it was sent already; returns whether it
/// did. Of several missed heartbeats only the last is sent: the content of the others
/// would be outdated. It replaces undelivered older heartbeats, and silences do not
/// apply to it.
pub async fn beat(context: &Context, first: First) -> Result<bool, Failure> {
    let Some(settings) = &context.config.alerts.heartbeat else {
        return Ok(false);
    };
    let now = context.clock.now();
    let zone = context.config.schedule.timezone;
    let Some(scheduled_at) = settings.schedule.last_until(now, zone) else {
        return Ok(false);
    };
    let mut transaction = context.pool.begin().await?;
    evaluation::wait_and_lock(&mut transaction).await?;
    let last = heartbeat::last(&mut transaction).await?;
    if last.is_some_and(|last| last >= scheduled_at) {
        return Ok(false);
    }
    heartbeat::seen_to(&mut transaction, scheduled_at, now).await?;
    let is_sent = last.is_some() || first == First::IsSent;
    if is_sent {
        let raised = raise(&mut transaction, settings, scheduled_at).await?;
        alert::raise(&mut transaction, vec![raised], now).await?;
    }
    transaction.commit().await?;
    debug!(%scheduled_at, is_sent, "the heartbeat of {scheduled_at} is done");
    Ok(is_sent)
}

async fn raise(
    connection: &mut PgConnection,
    settings: &Heartbeat,
    scheduled_at: DateTime<Utc>,
) -> Result<Raised, sqlx::Error> {
    let id: Uuid = heartbeat_id(scheduled_at);
    let problems = problems(connection).await?;
    let alert = Alert {
        id: id.to_string(),
        what: "heartbeat".to_owned(),
        kind: OWN_RULE.to_owned(),
        key: "heartbeat".to_owned(),
        at: scheduled_at,
        title: match problems.len() {
            0 => "no problems".to_owned(),
            several => counted(several, "problem"),
        },
        summary: format!(
            "{}{}",
            complete(connection, scheduled_at).await?,
            named(&problems)
        ),
        ..Alert::default()
    };
    Ok(Raised {
        id,
        rule: OWN_RULE.to_owned(),
        purpose: MessagePurpose::Heartbeat,
        seq: None,
        through: None,
        alert,
        is_shadow: false,
        silences: Vec::new(),
        sinks: settings.sinks.clone(),
        group: TimeDelta::zero(),
        held_by: None,
    })
}

async fn problems(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let states = condition::states(connection).await?;
    Ok(states
        .into_iter()
        .filter(ConditionState::is_found)
        .map(|state| {
            let (what, key) = (state.condition.name(), label_of(&state.key));
            format!("{what} ({key}) since {}", time(state.since))
        })
        .collect())
}

/// The time up to which all followed sources are complete, and the newest advisory.
/// Details are fetched one by one, so there is no such time for them.
async fn complete(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<String, sqlx::Error> {
    let mut sources = condition::sources(connection, now).await?;
    sources.retain(|source| source.key != SourceKey::Details);
    let never = sources.iter().find(|source| source.covered_to.is_none());
    let oldest = sources.iter().filter_map(|source| source.covered_to).min();
    let complete = match (never, oldest) {
        (Some(never), _) => format!("{} was never read completely", never.key),
        (None, Some(to)) => {
            let to = to.to_rfc3339_opts(SecondsFormat::Secs, true);
            format!("complete to {to}")
        }
        (None, None) => "nothing is followed".to_owned(),
    };
    Ok(match heartbeat::newest_advisory(connection).await? {
        Some(said) => format!("{complete}, newest {said}"),
        None => format!("{complete}, no advisory yet"),
    })
}

fn named(problems: &[String]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = problems
        .iter()
        .take(MAX_NAMED)
        .map(String::as_str)
        .collect();
    let mut text = format!("; {}", named.join("; "));
    if problems.len() > MAX_NAMED {
        let more = format!("; and {} more", problems.len() - MAX_NAMED);
        text.push_str(&more);
    }
    text
}
