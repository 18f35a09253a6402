//! Fetch queue: pending details. A row is written in the transaction that finds it
//! necessary, and removed in the one that stores the response.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::model::{DetailsMode, outgoing};

/// Retry interval for unavailable details: upstream may have been wrong, and the
/// account's rights may have changed.
pub const RARELY: TimeDelta = TimeDelta::days(7);
/// How often upstream may send an older version than it listed, over most of a day;
/// after that there is considered to be no newer one.
const OLDER_ATTEMPTS: i32 = 10;
/// How long results of the revision scan wait for the feeds of the same tick, which
/// may contain them.
const GRACE: TimeDelta = TimeDelta::minutes(2);
/// Longest pause between two attempts for details that should exist.
pub(crate) const LONGEST_PAUSE: TimeDelta = TimeDelta::days(1);

/// Why details are pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The feed has no products, no CVEs or no description.
    Lacks,
    /// All details are fetched.
    Always,
    /// The known details are older than the record.
    Older,
    /// The revision scan found that upstream has a newer version than the stored one.
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

/// Details to be fetched.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    /// The advisory's identifier.
    pub said: String,
    /// The reason.
    pub reason: Reason,
    /// Modification time of the pending details, if upstream has sent it.
    pub modified_at: Option<DateTime<Utc>>,
}

/// Enqueues details. An existing entry stays unchanged, unless upstream has a newer
/// version, or the new reason is stronger: an entry of the revision scan is removed
/// when a feed sends the advisory; an entry listed by JSON never is, because only
/// the details contain the watch lists. It also stays pending since it was listed first.
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
         set wanted_since = case
                 when wanted_detail.reason = 'json' then wanted_detail.wanted_since
                 else excluded.wanted_since
             end,
             reason = case when wanted_detail.reason = 'json' then 'json' else excluded.reason end,
             modified_at = case
                 when wanted_detail.modified_at > $4::timestamptz + interval '1 day' then excluded.modified_at
                 else greatest(excluded.modified_at, wanted_detail.modified_at)
             end,
             attempts = 0,
             throttled = 0,
             next_at = excluded.next_at,
             last_error = null
         where excluded.modified_at > wanted_detail.modified_at
            or (wanted_detail.modified_at > $4::timestamptz + interval '1 day'
                and excluded.modified_at <> wanted_detail.modified_at)
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

/// Makes what the revision scan has found due now: all feeds were read since.
pub async fn feeds_were_read(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update wanted_detail
         set next_at = $1
         where reason = 'sweep'
           and attempts = 0
           and next_at > $1",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Since when members may be missing in the covered time of a source, because
/// details that JSON listed are still pending; `None` if none are.
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

/// Enqueues the details of advisories that were stored before details were
/// enabled, or with a different setting.
pub async fn enqueue_missing(
    connection: &mut PgConnection,
    details: DetailsMode,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    if details == DetailsMode::Never {
        return Ok(0);
    }
    let always = details == DetailsMode::Always;
    let done = sqlx::query!(
        "insert into wanted_detail (said, wanted_since, reason, modified_at, next_at)
         select a.said, $2,
                case when d.said is not null then 'older' when $1 then 'always' else 'lacks' end,
                a.modified_at, $2
         from advisory a
         left join detail d on d.said = a.said
         where case
                   when d.said is not null then is_later(a.modified_at, d.modified_at)
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

/// Removes entries of the revision scan that the feeds have sent in the meantime.
pub async fn forget_settled(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from wanted_detail w
         using advisory a
         where a.said = w.said
           and w.reason = 'sweep'
           and not is_later(w.modified_at, a.modified_at)"
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// The next details that are due with a setting: if details are off, those that the
/// revision scan and watch lists from JSON need. First attempts come before
/// retries, the newest revisions first, and what was throttled last.
pub async fn due(
    connection: &mut PgConnection,
    details: DetailsMode,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select said
         from wanted_detail
         where next_at <= $1
           and ($3 or reason in ('sweep', 'json'))
         order by throttled, attempts, modified_at desc nulls last, said
         limit $2",
        now,
        limit,
        details != DetailsMode::Never
    )
    .fetch_all(connection)
    .await
}

/// When the next details are due; `None` if none are pending.
pub async fn next_at(connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(next_at) from wanted_detail")
        .fetch_one(connection)
        .await
}

/// Records a failed attempt; the pause before the next one grows each time.
pub async fn failed(
    connection: &mut PgConnection,
    said: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let error = outgoing(error);
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

/// Records that details are unavailable: they are requested again after [`RARELY`],
/// or when upstream has a newer version.
pub async fn unavailable(
    connection: &mut PgConnection,
    said: &str,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let why = outgoing(why);
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

/// A pending entry for which a response was received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingDetail {
    /// When it was enqueued.
    pub(crate) since: DateTime<Utc>,
    /// Whether it is removed.
    pub(crate) is_fulfilled: bool,
    /// Whether upstream listed a newer version than the response.
    pub(crate) is_listed_newer: bool,
    /// Whether a watch list needs the response, which does not say all lists it is in.
    pub(crate) lacks_lists: bool,
}

/// Removes the entry that a response of this time completes; it stays if upstream
/// listed a newer version, unless that has a time in the future, which is a mistake, and
/// if a watch list that is read from JSON needs a response that `says_lists`.
/// `None`: there was no entry.
pub(crate) async fn complete(
    connection: &mut PgConnection,
    said: &str,
    (modified_at, says_lists): (Option<DateTime<Utc>>, bool),
    now: DateTime<Utc>,
) -> Result<Option<PendingDetail>, sqlx::Error> {
    let pending = sqlx::query!(
        r#"select wanted_since,
                  reason = 'json' and not $4 as "lacks_lists!",
                  coalesce(is_later(modified_at, $2)
                           and modified_at <= $3::timestamptz + interval '1 day', false) as "is_listed_newer!"
           from wanted_detail
           where said = $1
           for update"#,
        said,
        modified_at,
        now,
        says_lists
    )
    .fetch_optional(&mut *connection)
    .await?;
    let done = sqlx::query!(
        "delete from wanted_detail
         where said = $1
           and (reason <> 'json' or $5)
           and (not is_later(modified_at, $2)
                or modified_at is null
                or modified_at > $4::timestamptz + interval '1 day'
                or $2::timestamptz is null
                or attempts >= $3)",
        said,
        modified_at,
        OLDER_ATTEMPTS,
        now,
        says_lists
    )
    .execute(connection)
    .await?;
    Ok(pending.map(|row| PendingDetail {
        since: row.wanted_since,
        is_fulfilled: done.rows_affected() > 0,
        is_listed_newer: row.is_listed_newer,
        lacks_lists: row.lacks_lists,
    }))
}

pub(crate) fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64()
}
