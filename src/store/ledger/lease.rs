//! Leases: rows that say which process may do what only one may do at a time. Times are
//! by the clock of the database.
//!
//! The `epoch` of a lease counts how often it was taken. Every transaction of its holder
//! locks the row with that epoch `for key share` ([`are_ours`]). That neither waits for
//! renewals nor delays them, since they change no key. Taking a lease changes the epoch,
//! which is part of a key: it waits for these transactions, and afterwards none can begin.
//!
//! A standby that takes over without the last transactions gives an epoch a second time.
//! Therefore a holder also compares when it took the lease.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::instance::ProcessIdentity;
use crate::model::LeaseHolder;

/// How long a lease is valid unless it is renewed: a dead process frees its sources after
/// this time.
const VALID_FOR: PgInterval = PgInterval {
    months: 0,
    days: 0,
    microseconds: 20_000_000,
};
/// How often a lease is tried that comes and goes between two statements.
const ATTEMPTS: u32 = 3;

/// What is leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseName {
    /// A source, by its row in `source`.
    Source(i32),
    /// Watch-list discovery.
    Discovery,
    /// The mirror of what watch lists contain.
    ListContents,
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(id) => write!(f, "source {id}"),
            Self::Discovery => f.write_str("discovery"),
            Self::ListContents => f.write_str("list contents"),
        }
    }
}

/// A lease that was taken, and its fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// What is leased.
    pub name: LeaseName,
    /// Which time it was taken.
    pub epoch: i64,
    /// When, by the clock of the database.
    pub acquired_at: DateTime<Utc>,
}

/// Takes a lease if it is free, has expired, or belongs to a process of this machine that
/// has ended. Otherwise returns its holder.
pub async fn take(
    connection: &mut PgConnection,
    name: LeaseName,
) -> Result<Result<Fence, LeaseHolder>, sqlx::Error> {
    take_after(connection, name, None).await
}

/// The same, where this process no longer uses the epoch `given_back`.
pub(super) async fn take_after(
    connection: &mut PgConnection,
    name: LeaseName,
    given_back: Option<i64>,
) -> Result<Result<Fence, LeaseHolder>, sqlx::Error> {
    let mut ended = given_back;
    for _ in 0..ATTEMPTS {
        if let Some(fence) = take_free(connection, name, ended).await? {
            return Ok(Ok(fence));
        }
        match holder_of(connection, name).await? {
            Some((holder, instance)) if ended != Some(holder.epoch) && instance.has_ended() => {
                ended = Some(holder.epoch);
            }
            Some((holder, _)) => return Ok(Err(holder)),
            None => create(connection, name).await?,
        }
    }
    Err(sqlx::Error::Protocol(format!(
        "the lease `{name}` was taken by other processes too often"
    )))
}

async fn take_free(
    connection: &mut PgConnection,
    name: LeaseName,
    ended: Option<i64>,
) -> Result<Option<Fence>, sqlx::Error> {
    let ProcessIdentity {
        host,
        pid,
        machine,
        started,
    } = ProcessIdentity::own();
    let taken = sqlx::query!(
        r#"update lease
         set epoch = epoch + 1,
             host = $2,
             pid = $3,
             machine = $4,
             started = $5,
             acquired_at = clock_timestamp(),
             expires_at = clock_timestamp() + $6
         where name = $1
           and (expires_at is null or expires_at <= clock_timestamp() or epoch = $7)
         returning epoch, acquired_at as "acquired_at!""#,
        name.to_string(),
        host,
        pid,
        machine.as_deref(),
        *started,
        VALID_FOR,
        ended
    )
    .fetch_optional(connection)
    .await?;
    Ok(taken.map(|row| Fence {
        name,
        epoch: row.epoch,
        acquired_at: row.acquired_at,
    }))
}

