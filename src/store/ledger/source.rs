//! Sources: what is read, and how far.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgRange;

use crate::model::{CoverageGap, IngestedVia, RunFailure, SourceKey};

impl SourceKey {
    /// From the columns of `source`.
    pub(crate) fn of_columns(
        kind: &str,
        watch_list_id: Option<i64>,
        extra_feed: Option<String>,
    ) -> Self {
        match (kind, watch_list_id, extra_feed) {
            (_, Some(id), _) => Self::WatchList(id),
            (_, None, Some(name)) => Self::ExtraFeed(name),
            ("sweep", None, None) => Self::RevisionScan,
            ("details", None, None) => Self::Details,
            (_, None, None) => Self::Tickets,
        }
    }

    /// As the columns `kind`, `watch_list_id` and `extra_feed`.
    fn columns(&self) -> (&'static str, Option<i64>, Option<&str>) {
        let (id, name) = match self {
            Self::WatchList(id) => (Some(*id), None),
            Self::ExtraFeed(name) => (None, Some(name.as_str())),
            Self::Tickets | Self::RevisionScan | Self::Details => (None, None),
        };
        (self.kind(), id, name)
    }
}

/// A source and how far it was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Row in `source`.
    pub id: i32,
    /// End of the covered time, by upstream's clock: the cursor.
    pub covered_to: Option<DateTime<Utc>>,
    /// Gaps in the covered time.
    pub gaps: Vec<CoverageGap>,
    /// Root element of the last recognised document.
    pub root_element: Option<String>,
    /// When its last complete run ended, by our clock.
    pub last_success_at: Option<DateTime<Utc>>,
    /// The API that a watch list's advisories are read from.
    pub ingested_via: IngestedVia,
    /// Why they are read from the JSON API.
    pub ingested_via_reason: Option<String>,
    /// After a rejection by upstream, no requests before this time.
    pub paused_until: Option<DateTime<Utc>>,
    /// Start of the current uninterrupted time in which it is followed.
    pub followed_since: Option<DateTime<Utc>>,
    /// Start of the last complete full pull, by our clock.
    pub full_at: Option<DateTime<Utc>>,
    /// Start of the last full pull, complete or not.
    pub full_attempt_at: Option<DateTime<Utc>>,
    /// When something was last found to have come to or left what a watch list contains.
    pub contents_changed_at: Option<DateTime<Utc>>,
    /// Whether conflicting copies of it are to be compared again.
    pub has_undecided: bool,
}

/// Looks up a source.
pub async fn find(
    connection: &mut PgConnection,
    key: &SourceKey,
) -> Result<Option<Source>, sqlx::Error> {
    let (kind, watch_list_id, extra_feed) = key.columns();
    let row = sqlx::query!(
        r#"select id, upper(covered) as covered_to, root_element, last_success_at, served_by, served_why, rests_until,
                followed_since, full_at, full_attempt_at,
                (select max(m.changed_at)
                 from mirror m
                 where m.watch_list_id = source.watch_list_id) as contents_changed_at,
                exists (select from sighting g where g.source_id = source.id and g.is_undecided) as "has_undecided!"
         from source
         where kind = $1
           and watch_list_id is not distinct from $2
           and extra_feed is not distinct from $3"#,
        kind,
        watch_list_id,
        extra_feed
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let gaps = gaps(connection, row.id).await?;
    Ok(Some(Source {
        id: row.id,
        covered_to: row.covered_to,
        gaps,
        root_element: row.root_element,
        last_success_at: row.last_success_at,
        ingested_via: IngestedVia::from_name(&row.served_by),
        ingested_via_reason: row.served_why,
        paused_until: row.rests_until,
        followed_since: row.followed_since,
        full_at: row.full_at,
        full_attempt_at: row.full_attempt_at,
        contents_changed_at: row.contents_changed_at,
        has_undecided: row.has_undecided,
    }))
}

/// Gaps in the covered time of a source.
pub async fn gaps(
    connection: &mut PgConnection,
    source_id: i32,
) -> Result<Vec<CoverageGap>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select lower(gap) as "from!", upper(gap) as "to!"
           from source,
                unnest(tstzmultirange(range_merge(covered)) - covered) as gap
           where id = $1
             and not isempty(covered)
           order by 1"#,
        source_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CoverageGap {
            from: row.from,
            to: row.to,
        })
        .collect())
}

/// Start and end of the covered time of a source; `None` before its first complete
/// run.
pub async fn covered(
    connection: &mut PgConnection,
    key: &SourceKey,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, sqlx::Error> {
    let (kind, watch_list_id, extra_feed) = key.columns();
    let row = sqlx::query!(
        "select lower(covered) as covered_from, upper(covered) as covered_to
         from source
         where kind = $1
           and watch_list_id is not distinct from $2
           and extra_feed is not distinct from $3",
        kind,
        watch_list_id,
        extra_feed
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| row.covered_from.zip(row.covered_to)))
}

/// Records that a run of the source begins.
pub async fn attempted(
    connection: &mut PgConnection,
    source_id: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set last_attempt_at = $2
         where id = $1",
        source_id,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that a full pull of the source begins.
pub async fn full_attempted(
    connection: &mut PgConnection,
    source_id: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set full_attempt_at = $2
         where id = $1",
        source_id,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the error of a run of the source. Without a kind of failure the former
/// kind stays.
pub async fn failed(
    connection: &mut PgConnection,
    source_id: i32,
    (error, kind): (&str, Option<RunFailure>),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set last_error = $2,
             last_error_at = $3,
             last_failure = coalesce($4, last_failure)
         where id = $1",
        source_id,
        error,
        now,
        kind.map(RunFailure::name)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that a run of the source was interrupted. That says nothing about the source, so the
/// error of a former run stays.
pub async fn interrupted(
    connection: &mut PgConnection,
    source_id: i32,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set last_error = $2,
             last_error_at = $3
         where id = $1
           and last_error is null",
        source_id,
        error,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the baseline at the end of the first complete run: what the source sent
/// until then creates no alerts. Importing a file before the first pull does not
/// change that. Call it before the run's success is stored.
pub async fn set_baseline(
    connection: &mut PgConnection,
    source_id: i32,
    leads: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set baseline_seq = (select last from change_counter),
             baseline_at = $3
         where id = $1
           and (baseline_seq is null or ($2 and last_success_at is null))",
        source_id,
        leads,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the API that a watch list's advisories are read from, and why.
pub async fn set_ingested_via(
    connection: &mut PgConnection,
    source_id: i32,
    ingested_via: IngestedVia,
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set served_by = $2,
             served_why = $3
         where id = $1
           and (served_by, served_why) is distinct from ($2, $3)",
        source_id,
        ingested_via.name(),
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the time before which there are no requests after a rejection.
pub async fn pause_until(
    connection: &mut PgConnection,
    source_id: i32,
    until: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set rests_until = $2
         where id = $1
           and rests_until is distinct from $2",
        source_id,
        until
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A half-open range for queries.
pub(crate) fn range(covers: (DateTime<Utc>, DateTime<Utc>)) -> PgRange<DateTime<Utc>> {
    PgRange::from(covers.0..covers.1.max(covers.0))
}
