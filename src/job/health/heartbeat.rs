//! The sign of life of `[alerts.heartbeat]`: what is complete to when, and
//! whether all is quiet, so that silence is an alarm at the receiver.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::debug;
use uuid::Uuid;

use super::findings::time;
use crate::config::Heartbeat;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{Alert, OWN_RULE, Purpose, SourceKey, heartbeat_id};
use crate::store::alerts::alert;
use crate::store::alerts::evaluation;
use crate::store::alerts::raised::Raised;
use crate::store::health::{condition, heartbeat};

/// What is wrong that is named before the rest is counted.
const NAMED: usize = 5;

/// Whether a heartbeat that nobody ever saw to is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// A tick has come: yes.
    IsSent,
    /// At a start: there was none to miss.
    IsPassedOver,
}

/// Sends the heartbeat whose time came last, unless somebody has; whether it did.
/// Of several times that nobody saw to, only the last is: what there was to say
/// at the others is no longer true. Heartbeats that wait for a receiver are given up by
/// then, and no silence holds one back.
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
    debug!(%scheduled_at, is_sent, "the heartbeat of {scheduled_at} is seen to");
    Ok(is_sent)
}

async fn raise(
    connection: &mut PgConnection,
    settings: &Heartbeat,
    scheduled_at: DateTime<Utc>,
) -> Result<Raised, sqlx::Error> {
    let id: Uuid = heartbeat_id(scheduled_at);
    let wrong = wrong(connection).await?;
    let alert = Alert {
        id: id.to_string(),
        what: "heartbeat".to_owned(),
        kind: OWN_RULE.to_owned(),
        key: "heartbeat".to_owned(),
        at: scheduled_at,
        title: match wrong.len() {
            0 => "all quiet".to_owned(),
            1 => "not all is well: 1 condition holds".to_owned(),
            several => format!("not all is well: {several} conditions hold"),
        },
        summary: format!("{}{}", complete(connection).await?, named(&wrong)),
        ..Alert::default()
    };
    Ok(Raised {
        id,
        rule: OWN_RULE.to_owned(),
        purpose: Purpose::Heartbeat,
        seq: None,
        through: None,
        alert,
        is_shadow: false,
        silence_id: None,
        sinks: settings.sinks.clone(),
        group: TimeDelta::zero(),
    })
}

async fn wrong(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let standings = condition::standings(connection).await?;
    Ok(standings
        .into_iter()
        .filter(|standing| standing.is_raised)
        .map(|standing| {
            let (what, key) = (standing.condition.name(), &standing.key);
            format!("{what} ({key}) since {}", time(standing.since))
        })
        .collect())
}

/// To when everything that is followed is complete, and the newest advisory. Details
/// are wanted one by one: there is no time to which they are complete.
async fn complete(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let mut sources = condition::sources(connection).await?;
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

fn named(wrong: &[String]) -> String {
    if wrong.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = wrong.iter().take(NAMED).map(String::as_str).collect();
    let mut text = format!("; {}", named.join("; "));
    if wrong.len() > NAMED {
        let more = format!("; and {} more", wrong.len() - NAMED);
        text.push_str(&more);
    }
    text
}
