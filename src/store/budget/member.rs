//! Request budget: slices, use by process and minute, pauses. Times are those of the
//! database.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::instance::ProcessIdentity;
use crate::model::BudgetKind;

/// A process that shares a budget.
#[derive(Debug, Clone)]
pub struct BudgetMember {
    /// The account, see `http::account`.
    pub account: String,
    /// Its row.
    pub id: i64,
    /// `requests_per_minute` of its configuration.
    pub per_minute: u32,
    /// `requests_per_day` of its configuration; 0 is no limit.
    pub per_day: u32,
}

/// Announces a process. `used` are the requests of the last day by the run log; they
/// count where the account has no budget yet.
pub async fn join(
    connection: &mut PgConnection,
    (account, kind): (&str, BudgetKind),
    (per_minute, per_day): (u32, u32),
    used: &[(DateTime<Utc>, u32)],
) -> Result<BudgetMember, sqlx::Error> {
    let is_new = sqlx::query!(
        "insert into advisoryd.budget (account) values ($1) on conflict do nothing",
        account
    )
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    let own = ProcessIdentity::own();
    let is_script = kind == BudgetKind::Script;
    let id = sqlx::query_scalar!(
        "insert into advisoryd.budget_holder as h
             (account, kind, host, pid, machine, started, per_minute, per_day, since, seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), clock_timestamp())
         on conflict (account, kind, host, pid, started) do update
         set per_minute = excluded.per_minute,
             per_day = excluded.per_day,
             seen_at = excluded.seen_at
         returning id",
        account,
        kind.name(),
        own.host,
        if is_script { 0 } else { own.pid },
        own.machine.as_deref().filter(|_| !is_script),
        own.started.filter(|_| !is_script).unwrap_or(0),
        as_int(per_minute),
        as_int(per_day)
    )
    .fetch_one(&mut *connection)
    .await?;
    let member = BudgetMember {
        account: account.to_owned(),
        id,
        per_minute,
        per_day,
    };
    if is_new {
        for (at, requests) in used {
            count(connection, &member, *at, as_int(*requests)).await?;
        }
    }
    forget(connection).await?;
    Ok(member)
}

/// Deletes what no longer counts.
pub async fn forget(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with old as (
             delete from advisoryd.budget_use where minute < clock_timestamp() - interval '25 hours'
         )
         delete from advisoryd.budget_holder where seen_at < clock_timestamp() - interval '25 hours'"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts the requests of a clock that was ahead as sent now: else they would count for
/// longer than a day.
pub(super) async fn pull_back(
    connection: &mut PgConnection,
    account: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with ahead as (
             delete from advisoryd.budget_use
             where account = $1
               and minute > clock_timestamp() + interval '2 minutes'
             returning holder_id, requests
         )
         insert into advisoryd.budget_use as u (holder_id, minute, account, requests)
         select holder_id, date_trunc('minute', clock_timestamp()), $1, sum(requests)::integer
         from ahead
         group by holder_id
         on conflict (holder_id, minute) do update
         set requests = u.requests + excluded.requests",
        account
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts requests of the minute of `at`; a negative number takes off.
pub async fn count(
    connection: &mut PgConnection,
    member: &BudgetMember,
    at: DateTime<Utc>,
    requests: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into advisoryd.budget_use as u (holder_id, minute, account, requests)
         values ($1, $2, $3, greatest($4, 0))
         on conflict (holder_id, minute) do update
         set requests = greatest(u.requests + $4, 0)",
        member.id,
        minute(at),
        member.account,
        requests
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the last places of a slice back, if nobody has reserved places after them.
pub async fn return_places(
    connection: &mut PgConnection,
    member: &BudgetMember,
    ends_at: DateTime<Utc>,
    microseconds: i64,
) -> Result<(), sqlx::Error> {
    let length = PgInterval {
        months: 0,
        days: 0,
        microseconds,
    };
    sqlx::query!(
        "update advisoryd.budget set next_at = next_at - $3::interval where account = $1 and next_at = $2",
        member.account,
        ends_at,
        length
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update advisoryd.budget_holder set slice_tokens = 0, slice_until = null where id = $1",
        member.id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A pause that upstream asked this process for: nobody sends anything for so long.
pub async fn pause(
    connection: &mut PgConnection,
    member: &BudgetMember,
    microseconds: i64,
    is_background: bool,
) -> Result<(), sqlx::Error> {
    let wait = PgInterval {
        months: 0,
        days: 0,
        microseconds,
    };
    sqlx::query!(
        "update advisoryd.budget b
         set paused_until = case when $3 then b.paused_until
                                 else greatest(b.paused_until, clock_timestamp() + $2::interval) end,
             background_paused_until = case when $3 then greatest(b.background_paused_until, clock_timestamp() + $2::interval)
                                            else b.background_paused_until end,
             paused_by = h.kind || ' ' || h.pid || ' on ' || h.host
         from advisoryd.budget_holder h
         where b.account = $1
           and h.id = $4",
        member.account,
        wait,
        is_background,
        member.id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What is left of a pause, of all requests and of background requests, in microseconds.
pub async fn paused(
    connection: &mut PgConnection,
    account: &str,
) -> Result<(Option<i64>, Option<i64>), sqlx::Error> {
    let row = sqlx::query!(
        "select (extract(epoch from paused_until - clock_timestamp()) * 1000000)::bigint as paused,
                (extract(epoch from background_paused_until - clock_timestamp()) * 1000000)::bigint as background
         from advisoryd.budget
         where account = $1",
        account
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or((None, None), |row| (row.paused, row.background)))
}

/// The database's time.
pub async fn now(connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(connection)
        .await
}

/// How many others have sent requests in the last minutes.
pub async fn others(
    connection: &mut PgConnection,
    member: &BudgetMember,
) -> Result<u32, sqlx::Error> {
    let others = sqlx::query_scalar!(
        r#"select count(*) as "others!"
           from advisoryd.budget_holder
           where account = $1
             and id <> $2
             and seen_at > clock_timestamp() - interval '2 minutes'"#,
        member.account,
        member.id
    )
    .fetch_one(connection)
    .await?;
    Ok(u32::try_from(others).unwrap_or(u32::MAX))
}

pub(super) fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp().div_euclid(60) * 60;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

pub(super) fn as_int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
