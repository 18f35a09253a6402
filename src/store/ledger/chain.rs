//! Hash chain of the run log: each ended run has a digest over its own row and the
//! digest of the run before it in its source. Changing or removing a row breaks
//! every digest after it; the newest digest is also stored in `source`.

use chrono::serde::ts_microseconds_option as micros;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

/// Part of every digest: if the columns change their meaning, this must change, too.
const FORM: &[u8] = b"advisoryd run 1\n";

/// All columns of an ended run, in the order in which they go into its digest;
/// times as whole microseconds, independent of format and time zone.
#[derive(Debug, Serialize)]
pub(crate) struct ChainEntry {
    pub id: i64,
    pub source_id: i32,
    pub place: Option<i64>,
    pub job: String,
    pub mode: String,
    #[serde(serialize_with = "micros::serialize")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "micros::serialize")]
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: String,
    #[serde(serialize_with = "micros::serialize")]
    pub covers_from: Option<DateTime<Utc>>,
    #[serde(serialize_with = "micros::serialize")]
    pub covers_to: Option<DateTime<Utc>>,
    pub covers_nothing: Option<bool>,
    pub covers_from_itself: Option<bool>,
    pub covers_to_itself: Option<bool>,
    pub requests: i64,
    pub bytes: i64,
    pub claimed: Option<i64>,
    pub accounted: Option<i64>,
    pub seen: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub quarantined: i64,
    pub error: Option<String>,
    pub received: Option<Vec<u8>>,
    /// Not part of itself.
    #[serde(skip)]
    pub digest: Option<Vec<u8>>,
}

impl ChainEntry {
    pub(crate) fn digest_after(&self, previous: &[u8]) -> Vec<u8> {
        // Numbers, strings and nulls in a fixed order: it cannot fail.
        let columns = serde_json::to_vec(self).unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(FORM);
        hash.update(previous);
        hash.update(columns);
        hash.finalize().to_vec()
    }
}

/// Appends a run that has just ended to its source's chain.
pub(crate) async fn link(connection: &mut PgConnection, run_id: i64) -> Result<(), sqlx::Error> {
    let Some(before) = sqlx::query!(
        "select s.id, s.runs, s.head
         from source s
         join sync_run r on r.source_id = s.id
         where r.id = $1
         for update of s",
        run_id
    )
    .fetch_optional(&mut *connection)
    .await?
    else {
        return Ok(());
    };
    let place = before.runs + 1;
    let mut entry = entry(connection, run_id).await?;
    entry.place = Some(place);
    let digest = entry.digest_after(&before.head.unwrap_or_default());
    sqlx::query!(
        "update sync_run
         set place = $2,
             digest = $3
         where id = $1",
        run_id,
        place,
        &digest
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update source
         set runs = $2,
             head = $3
         where id = $1",
        before.id,
        place,
        &digest
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn entry(connection: &mut PgConnection, run_id: i64) -> Result<ChainEntry, sqlx::Error> {
    sqlx::query_as!(
        ChainEntry,
        r#"select id, source_id, place, job, mode, started_at as "started_at?", finished_at, outcome,
                  lower(covers) as covers_from, upper(covers) as covers_to,
                  isempty(covers) as covers_nothing, lower_inc(covers) as covers_from_itself,
                  upper_inc(covers) as covers_to_itself,
                  requests, bytes, claimed, accounted, seen, added, changed, unchanged, quarantined,
                  error, received, digest
           from sync_run
           where id = $1"#,
        run_id
    )
    .fetch_one(connection)
    .await
}

/// The ended runs of a source after a position, in the order of the chain.
pub(crate) async fn entries(
    connection: &mut PgConnection,
    source_id: i32,
    after: i64,
    limit: i64,
) -> Result<Vec<ChainEntry>, sqlx::Error> {
    sqlx::query_as!(
        ChainEntry,
        r#"select id, source_id, place, job, mode, started_at as "started_at?", finished_at, outcome,
                  lower(covers) as covers_from, upper(covers) as covers_to,
                  isempty(covers) as covers_nothing, lower_inc(covers) as covers_from_itself,
                  upper_inc(covers) as covers_to_itself,
                  requests, bytes, claimed, accounted, seen, added, changed, unchanged, quarantined,
                  error, received, digest
           from sync_run
           where source_id = $1
             and place > $2
           order by place
           limit $3"#,
        source_id,
        after,
        limit
    )
    .fetch_all(connection)
    .await
}

/// A source's chain: its anchor and its end.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Row in `source`.
    pub source_id: i32,
    /// Number of ended runs, including those removed by retention.
    pub runs: i64,
    /// Digest of the newest run.
    pub head: Option<Vec<u8>>,
    /// Number of runs removed by retention.
    pub dropped_runs: i64,
    /// Digest of the newest of those.
    pub dropped_head: Option<Vec<u8>>,
}

/// A break in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Missing runs.
    Missing {
        /// First position without a run.
        first: i64,
        /// Last position without a run.
        last: i64,
    },
    /// A row was altered after the run ended.
    Altered {
        /// Row in `sync_run`.
        run_id: i64,
    },
    /// The newest run is not the one stored in `source`.
    Head,
}

