//! Watch-list discovery: the lists that upstream has, and the state of discovery.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use crate::model::{LeaseHolder, ListedList};
use crate::store::ledger::lease::LeaseName;
use crate::store::ledger::lock::SourceLock;

/// How long requests are stored: the daily limit counts a day and a half back.
const REQUESTS_KEPT: TimeDelta = TimeDelta::days(2);

/// State of discovery.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DiscoveryState {
    /// When it last began.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// When it last succeeded.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Error of the last one.
    pub last_error: Option<String>,
    /// When a response was first held back because too many lists were missing.
    pub doubted_at: Option<DateTime<Utc>>,
    /// The lists that were missing in that response.
    #[serde(skip)]
    pub doubted: Vec<i64>,
    /// Watch lists without an id in the last response.
    #[serde(skip)]
    pub unreadable: i64,
}

/// Locks discovery against other processes; if another one is running it, returns that.
pub async fn lock(pool: &PgPool) -> Result<Result<SourceLock, LeaseHolder>, sqlx::Error> {
    SourceLock::take_lease(pool, LeaseName::Discovery).await
}

/// State of discovery.
pub async fn state(connection: &mut PgConnection) -> Result<DiscoveryState, sqlx::Error> {
    sqlx::query_as!(
        DiscoveryState,
        "select last_attempt_at, last_success_at, last_error, doubted_at, doubted, unreadable
         from discovery"
    )
    .fetch_one(connection)
    .await
}

/// The lists of the last accepted response, by id.
pub async fn listed(connection: &mut PgConnection) -> Result<Vec<ListedList>, sqlx::Error> {
    sqlx::query_as!(
        ListedList,
        "select id, name, enabled
         from discovered_list
         where vanished_at is null
         order by id"
    )
    .fetch_all(connection)
    .await
}

/// Records that discovery begins.
pub async fn attempted(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update discovery set last_attempt_at = $1", now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Records the requests sent, and removes those that no limit counts any more.
pub async fn asked(
    connection: &mut PgConnection,
    requests: u64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into discovery_request (at, requests) values ($1, $2)",
        now,
        i64::try_from(requests).unwrap_or(i64::MAX)
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from discovery_request where at < $1",
        now - REQUESTS_KEPT
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records an error; the known lists stay.
pub async fn failed(connection: &mut PgConnection, error: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("update discovery set last_error = $1", error)
        .execute(connection)
        .await?;
    Ok(())
}

/// Records that a response without these lists is held back, since `at`.
pub async fn doubt(
    connection: &mut PgConnection,
    lost: &[i64],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update discovery set doubted_at = $1, doubted = $2",
        at,
        lost
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Accepts a response: exactly these lists exist.
pub async fn believe(
    connection: &mut PgConnection,
    listed: &[ListedList],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = listed.iter().map(|list| list.id).collect();
    let names: Vec<Option<String>> = listed.iter().map(|list| list.name.clone()).collect();
    let enabled: Vec<bool> = listed.iter().map(|list| list.enabled).collect();
    sqlx::query!(
        "insert into discovered_list (id, name, enabled, discovered_at)
         select n.id, n.name, n.enabled, $4
         from unnest($1::bigint[], $2::text[], $3::boolean[]) as n (id, name, enabled)
         on conflict (id) do update
         set name = excluded.name,
             enabled = excluded.enabled,
             vanished_at = null
         where discovered_list.name is distinct from excluded.name
            or discovered_list.enabled <> excluded.enabled
            or discovered_list.vanished_at is not null",
        &ids,
        &names as &[Option<String>],
        &enabled,
        now
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update discovered_list
         set vanished_at = $2
         where vanished_at is null
           and id <> all($1)",
        &ids,
        now
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Records that a response was accepted. It was complete if no row of it is `unreadable`.
pub async fn completed(
    connection: &mut PgConnection,
    unreadable: usize,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update discovery
         set last_success_at = case when $2::bigint = 0 then $1 else last_success_at end,
             last_error = null,
             doubted_at = null,
             doubted = '{}',
             unreadable = $2",
        now,
        i64::try_from(unreadable).unwrap_or(i64::MAX)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores these lists as sources that are not followed, so that they are visible,
/// and updates their names. The followed ones must be stored already.
pub async fn store_unfollowed(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into source (kind, watch_list_id, name, configured)
         select 'watch_list', d.id, d.name, false
         from discovered_list d
         on conflict (watch_list_id) do update
         set name = excluded.name
         where not source.configured
           and source.name is distinct from excluded.name"
    )
    .execute(connection)
    .await?;
    Ok(())
}
