//! Details that are to be fetched. A row here is a promise: it is written in the
//! transaction that found out, and goes in the one that stores the answer.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::model::Details;

/// What is not there is asked for again after so long: upstream may have been
/// wrong, and the account's rights may have changed.
pub const RARELY: TimeDelta = TimeDelta::days(7);
/// So often upstream may send an older one than it listed, over most of a day; then
/// there is no newer one.
const OLDER_ATTEMPTS: i32 = 10;
/// How long what the sweep has seen waits for the feeds of the same tick, which
/// may be bringing it.
const GRACE: TimeDelta = TimeDelta::minutes(2);
/// Longest pause between two attempts at what should be there.
pub(crate) const LONGEST_PAUSE: TimeDelta = TimeDelta::days(1);

/// Why a detail is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The feed gave no products, no CVEs or no description.
    Lacks,
    /// All are wanted.
    Always,
    /// The one that is known is older than the record.
    Older,
    /// The sweep has seen that upstream has a newer one than is stored.
    RevisionScan,
    /// The JSON API has listed it for a watch list.
    Json,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Lacks => "lacks",
            Self::Always => "always",
            Self::Older => "older",
            Self::RevisionScan => "sweep",
            Self::Json => "json",
        }
    }
}

/// A detail to be fetched.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    /// The advisory's identifier.
    pub said: String,
    /// Why.
    pub reason: Reason,
    /// When upstream made what is wanted, as far as it said.
    pub modified_at: Option<DateTime<Utc>>,
}

/// Writes down what is wanted. What is wanted already stays as it is, unless
/// upstream has made a newer one since, or it was wanted for less: what only the
/// sweep wants is forgotten when a feed brings it, what JSON listed never is, for
/// only the detail tells the lists that it is in.
pub async fn enqueue(
    connection: &mut PgConnection,
    wanted: &[QueueEntry],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let said: Vec<String> = wanted.iter().map(|want| want.said.clone()).collect();
    let reasons: Vec<String> = wanted
        .iter()
        .map(|want| want.reason.name().to_owned())
        .collect();
    let modified: Vec<Option<DateTime<Utc>>> = wanted.iter().map(|want| want.modified_at).collect();
    let done = sqlx::query!(
        "insert into wanted_detail (said, wanted_since, reason, modified_at, next_at)
         select n.said, $4::timestamptz, n.reason, n.modified_at,
                $4::timestamptz + case when n.reason = 'sweep' then $5::float8 else 0 end * interval '1 second'
         from unnest($1::text[], $2::text[], $3::timestamptz[]) as n (said, reason, modified_at)
         order by n.said
         on conflict (said) do update
         set wanted_since = excluded.wanted_since,
             reason = case when wanted_detail.reason = 'json' then 'json' else excluded.reason end,
             modified_at = greatest(excluded.modified_at, wanted_detail.modified_at),
             attempts = 0,
             next_at = excluded.next_at,
             last_error = null
         where excluded.modified_at > wanted_detail.modified_at
            or (wanted_detail.modified_at is null and excluded.modified_at is not null)
            or (wanted_detail.reason = 'sweep' and excluded.reason <> 'sweep')
            or (wanted_detail.reason <> 'json' and excluded.reason = 'json')",
        &said,
        &reasons,
        &modified as &[Option<DateTime<Utc>>],
        now,
        seconds(GRACE)
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Since when the covered time of a source may lack members, as details that JSON
/// listed are still wanted; `None` where none is.
pub async fn pending_since(
    connection: &mut PgConnection,
    source_id: i32,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let since = sqlx::query_scalar!(
        "select lower(covered)
         from source
         where id = $1
           and exists (select from wanted_detail where reason = 'json')",
        source_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(since.flatten())
}

/// Wants the details of advisories that were stored before details were asked
/// for, or under another setting.
pub async fn enqueue_missing(
    connection: &mut PgConnection,
    details: Details,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    if details == Details::Never {
        return Ok(0);
    }
    let always = details == Details::Always;
    let done = sqlx::query!(
        "insert into wanted_detail (said, wanted_since, reason, modified_at, next_at)
         select a.said, $2,
                case when d.said is not null then 'older' when $1 then 'always' else 'lacks' end,
                a.modified_at, $2
         from advisory a
         left join detail d on d.said = a.said
         where case
                   when d.said is not null then d.modified_at < a.modified_at
                   else $1 or a.products = '[]' or a.cves = '{}' or a.description is null
               end
         order by a.said
         on conflict (said) do nothing",
        always,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets what the feeds have brought meanwhile: the sweep wanted it only
/// because they had not.
pub async fn forget_settled(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from wanted_detail w
         using advisory a
         where a.said = w.said
           and w.reason = 'sweep'
           and a.modified_at >= w.modified_at"
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// The next details that are due under a setting: with none asked for, those that
/// the sweep and watch lists from JSON need. Those wanted for the first time before those
/// that failed, and the newest statements first.
pub async fn due(
    connection: &mut PgConnection,
    details: Details,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select said
         from wanted_detail
         where next_at <= $1
           and ($3 or reason in ('sweep', 'json'))
         order by attempts, modified_at desc nulls last, said
         limit $2",
        now,
        limit,
        details != Details::Never
    )
    .fetch_all(connection)
    .await
}

/// When the next detail is due; `None` where none is wanted.
pub async fn next_at(connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(next_at) from wanted_detail")
        .fetch_one(connection)
        .await
}

/// Notes that an attempt failed; the next one comes later each time.
pub async fn failed(
    connection: &mut PgConnection,
    said: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update wanted_detail
         set attempts = attempts + 1,
             next_at = $3::timestamptz
                 + least(interval '1 minute' * (1 << least(attempts, 20)), $4 * interval '1 second'),
             last_error = $2
         where said = $1",
        said,
        error,
        now,
        seconds(LONGEST_PAUSE)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that there is none to be had: it is asked for again [`RARELY`], or when
/// upstream has made a newer one.
pub async fn unavailable(
    connection: &mut PgConnection,
    said: &str,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update wanted_detail
         set attempts = attempts + 1,
             next_at = $3,
             last_error = $2
         where said = $1",
        said,
        why,
        now + RARELY
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A wish that an answer came for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingDetail {
    /// When it was written down.
    pub(crate) since: DateTime<Utc>,
    /// Whether it is gone.
    pub(crate) is_fulfilled: bool,
}

/// Forgets a wish that an answer of this time fulfils; it stays where upstream has
/// listed a newer one. `None`: nobody asked.
pub(crate) async fn complete(
    connection: &mut PgConnection,
    said: &str,
    modified_at: Option<DateTime<Utc>>,
) -> Result<Option<PendingDetail>, sqlx::Error> {
    let since = sqlx::query_scalar!(
        "select wanted_since from wanted_detail where said = $1 for update",
        said
    )
    .fetch_optional(&mut *connection)
    .await?;
    let done = sqlx::query!(
        "delete from wanted_detail
         where said = $1
           and (modified_at <= $2
                or modified_at is null
                or $2::timestamptz is null
                or attempts >= $3)",
        said,
        modified_at,
        OLDER_ATTEMPTS
    )
    .execute(connection)
    .await?;
    Ok(since.map(|since| PendingDetail {
        since,
        is_fulfilled: done.rows_affected() > 0,
    }))
}

pub(crate) fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64()
}
