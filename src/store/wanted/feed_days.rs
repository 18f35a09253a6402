//! Detection of what `days` of this account's feeds counts. It is undocumented
//! (contract §5); comparing the revision scan with the feeds shows it.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::listed::ListedAdvisory;

/// A change that is not in a feed after this time will not be in it at all.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// What `days` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Days since an advisory was first released: revisions of older ones are not in the feed.
    Releases,
    /// Days since it was last modified.
    Modifications,
}

impl Counts {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Releases => "releases",
            Self::Modifications => "modifications",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Releases, Self::Modifications]
            .into_iter()
            .find(|counts| counts.name() == name)
    }
}

/// The result, and the advisory that showed it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FeedDays {
    /// What `days` counts.
    pub counts: Counts,
    /// Known since.
    pub settled_at: DateTime<Utc>,
    /// The advisory that showed it.
    pub said: String,
}

/// The result; `None` until an advisory shows it.
pub async fn get(connection: &mut PgConnection) -> Result<Option<FeedDays>, sqlx::Error> {
    let row = sqlx::query!(
        "select counts, settled_at, said
         from feed_days"
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        Some(FeedDays {
            counts: Counts::from_name(&row.counts)?,
            settled_at: row.settled_at,
            said: row.said,
        })
    }))
}

/// Checks whether the elements show what `days` counts; `Some` if the result is new.
///
/// An advisory that was released before the window of a complete run, modified in
/// it and received by the run proves that modifications count. If the run did not
/// receive it, that indicates releases, and is used only while there is no proof:
/// the advisory may have left the list.
pub async fn settle(
    connection: &mut PgConnection,
    rows: &[ListedAdvisory],
    now: DateTime<Utc>,
) -> Result<Option<Counts>, sqlx::Error> {
    let known = get(connection).await?;
    if known.is_some_and(|known| known.counts == Counts::Modifications) {
        return Ok(None);
    }
    if let Some(shown) = shown(connection, rows).await? {
        return keep(connection, Counts::Modifications, shown, now).await;
    }
    match not_shown(connection, rows).await? {
        Some(missed) => keep(connection, Counts::Releases, missed, now).await,
        None => Ok(None),
    }
}

/// An advisory and a run of a feed.
struct Evidence {
    said: String,
    run_id: i64,
}

/// The elements as arrays.
struct Columns {
    said: Vec<String>,
    modified: Vec<Option<DateTime<Utc>>>,
    released: Vec<Option<DateTime<Utc>>>,
}

fn columns(rows: &[ListedAdvisory]) -> Columns {
    Columns {
        said: rows.iter().map(|row| row.said.clone()).collect(),
        modified: rows.iter().map(|row| row.modified_at).collect(),
        released: rows.iter().map(|row| row.released_at).collect(),
    }
}

async fn shown(
    connection: &mut PgConnection,
    rows: &[ListedAdvisory],
) -> Result<Option<Evidence>, sqlx::Error> {
    let Columns {
        said,
        modified,
        released,
    } = columns(rows);
    sqlx::query_as!(
        Evidence,
        r#"select n.said as "said!", r.id as "run_id!"
           from unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
                as n (said, modified_at, released_at)
           join every_advisory_version v on v.said = n.said and v.modified_at = n.modified_at
           join sync_run r on r.id = v.run_id
           where r.job = 'feed'
             and r.mode in ('window', 'full')
             and r.outcome = 'ok'
             and r.covers @> n.modified_at
             and n.released_at < lower(r.covers)
           limit 1"#,
        &said,
        &modified as _,
        &released as _
    )
    .fetch_optional(connection)
    .await
}

async fn not_shown(
    connection: &mut PgConnection,
    rows: &[ListedAdvisory],
) -> Result<Option<Evidence>, sqlx::Error> {
    let Columns {
        said,
        modified,
        released,
    } = columns(rows);
    sqlx::query_as!(
        Evidence,
        r#"select n.said as "said!", r.id as "run_id!"
           from unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
                as n (said, modified_at, released_at)
           join advisory a on a.said = n.said and a.modified_at < n.modified_at
           join sighting g on g.said = n.said
           join source s on s.id = g.source_id and s.configured and s.served_by = 'feed'
           join lateral (
               select r.id
               from sync_run r
               where r.source_id = s.id
                 and r.job = 'feed'
                 and r.mode in ('window', 'full')
                 and r.outcome = 'ok'
                 and r.covers @> n.modified_at
                 and n.released_at < lower(r.covers)
                 and upper(r.covers) >= n.modified_at + $4::float8 * interval '1 second'
               order by r.id desc
               limit 1) as r on true
           limit 1"#,
        &said,
        &modified as _,
        &released as _,
        LATE.as_seconds_f64()
    )
    .fetch_optional(connection)
    .await
}

async fn keep(
    connection: &mut PgConnection,
    counts: Counts,
    evidence: Evidence,
    now: DateTime<Utc>,
) -> Result<Option<Counts>, sqlx::Error> {
    let Evidence { said, run_id } = evidence;
    let done = sqlx::query!(
        "insert into feed_days (counts, settled_at, said, run_id)
         values ($1, $2, $3, $4)
         on conflict (singleton) do update
         set counts = excluded.counts,
             settled_at = excluded.settled_at,
             said = excluded.said,
             run_id = excluded.run_id
         where feed_days.counts <> excluded.counts",
        counts.name(),
        now,
        said,
        run_id
    )
    .execute(connection)
    .await?;
    Ok((done.rows_affected() > 0).then_some(counts))
}
