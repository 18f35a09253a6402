//! Silences.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::model::{Alert, KnownNames, LikePattern, Silence, StoredPatterns, StoredTexts};

/// Texts that are compared with a pattern. The database finds those that may match; only letters
/// that are not ASCII are compared here, since the case of these depends on its locale.
const MAX_CANDIDATES: i64 = 1000;

/// The silences that are active at this time, the last to expire first.
pub async fn active(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, until, matchers as "matchers: Json<BTreeMap<String, String>>"
           from silence
           where until > $1
             and (expired_at is null or expired_at > $1)
           order by until desc, id"#,
        now
    )
    .fetch_all(connection)
    .await?;
    // A silence of a newer version that this one cannot parse has no effect.
    Ok(rows
        .into_iter()
        .filter_map(|row| Silence::new(row.id, row.until, &row.matchers).ok())
        .collect())
}

/// The silences that were active since then, each with its beginning.
pub(crate) async fn since(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, Silence)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, created_at, least(until, expired_at) as "until!",
                  matchers as "matchers: Json<BTreeMap<String, String>>"
           from silence
           where least(until, expired_at) > $1
           order by id"#,
        since
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let silence = Silence::new(row.id, row.until, &row.matchers).ok()?;
            Some((row.created_at, silence))
        })
        .collect())
}

/// The names of the current rules, and the ids and names of the watch lists.
pub async fn known(connection: &mut PgConnection) -> Result<KnownNames, sqlx::Error> {
    let row = sqlx::query!(
        r#"select array(select name from rule where is_current order by name) as "rules!",
                  array(select unnest(array_remove(array[id::text, name], null))
                        from advisoryd_v1.watch_lists
                        order by id) as "lists!: Vec<String>""#
    )
    .fetch_one(connection)
    .await?;
    Ok(KnownNames {
        rules: row.rules,
        watch_lists: row.lists,
        products: None,
    })
}

/// Names and CPEs of stored products: those that match the pattern, then those that contain it,
/// then any, at most so many of each.
pub async fn known_products(
    connection: &mut PgConnection,
    pattern: &LikePattern,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with called as (
               select called
               from advisoryd_v1.advisory_products
               cross join lateral unnest(array_append(cpes, name)) as called
               where called is not null)
           select called as "called!"
           from ((select distinct called from called where called ilike $1 limit $3)
                 union all (select distinct called from called where called ilike $2 limit $3)
                 union all (select called from called limit 1)) as found"#,
        pattern.whole,
        pattern.part(),
        MAX_CANDIDATES
    )
    .fetch_all(connection)
    .await
}

/// The keys, titles and CVEs that these patterns may match, at most so many of each. What is
/// not asked for is empty.
pub async fn stored_texts(
    connection: &mut PgConnection,
    patterns: &StoredPatterns,
) -> Result<StoredTexts, sqlx::Error> {
    let StoredPatterns { key, title, cve } = patterns;
    let mut texts = StoredTexts::default();
    if let Some(key) = key {
        texts.keys = keys(connection, &key.whole).await?;
    }
    if let Some(title) = title {
        texts.titles = titles(connection, &title.whole).await?;
    }
    if let Some(cve) = cve {
        texts.cves = sqlx::query_scalar!(
            r#"select cve as "cve!"
               from advisory
               cross join lateral unnest(cves) as cve
               where cve ilike $1
               limit $2"#,
            cve.whole,
            MAX_CANDIDATES
        )
        .fetch_all(connection)
        .await?;
    }
    Ok(texts)
}

async fn keys(connection: &mut PgConnection, pattern: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select key as "key!"
           from (select said as key from advisory
                 union all select id::text from ticket
                 union all select key from condition
                 union all select key from alert) as k
           where key ilike $1
           limit $2"#,
        pattern,
        MAX_CANDIDATES
    )
    .fetch_all(connection)
    .await
}

async fn titles(connection: &mut PgConnection, pattern: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select title as "title!"
           from (select title from advisory
                 union all select title from ticket
                 union all select body ->> 'title' from alert) as t
           where title ilike $1
           limit $2"#,
        pattern,
        MAX_CANDIDATES
    )
    .fetch_all(connection)
    .await
}

/// The rules and contents of the alerts since then, newest first, at most `limit`.
pub async fn past_alerts(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(String, Alert)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select rule, body as "body: Json<Alert>"
           from alert
           where raised_at >= $1
           order by raised_at desc
           limit $2"#,
        since,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.rule, row.body.0)).collect())
}

/// Adds a silence and returns its number.
pub async fn add(
    connection: &mut PgConnection,
    matchers: &BTreeMap<String, String>,
    (reason, created_by): (&str, &str),
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "insert into silence (matchers, reason, created_by, created_at, until)
         values ($1, $2, $3, $4, $5)
         returning id",
        Json(matchers) as Json<&BTreeMap<String, String>>,
        reason,
        created_by,
        now,
        until
    )
    .fetch_one(connection)
    .await
}

/// Expires a silence now; false if there is no active silence with this number.
pub async fn expire(
    connection: &mut PgConnection,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update silence
         set expired_at = $2
         where id = $1
           and until > $2
           and expired_at is null",
        id,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A silence in a list of silences.
#[derive(Debug, Clone, Serialize)]
pub struct ListedSilence {
    /// Its number.
    pub id: i64,
    /// Patterns by field.
    pub matchers: BTreeMap<String, String>,
    /// The reason.
    pub reason: String,
    /// The author.
    pub created_by: String,
    /// Start time.
    pub created_at: DateTime<Utc>,
    /// End time.
    pub until: DateTime<Utc>,
    /// Number of suppressed alerts.
    pub alerts: i64,
}

/// The silences that are active.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveSilences {
    /// Their number.
    pub active: i64,
    /// When the last of them expires.
    pub until: Option<DateTime<Utc>>,
    /// Alerts that they have suppressed.
    pub alerts: i64,
}

/// The silences that are active at this time.
pub async fn active_totals(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<ActiveSilences, sqlx::Error> {
    sqlx::query_as!(
        ActiveSilences,
        r#"with active as (
               select id, until
               from silence
               where until > $1
                 and (expired_at is null or expired_at > $1))
           select count(*) as "active!", max(until) as until,
                  (select count(*)
                   from alert a
                   where a.silence_id is not null
                     and exists (
                         select
                         from active s
                         where s.id = a.silence_id
                            or s.id = any (a.other_silences))) as "alerts!"
           from active"#,
        now
    )
    .fetch_one(connection)
    .await
}

/// All silences, the first to expire first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<ListedSilence>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id!", matchers as "matchers!: Json<BTreeMap<String, String>>",
                  reason as "reason!", created_by as "created_by!", created_at as "created_at!",
                  until as "until!", alerts as "alerts!"
           from advisoryd_v1.silences
           order by until, id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ListedSilence {
            id: row.id,
            matchers: row.matchers.0,
            reason: row.reason,
            created_by: row.created_by,
            created_at: row.created_at,
            until: row.until,
            alerts: row.alerts,
        })
        .collect())
}
