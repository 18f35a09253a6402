//! Subjects: changes with the content of the advisory or ticket at that time.

mod advisory;
mod span;
mod ticket;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use advisory::{StoredPage, stored};
pub use span::ChangeSpan;

use crate::model::Subject;

/// The number of the last change.
pub async fn last_seq(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select last from change_counter")
        .fetch_one(connection)
        .await
}

/// The last change that was stored together with this one, of the same version: an event is
/// evaluated whole.
pub async fn end_of_event(connection: &mut PgConnection, seq: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(max(n.seq), $1) as "seq!"
           from change c
           join change n on n.kind = c.kind
                        and n.key = c.key
                        and n.version = c.version
                        and n.at = c.at
                        and n.seq > c.seq
           where c.seq = $1"#,
        seq
    )
    .fetch_one(connection)
    .await
}

/// The changes of a span, in order. If retention has removed the version, only
/// the change itself is known.
pub async fn of_span(
    connection: &mut PgConnection,
    span: ChangeSpan<'_>,
) -> Result<Vec<Subject>, sqlx::Error> {
    let mut subjects = advisory::changes(connection, span).await?;
    subjects.extend(ticket::changes(connection, span).await?);
    subjects.sort_by_key(|subject| subject.seq);
    Ok(subjects)
}

/// The number of the first change since then; one after the last if there is none.
pub async fn first_since(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(
               (select min(seq) from change where at >= $1),
               (select last + 1 from change_counter)) as "seq!""#,
        since
    )
    .fetch_one(connection)
    .await
}