/// Rows per query.
const BATCH: i64 = 500;

/// Recomputes a chain; returns the number of checked runs and the breaks. Runs
/// that ended before `since` are not checked.
pub async fn verify(
    connection: &mut PgConnection,
    chain: &Chain,
    since: Option<DateTime<Utc>>,
) -> Result<(u64, Vec<Break>), sqlx::Error> {
    let mut check = ChainCheck::from(chain, since);
    loop {
        let batch = entries(connection, chain.source_id, check.place, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for entry in batch {
            check.step(entry);
        }
    }
    if check.place < chain.runs {
        check.breaks.push(Break::Missing {
            first: check.place + 1,
            last: chain.runs,
        });
    } else if check.place > chain.runs || check.digest != chain.head.clone().unwrap_or_default() {
        check.breaks.push(Break::Head);
    }
    Ok((check.seen, check.breaks))
}

struct ChainCheck {
    since: Option<DateTime<Utc>>,
    place: i64,
    digest: Vec<u8>,
    seen: u64,
    breaks: Vec<Break>,
}

impl ChainCheck {
    fn from(chain: &Chain, since: Option<DateTime<Utc>>) -> Self {
        Self {
            since,
            place: chain.dropped_runs,
            digest: chain.dropped_head.clone().unwrap_or_default(),
            seen: 0,
            breaks: Vec::new(),
        }
    }

    fn step(&mut self, entry: ChainEntry) {
        let place = entry.place.unwrap_or(self.place + 1);
        let old = matches!((self.since, entry.finished_at), (Some(since), Some(at)) if at < since);
        if !old {
            self.seen += 1;
            if place > self.place + 1 {
                // Its digest cannot be recomputed without the one before it.
                self.breaks.push(Break::Missing {
                    first: self.place + 1,
                    last: place - 1,
                });
            } else if entry.digest.as_ref() != Some(&entry.digest_after(&self.digest)) {
                self.breaks.push(Break::Altered { run_id: entry.id });
            }
        }
        self.place = place;
        self.digest = entry.digest.unwrap_or_default();
    }
}

/// The oldest intact runs of a chain that ended before a time.
pub(crate) struct Oldest {
    /// Position and digest of the last of them.
    pub last: Option<(i64, Vec<u8>)>,
    /// Whether the run after them is old enough and not intact.
    pub broken: bool,
}

/// Checks at most `limit` runs, and never the newest.
pub(crate) async fn oldest(
    connection: &mut PgConnection,
    chain: &Chain,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Oldest, sqlx::Error> {
    let mut check = ChainCheck::from(chain, None);
    let mut found = Oldest {
        last: None,
        broken: false,
    };
    for entry in entries(connection, chain.source_id, check.place, limit).await? {
        let is_old = entry.finished_at.is_some_and(|at| at < before);
        if !is_old || entry.place.is_none_or(|place| place >= chain.runs) {
            break;
        }
        check.step(entry);
        if !check.breaks.is_empty() {
            found.broken = true;
            break;
        }
        found.last = Some((check.place, check.digest.clone()));
    }
    Ok(found)
}
