//! Reservations of requests: slices of the time, as far as the limits allow.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::member::{BudgetMember, as_int, count, minute, pull_back};
use crate::model::{
    BudgetAnswer, BudgetRequest, BudgetState, MAX_LATE, Reserved, reserve as decide,
};

/// Background requests leave this fraction of the day to others: one half.
const BACKGROUND_PART: u32 = 2;

/// A slice, and what counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// The places.
    pub reserved: Reserved,
    /// The database's time when they were reserved.
    pub now: DateTime<Utc>,
    /// The database's clock was read after this time by the clock of this process, …
    pub asked_at: Instant,
    /// … and before this time.
    pub answered_at: Instant,
    /// The minute to which they are counted.
    pub minute: DateTime<Utc>,
    /// Whether background requests may use it.
    pub for_background: bool,
}

/// The answer to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// A slice.
    Granted(Granted),
    /// None, for the reason given; the second is the database's time.
    Not(BudgetAnswer, DateTime<Utc>),
}

/// Reserves places, as far as the limits allow, and counts their requests as used. With
/// `is_tried` only if they can be used at once.
#[expect(clippy::too_many_lines, reason = "one transaction, most of it SQL")]
pub async fn reserve(
    pool: &PgPool,
    member: &BudgetMember,
    request: BudgetRequest,
    is_tried: bool,
) -> Result<Reservation, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let asked_at = Instant::now();
    let row = sqlx::query!(
        r#"select next_at, paused_until, background_paused_until, clock_timestamp() as "now!"
           from advisoryd.budget
           where account = $1
           for update"#,
        member.account
    )
    .fetch_one(&mut *transaction)
    .await?;
    let answered_at = Instant::now();
    // After the lock: what is read here includes the slices of all others.
    let (per_minute, per_day) = limits(&mut transaction, member).await?;
    let used = used_of_day(&mut transaction, &member.account).await?;
    let left = |limit: u32| (per_day > 0).then(|| u64::from(limit).saturating_sub(used));
    let background_limit = (per_day / BACKGROUND_PART).max(1);
    let is_background = request.is_background();
    let state = BudgetState {
        now: row.now,
        next_at: row.next_at,
        paused_until: if is_background {
            row.paused_until.max(row.background_paused_until)
        } else {
            row.paused_until
        },
        per_minute,
        left: left(if is_background {
            background_limit
        } else {
            per_day
        }),
    };
    let reserved = match decide(&state, request) {
        BudgetAnswer::Reserved(reserved) => reserved,
        BudgetAnswer::DayUsedUp => {
            pull_back(&mut transaction, &member.account).await?;
            transaction.commit().await?;
            return Ok(Reservation::Not(BudgetAnswer::DayUsedUp, row.now));
        }
        answer => return Ok(Reservation::Not(answer, row.now)),
    };
    let granted = Granted {
        reserved,
        now: row.now,
        asked_at,
        answered_at,
        minute: minute(row.now),
        for_background: left(background_limit)
            .is_none_or(|left| left >= u64::from(reserved.tokens)),
    };
    if is_tried && reserved.first_at > row.now {
        // Only asked whether it can be had at once.
        return Ok(Reservation::Not(
            BudgetAnswer::Later(reserved.first_at),
            row.now,
        ));
    }
    sqlx::query!(
        "update advisoryd.budget set next_at = $2 where account = $1",
        member.account,
        reserved.next_at
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "update advisoryd.budget_holder
         set seen_at = clock_timestamp(),
             slice_tokens = $2,
             slice_until = $3
         where id = $1",
        member.id,
        as_int(reserved.tokens),
        reserved.next_at + MAX_LATE
    )
    .execute(&mut *transaction)
    .await?;
    count(&mut transaction, member, row.now, as_int(reserved.tokens)).await?;
    transaction.commit().await?;
    Ok(Reservation::Granted(granted))
}

/// The smallest limits of those who sent requests lately, and of this process.
async fn limits(
    connection: &mut PgConnection,
    member: &BudgetMember,
) -> Result<(u32, u32), sqlx::Error> {
    let row = sqlx::query!(
        "select min(per_minute) as per_minute, min(nullif(per_day, 0)) as per_day
         from advisoryd.budget_holder
         where account = $1
           and seen_at > clock_timestamp() - interval '2 minutes'",
        member.account
    )
    .fetch_one(connection)
    .await?;
    let of_others = |limit: Option<i32>| limit.and_then(|limit| u32::try_from(limit).ok());
    let per_minute = of_others(row.per_minute).unwrap_or(member.per_minute);
    let per_day = of_others(row.per_day).unwrap_or(member.per_day);
    let own_day = if member.per_day == 0 {
        per_day
    } else {
        member.per_day
    };
    Ok((per_minute.min(member.per_minute), per_day.min(own_day)))
}

async fn used_of_day(connection: &mut PgConnection, account: &str) -> Result<u64, sqlx::Error> {
    let used = sqlx::query_scalar!(
        r#"select coalesce(sum(requests), 0) as "used!"
           from advisoryd.budget_use
           where account = $1
             and minute > clock_timestamp() - interval '24 hours 1 minute'"#,
        account
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(used).unwrap_or(0))
}

/// When the day has a request left again for this process.
pub async fn free_at(
    connection: &mut PgConnection,
    member: &BudgetMember,
    is_background: bool,
) -> Result<(u32, DateTime<Utc>), sqlx::Error> {
    let (_, per_day) = limits(connection, member).await?;
    let limit = if is_background {
        (per_day / BACKGROUND_PART).max(1)
    } else {
        per_day
    };
    let until = sqlx::query_scalar!(
        r#"with kept as (
               select minute,
                      (sum(requests) over (order by minute desc) - requests)::bigint as newer
               from (
                   select minute, sum(requests) as requests
                   from advisoryd.budget_use
                   where account = $1
                     and minute > clock_timestamp() - interval '24 hours 1 minute'
                   group by minute
               ) by_minute
           )
           select coalesce(min(minute) + interval '24 hours 1 minute', clock_timestamp()) as "until!"
           from kept
           where newer < $2"#,
        member.account,
        i64::from(limit)
    )
    .fetch_one(connection)
    .await?;
    Ok((per_day, until))
}
