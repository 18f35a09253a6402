//! Lets connections plan the queries of evaluation and delivery before the first change
//! comes: that takes longer than the queries themselves.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Acquire as _, PgPool};

use crate::model::DeliveryOrder;
use crate::store::alerts::delivery;
use crate::store::alerts::subject::{self, ChangeSpan};

/// PostgreSQL plans a prepared statement anew each of the first five times.
const TIMES: u32 = 6;
/// No sink has this name.
const NO_SINK: &str = "";

/// Runs the queries for no changes and no sink on each of so many connections.
pub(crate) async fn rehearse(
    pool: &PgPool,
    connections: u32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut held = Vec::new();
    // Held until the end, so that none comes twice.
    for _ in 0..connections {
        held.push(pool.acquire().await?);
    }
    for connection in &mut held {
        for _ in 0..TIMES {
            let mut transaction = connection.begin().await?;
            let span = ChangeSpan {
                after: i64::MAX,
                to: i64::MAX,
                key: None,
                products: true,
                words: &[],
                as_of: None,
            };
            subject::of_span(&mut transaction, span).await?;
            let sink = (NO_SINK, DeliveryOrder::Any);
            delivery::claim(&mut transaction, sink, 1, (now, TimeDelta::zero())).await?;
            transaction.rollback().await?;
        }
    }
    Ok(())
}
