//! What is news in a source: it was read completely before, and this is the first that it says
//! of an advisory. The first load of another source may have brought the advisory already.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::SAME_EVENT;
use crate::store::origin::ChunkOrigin;

/// What a chunk of records has that is news.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Whether what is new is news.
    pub(crate) is_loaded: bool,
    /// The known advisories that are new in the source.
    pub(crate) known: HashMap<String, New>,
}

/// What is news among what a source sends for the first time: advisories that are new
/// altogether, and these that are known.
pub(crate) async fn of(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    (has_new, known): (bool, &[String]),
) -> Result<News, sqlx::Error> {
    if !has_new && known.is_empty() || !is_loaded(connection, origin).await? {
        return Ok(News::default());
    }
    let known = new_in_source(connection, origin, known, origin.at).await?;
    Ok(News {
        is_loaded: true,
        known,
    })
}

/// How an advisory that is known is new in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum New {
    /// In a watch list.
    InList,
    /// In an extra feed, and so far only first loads have brought it.
    AtLast,
    /// In an extra feed, and it was news in another source.
    AlreadyNews,
}

/// Whether a source was read completely before this run. A file that was imported before the
/// first pull does not count for that pull.
pub(crate) async fn is_loaded(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select s.kind <> 'details'
                  and s.baseline_seq is not null
                  and (s.last_success_at is not null
                       or coalesce(r.mode in ('import', 'reconcile'), false)) as "is_loaded!"
           from source s
           left join sync_run r on r.id = $2
           where s.id = $1"#,
        origin.source_id,
        origin.run_id
    )
    .fetch_one(connection)
    .await
}

/// Which of these known advisories, which a loaded source now sends for the first time, are
/// new in it: it has had no chance to send them before `asked_at`, since another source
/// brought them. A chance is a complete run that began [`SAME_EVENT`] later or after that
/// and reached back to the release, or was a full pull, unless it contained a record that
/// could not be parsed and may have been this one.
pub(crate) async fn new_in_source(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    saids: &[String],
    asked_at: DateTime<Utc>,
) -> Result<HashMap<String, New>, sqlx::Error> {
    if saids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select a.said, s.watch_list_id is not null as "is_list!",
                  exists (
                      select
                      from change c
                      where c.key = a.said
                        and c.kind = 'advisory'
                        and c.is_news) as "was_news!"
           from source s
           join advisory a on a.said = any($2)
           left join lateral (
               select min(g.first_seen_at) as at
               from sighting g
               where g.said = a.said
                 and g.source_id <> s.id) as first on true
           where s.id = $1
             and not exists (
                 select
                 from sync_run r
                 where r.source_id = s.id
                   and r.outcome = 'ok'
                   and r.started_at >= first.at + $4 * interval '1 second'
                   and r.finished_at <= $3
                   and (r.mode = 'full' or lower(r.covers) <= coalesce(a.released_at, first.at))
                   and not exists (
                       select
                       from quarantine q
                       where q.source_id = s.id
                         and r.id between q.run_id and q.last_run_id
                         and (q.key is null or q.key = a.said)))"#,
        origin.source_id,
        saids,
        asked_at,
        SAME_EVENT.as_seconds_f64()
    )
    .fetch_all(connection)
    .await?;
    let new = rows.into_iter().map(|row| {
        let how = match (row.is_list, row.was_news) {
            (true, _) => New::InList,
            (false, false) => New::AtLast,
            (false, true) => New::AlreadyNews,
        };
        (row.said, how)
    });
    Ok(new.collect())
}
