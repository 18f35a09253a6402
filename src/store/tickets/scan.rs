//! Full scans of the tickets and their checkpoints.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// An unfinished full scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Row in `ticket_walk`.
    pub id: i64,
    /// Start time, by upstream's clock.
    pub began_at: DateTime<Utc>,
    /// Number of tickets according to upstream's first page.
    pub claimed: Option<i64>,
    /// The last stored page, where a resumed scan begins; `None` for the first page.
    pub resume_url: Option<String>,
    /// Number of stored pages.
    pub pages: i32,
}

/// The unfinished scan, if any.
pub async fn unfinished(connection: &mut PgConnection) -> Result<Option<Scan>, sqlx::Error> {
    sqlx::query_as!(
        Scan,
        "select id, began_at, claimed, resume_url, pages
         from ticket_walk
         where unfinished"
    )
    .fetch_optional(connection)
    .await
}

/// Begins a scan and discards an unfinished one.
pub async fn begin(
    connection: &mut PgConnection,
    began_at: DateTime<Utc>,
) -> Result<Scan, sqlx::Error> {
    sqlx::query!("delete from ticket_walk")
        .execute(&mut *connection)
        .await?;
    sqlx::query_as!(
        Scan,
        "insert into ticket_walk (began_at)
         values ($1)
         returning id, began_at, claimed, resume_url, pages",
        began_at
    )
    .fetch_one(connection)
    .await
}

/// Writes a checkpoint and the corrected start time, in the transaction that stores the page's
/// tickets. `repeats` are the tickets of rows beyond the first one. A page that a resumed scan
/// reads again keeps what it had: that may have moved to one that was read before.
pub async fn checkpoint(
    connection: &mut PgConnection,
    walk: &Scan,
    ids: &[i64],
    repeats: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ticket_walk
         set claimed = $2,
             resume_url = $3,
             pages = $4,
             began_at = $5
         where id = $1",
        walk.id,
        walk.claimed,
        walk.resume_url,
        walk.pages,
        walk.began_at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into ticket_walk_page (walk_id, page, ids, repeats)
         values ($1, $2, $3, $4)
         on conflict (walk_id, page) do update
         set ids = ticket_walk_page.ids || excluded.ids,
             repeats = case excluded.repeats
                 when '{}' then ticket_walk_page.repeats
                 else excluded.repeats
             end",
        walk.id,
        walk.pages,
        ids,
        repeats
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Number of different tickets that a scan has received, without quarantined ones and those
/// created while it ran, from its beginning until `now` by upstream's clock. One that was
/// created later than `now` has a wrong time, so it may have been there before.
pub async fn seen_from_before(
    connection: &mut PgConnection,
    walk: &Scan,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(distinct i.id) as "count!"
           from ticket_walk_page p
           cross join lateral unnest(p.ids) as i (id)
           left join ticket t on t.id = i.id
           where p.walk_id = $1
             and (t.created_at is null or t.created_at < $2 or t.created_at > $3)"#,
        walk.id,
        walk.began_at,
        now
    )
    .fetch_one(connection)
    .await
}

/// The tickets of rows beyond the first one, of each page that has some.
pub async fn repeats(
    connection: &mut PgConnection,
    walk: &Scan,
) -> Result<Vec<Vec<i64>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select repeats from ticket_walk_page where walk_id = $1 and repeats <> '{}' order by page",
        walk.id
    )
    .fetch_all(connection)
    .await
}

/// Ends a scan and removes its pages.
pub async fn finish(connection: &mut PgConnection, walk_id: i64) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from ticket_walk where id = $1", walk_id)
        .execute(connection)
        .await?;
    Ok(())
}
