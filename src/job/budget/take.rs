//! Requests for a script.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::{Instant, sleep_until};

use super::owner::LONGEST_WAIT;
use super::sharing::Sharing;
use crate::model::{BudgetAnswer, BudgetRequest};
use crate::store::budget::member as budget;
use crate::store::budget::reservation::{Reservation, free_at, reserve};

/// What became of requests for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetGrant {
    /// They may be sent now.
    Granted,
    /// They may not be sent before this time, by the clock of the database.
    NotBefore {
        /// The time.
        at: DateTime<Utc>,
        /// The database's time now.
        now: DateTime<Utc>,
        /// Why not.
        reason: String,
    },
}

/// Reserves requests that are sent at once, and waits until they may be; with `no_wait`
/// only if they may be sent now.
pub async fn take(
    pool: &PgPool,
    sharing: &Sharing,
    tokens: u32,
    no_wait: bool,
) -> Result<BudgetGrant, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let limits = (sharing.per_minute, sharing.per_day);
    let who = (sharing.account.as_str(), sharing.kind);
    let member = budget::join(&mut connection, who, limits, &[]).await?;
    drop(connection);
    let request = BudgetRequest::Burst { tokens };
    loop {
        let (answer, now) = match reserve(pool, &member, request, no_wait).await? {
            Reservation::Granted(granted) => {
                let ahead = granted.reserved.first_at - granted.now;
                let at = Instant::from(granted.answered_at) + ahead.to_std().unwrap_or_default();
                sleep_until(at).await;
                return Ok(BudgetGrant::Granted);
            }
            Reservation::Not(answer, now) => (answer, now),
        };
        let (at, reason) = match answer {
            BudgetAnswer::Paused(until) => (until, "upstream asked for a pause".to_owned()),
            BudgetAnswer::DayUsedUp => {
                let mut connection = pool.acquire().await?;
                let (limit, until) = free_at(&mut connection, &member, false).await?;
                let reason = format!("the daily quota of {limit} requests does not allow more");
                (until, reason)
            }
            BudgetAnswer::Later(at) => (at, "others have reserved requests before".to_owned()),
            BudgetAnswer::Reserved(reserved) => (reserved.first_at, String::new()),
        };
        if no_wait {
            return Ok(BudgetGrant::NotBefore { at, now, reason });
        }
        let wait = (at - now).to_std().unwrap_or_default();
        tokio::time::sleep(wait.min(LONGEST_WAIT) + Duration::from_millis(20)).await;
    }
}
