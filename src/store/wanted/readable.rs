//! Advisories whose details upstream can be asked for to see whether it refuses all.

use sqlx::PgConnection;

/// At most so many advisories, with those first whose details were received last, then those
/// that are requested last. None whose details are pending after a failure.
pub async fn newest(
    connection: &mut PgConnection,
    most: usize,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select a.said
         from advisory a
         left join detail d on d.said = a.said
         where not exists (
             select
             from wanted_detail w
             where w.said = a.said
               and w.last_error is not null)
         order by d.fetched_at desc nulls last, a.modified_at nulls first, a.said desc
         limit $1",
        i64::try_from(most).unwrap_or(i64::MAX)
    )
    .fetch_all(connection)
    .await
}
