//! Alert outbox: inserting alerts and the messages that contain them. The caller
//! holds the evaluation lock (`evaluation::lock`), so there is only one writer.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::message::Gathering;
use super::raised::Raised;
use crate::model::{Alert, OWN_RULE};
use crate::store::notify::notify;

/// Notification channel.
pub const CHANNEL: &str = "advisoryd_alerts";

/// Inserts the alerts that do not exist yet, inside the caller's transaction, and
/// returns their number.
pub async fn raise(
    connection: &mut PgConnection,
    raised: Vec<Raised>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let news = unknown(connection, raised).await?;
    if news.is_empty() {
        return Ok(0);
    }
    let mut carriers: Vec<Option<Uuid>> = Vec::with_capacity(news.len());
    let mut gathering = Gathering::default();
    for raised in &news {
        carriers.push(if raised.is_sent() {
            Some(gathering.carrier(connection, raised, now).await?)
        } else {
            None
        });
    }
    gathering.write(connection, now).await?;
    insert(connection, &news, &carriers, now).await?;
    notify(connection, CHANNEL).await?;
    Ok(news.len() as u64)
}

/// The alerts that have no row yet, without duplicates.
async fn unknown(
    connection: &mut PgConnection,
    raised: Vec<Raised>,
) -> Result<Vec<Raised>, sqlx::Error> {
    let ids: Vec<Uuid> = raised.iter().map(|raised| raised.id).collect();
    let known = sqlx::query_scalar!("select id from alert where id = any($1)", &ids)
        .fetch_all(connection)
        .await?;
    let mut seen: HashSet<Uuid> = known.into_iter().collect();
    Ok(raised
        .into_iter()
        .filter(|raised| seen.insert(raised.id))
        .collect())
}

async fn insert(
    connection: &mut PgConnection,
    news: &[Raised],
    carriers: &[Option<Uuid>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Each row is sent as one JSON document instead of sixteen arrays.
    let rows: Vec<Value> = news
        .iter()
        .zip(carriers)
        .map(|(raised, carrier)| {
            let (silence, others) = match raised.silences.split_first() {
                Some((first, others)) => (Some(first), others),
                None => (None, &[][..]),
            };
            serde_json::json!({
                "id": raised.id,
                "rule": raised.rule,
                "kind": raised.alert.kind,
                "key": raised.alert.key,
                "version": raised.alert.version,
                "what": raised.alert.what,
                "watch_list_id": raised.through,
                "seq": raised.seq,
                "at": raised.alert.at,
                "is_resolved": raised.alert.resolved,
                "is_shadow": raised.is_shadow,
                "silence_id": silence,
                "other_silences": others,
                "message_id": carrier,
                "body": raised.alert,
            })
        })
        .collect();
    sqlx::query!(
        "insert into alert (id, rule, kind, key, version, what, watch_list_id, seq, at, raised_at,
                            is_resolved, is_shadow, silence_id, other_silences, message_id, body)
         select n.id, n.rule, n.kind, n.key, n.version, n.what, n.watch_list_id, n.seq, n.at, $2,
                n.is_resolved, n.is_shadow, n.silence_id, n.other_silences, n.message_id, n.body
         from unnest($1::jsonb[]) as one
         cross join lateral jsonb_to_record(one) as n (
             id uuid, rule text, kind text, key text, version integer, what text,
             watch_list_id bigint, seq bigint, at timestamptz, is_resolved boolean,
             is_shadow boolean, silence_id bigint, other_silences bigint[], message_id uuid,
             body jsonb)",
        &rows,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Severities of earlier alerts of a rule and key, and the sinks that they were
/// sent to: what a resolving alert has to resolve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierAlerts {
    /// As in `advisoryd_v1.advisories`; an empty string means unknown.
    pub severities: Vec<String>,
    /// Names of sinks.
    pub sinks: Vec<String>,
}

/// The earlier alerts of these keys, by rule and key. An object outside that is open counts
/// for the alerts that created it, which may be forgotten.
pub async fn former(
    connection: &mut PgConnection,
    keys: &[String],
) -> Result<HashMap<(String, String), EarlierAlerts>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select f.rule as "rule!", f.key as "key!",
                  array_remove(array_agg(distinct f.severity), null) as "severities!",
                  array_remove(array_agg(distinct f.sink), null) as "sinks!"
           from (
               select a.rule, a.key, coalesce(a.body ->> 'severity', '') as severity, d.sink
               from alert a
               left join delivery d on d.message_id = a.message_id
               where a.key = any($1)
                 and not a.is_resolved
               union all
               select o.rule, o.key, null, o.sink
               from remote_object o
               where o.key = any($1)
                 and not o.is_resolved) as f
           group by f.rule, f.key"#,
        keys
    )
    .fetch_all(connection)
    .await?;
    let former = rows.into_iter().map(|row| {
        let former = EarlierAlerts {
            severities: row.severities,
            sinks: row.sinks,
        };
        ((row.rule, row.key), former)
    });
    Ok(former.collect())
}

/// The sinks that the last alert was sent to which says that this condition has begun.
pub(crate) async fn last_sinks(
    connection: &mut PgConnection,
    end: &Alert,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select d.sink
         from (
             select message_id
             from alert
             where rule = $1
               and what = $2
               and key = $3
               and not is_resolved
             order by raised_at desc
             limit 1) a
         join delivery d on d.message_id = a.message_id",
        OWN_RULE,
        end.what,
        end.key
    )
    .fetch_all(connection)
    .await
}