async fn create(connection: &mut PgConnection, name: LeaseName) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into lease (name) values ($1) on conflict do nothing",
        name.to_string()
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn holder_of(
    connection: &mut PgConnection,
    name: LeaseName,
) -> Result<Option<(LeaseHolder, ProcessIdentity)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select epoch, host as "host!", pid as "pid!", machine, started,
                  acquired_at as "acquired_at!", expires_at as "expires_at!"
           from lease
           where name = $1
             and expires_at is not null"#,
        name.to_string()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let holder = LeaseHolder {
            lease: name.to_string(),
            epoch: row.epoch,
            host: row.host.clone(),
            pid: row.pid,
            since: row.acquired_at,
            expires_at: row.expires_at,
        };
        let instance = ProcessIdentity {
            host: row.host,
            pid: row.pid,
            machine: row.machine,
            started: row.started,
        };
        (holder, instance)
    }))
}

/// Those who hold a lease now.
pub async fn holders(connection: &mut PgConnection) -> Result<Vec<LeaseHolder>, sqlx::Error> {
    sqlx::query_as!(
        LeaseHolder,
        r#"select name as lease, epoch, host as "host!", pid as "pid!",
                  acquired_at as "since!", expires_at as "expires_at!"
           from lease
           where expires_at > clock_timestamp()
           order by name"#
    )
    .fetch_all(connection)
    .await
}

/// Whether the lease of this holder has expired: since it was read, it was neither
/// renewed, nor given back, nor taken by another process. `None` while it is valid.
pub(crate) async fn was_abandoned(
    connection: &mut PgConnection,
    holder: &LeaseHolder,
) -> Result<Option<bool>, sqlx::Error> {
    let has_expired = sqlx::query_scalar!(
        r#"select expires_at <= clock_timestamp() as "has_expired!"
           from lease
           where name = $1
             and epoch = $2
             and expires_at = $3"#,
        holder.lease,
        holder.epoch,
        holder.expires_at
    )
    .fetch_optional(connection)
    .await?;
    Ok(match has_expired {
        Some(true) => Some(true),
        Some(false) => None,
        None => Some(false),
    })
}

/// Renews leases; false if another process has taken one of them. A lease that has
/// expired is still ours until then.
pub async fn renew(connection: &mut PgConnection, fences: &[Fence]) -> Result<bool, sqlx::Error> {
    let (names, epochs, times) = columns(fences);
    let renewed = sqlx::query!(
        "update lease
         set expires_at = clock_timestamp() + $4
         where (name, epoch, acquired_at) in (
             select * from unnest($1::text[], $2::bigint[], $3::timestamptz[]))
           and expires_at is not null",
        &names,
        &epochs,
        &times,
        VALID_FOR
    )
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() == fences.len() as u64)
}

/// Gives leases back, as far as they are still ours.
pub async fn release(connection: &mut PgConnection, fences: &[Fence]) -> Result<(), sqlx::Error> {
    let (names, epochs, times) = columns(fences);
    sqlx::query!(
        "update lease
         set expires_at = null
         where (name, epoch, acquired_at) in (
             select * from unnest($1::text[], $2::bigint[], $3::timestamptz[]))
           and expires_at is not null",
        &names,
        &epochs,
        &times
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the leases are still ours. If so, nobody can take them before the transaction
/// ends.
pub async fn are_ours(
    connection: &mut PgConnection,
    fences: &[Fence],
) -> Result<bool, sqlx::Error> {
    let (names, epochs, times) = columns(fences);
    let locked = sqlx::query_scalar!(
        "select name
         from lease
         where (name, epoch, acquired_at) in (
             select * from unnest($1::text[], $2::bigint[], $3::timestamptz[]))
           and expires_at is not null
         for key share of lease",
        &names,
        &epochs,
        &times
    )
    .fetch_all(connection)
    .await?;
    Ok(locked.len() == fences.len())
}

fn columns(fences: &[Fence]) -> (Vec<String>, Vec<i64>, Vec<DateTime<Utc>>) {
    let rows = fences
        .iter()
        .map(|fence| (fence.name.to_string(), fence.epoch, fence.acquired_at));
    rows.collect()
}
