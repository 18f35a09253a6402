//! Coverage that ends in the future: it was recorded while a clock was wrong.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use tracing::warn;

use crate::model::MAX_COVERAGE_AHEAD;
use crate::store::database;
use crate::store::ledger::cursor::{self, CutBack};
use crate::store::tickets::reading;

/// Cuts back coverage that ends in the future of `now`. Left alone, what happens until then
/// would never be read.
pub(crate) async fn cut_back(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut transaction = database::begin(pool).await?;
    let cut = cut(&mut transaction, now).await?;
    transaction.commit().await?;
    report(cut, now);
    Ok(())
}

/// The same within a transaction; what was cut is to be reported when it is committed.
pub(crate) async fn cut(
    transaction: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<CutBack>, sqlx::Error> {
    let latest = now + MAX_COVERAGE_AHEAD;
    let cut = cursor::cut_back(transaction, latest).await?;
    reading::cut_back(transaction, latest).await?;
    Ok(cut)
}

/// Logs what was cut back.
pub(crate) fn report(cut: Vec<CutBack>, now: DateTime<Utc>) {
    for CutBack {
        key,
        ended_at,
        ends_at,
    } in cut
    {
        let to = ends_at.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
        warn!(
            source = %key,
            "{key}: the coverage ended in the future, at {ended_at}; now is {now}; a clock was wrong. It is cut back to {to} and what is missing is requested again"
        );
    }
}
