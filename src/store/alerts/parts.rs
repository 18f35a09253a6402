//! Parts of a delivery: how far a message was sent, and which of its alerts the receiver did not
//! take.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::delivery::ClaimedDelivery;
use crate::model::PassedOverReason;

/// How far a message was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartsProgress {
    /// How many parts were sent, one after the other.
    pub(crate) done: usize,
    /// How many are sent together, if more were too large.
    pub(crate) together: Option<usize>,
    /// An alert that the receiver did not take.
    pub(crate) passed_over: Option<PassedOverAlert>,
    /// Alerts that were passed over before, and are accepted now.
    pub(crate) accepted: Vec<Uuid>,
}

/// An alert that the receiver did not take, while those behind it are sent.
#[derive(Debug, Clone)]
pub(crate) struct PassedOverAlert {
    /// Its id.
    pub(crate) alert_id: Uuid,
    /// Why.
    pub(crate) reason: PassedOverReason,
    /// Status of the response.
    pub(crate) status: Option<i32>,
}

/// Records how far a message was sent, and extends the lease; false if the claim is no longer
/// ours.
pub(crate) async fn record(
    connection: &mut PgConnection,
    claim: &ClaimedDelivery,
    progress: &PartsProgress,
    (now, lease): (DateTime<Utc>, TimeDelta),
) -> Result<bool, sqlx::Error> {
    let PartsProgress {
        done,
        together,
        passed_over,
        accepted,
    } = progress;
    let ours = sqlx::query!(
        "update delivery
         set parts_done = $3,
             parts_together = $4,
             leased_until = now() + make_interval(secs => $5)
         where id = $1
           and fence = $2
           and state = 'waiting'",
        claim.id,
        claim.fence,
        i32::try_from(*done).unwrap_or(i32::MAX),
        together.map(|together| i32::try_from(together).unwrap_or(i32::MAX)),
        lease.as_seconds_f64()
    )
    .execute(&mut *connection)
    .await?;
    if ours.rows_affected() != 1 {
        return Ok(false);
    }
    if let Some(passed_over) = passed_over {
        sqlx::query!(
            "insert into passed_over (delivery_id, alert_id, at, reason, status)
             values ($1, $2, $3, $4, $5)
             on conflict (delivery_id, alert_id) do update
             set at = excluded.at,
                 reason = excluded.reason,
                 status = excluded.status",
            claim.id,
            passed_over.alert_id,
            now,
            passed_over.reason.name(),
            passed_over.status
        )
        .execute(&mut *connection)
        .await?;
    }
    if !accepted.is_empty() {
        forget(connection, claim.id, accepted).await?;
    }
    Ok(true)
}

/// Forgets that these alerts were passed over.
pub(crate) async fn forget(
    connection: &mut PgConnection,
    delivery_id: i64,
    alerts: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from passed_over
         where delivery_id = $1
           and alert_id = any($2)",
        delivery_id,
        alerts
    )
    .execute(connection)
    .await?;
    Ok(())
}
