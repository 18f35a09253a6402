//! Full pulls of feeds and full scans of tickets that failed since the last complete one.
//! The runs between them may all be complete, and see none of what only these see.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::model::SourceKey;

/// Pause after a full read that failed for the first time; it doubles with each failure.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);
/// The longest pause.
const RETRY_AT_LEAST: TimeDelta = TimeDelta::days(1);
/// Doublings after which the longest pause is reached.
const MOST_DOUBLINGS: u32 = 5;

/// A source whose last full read failed.
#[derive(Debug, Clone)]
pub struct FailedFullRead {
    /// The source.
    pub key: SourceKey,
    /// When the first one failed.
    pub since: DateTime<Utc>,
    /// When the last one failed.
    pub last_at: DateTime<Utc>,
    /// How often it failed in a row.
    pub times: i64,
    /// Why the last one did.
    pub error: String,
    /// When the last complete one ended.
    pub complete_at: Option<DateTime<Utc>>,
}

impl FailedFullRead {
    /// What a full read of the source is called.
    pub fn name(&self) -> &'static str {
        match self.key {
            SourceKey::Tickets => "full scan",
            _ => "full pull",
        }
    }

    /// What is not known without it.
    pub fn unknown(&self) -> &'static str {
        match self.key {
            SourceKey::Tickets => "tickets that are gone",
            _ => "advisories that left the list, and old ones that were added to it,",
        }
    }

    /// When it is tried again before its schedule comes.
    pub fn again_at(&self) -> DateTime<Utc> {
        let doublings = u32::try_from(self.times - 1)
            .unwrap_or(0)
            .min(MOST_DOUBLINGS);
        self.last_at + (RETRY_AFTER * 2_i32.pow(doublings)).min(RETRY_AT_LEAST)
    }

    /// That it failed, and what is not known, in words.
    pub fn sentence(&self) -> String {
        format!(
            "the last {} failed at {}: {}; until one is complete, {} are not detected",
            self.name(),
            self.last_at.format("%Y-%m-%d %H:%M:%S UTC"),
            self.error,
            self.unknown()
        )
    }
}

/// The followed sources whose last full read failed.
pub async fn failed(connection: &mut PgConnection) -> Result<Vec<FailedFullRead>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.kind, s.watch_list_id, s.extra_feed,
                  f.since as "since!", f.last_at as "last_at!", f.times as "times!", coalesce(f.error, '') as "error!",
                  greatest(s.full_at, complete.finished_at) as complete_at
           from source s
           left join lateral (
               select r.id, r.finished_at
               from sync_run r
               where r.source_id = s.id
                 and r.mode = 'full'
                 and r.outcome = 'ok'
               order by r.id desc
               limit 1) as complete on true
           cross join lateral (
               select min(r.finished_at) as since, max(r.finished_at) as last_at,
                      count(*) as times,
                      (array_agg(r.error order by r.id desc))[1] as error
               from sync_run r
               where r.source_id = s.id
                 and r.mode = 'full'
                 and r.outcome = 'failed'
                 and r.id > coalesce(complete.id, 0)
                 and (s.full_at is null or r.started_at > s.full_at)) as f
           where s.configured
             and s.covered <> '{}'
             and f.since is not null
           order by s.kind desc, s.watch_list_id, s.extra_feed"#
    )
    .fetch_all(connection)
    .await?;
    let failed = rows.into_iter().map(|row| FailedFullRead {
        key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
        since: row.since,
        last_at: row.last_at,
        times: row.times,
        error: row.error,
        complete_at: row.complete_at,
    });
    Ok(failed.collect())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::FailedFullRead;
    use crate::model::SourceKey;

    #[test]
    fn the_pause_after_a_failure_doubles_up_to_a_day() {
        for (times, hours) in [(1, 1), (2, 2), (5, 16), (6, 24), (1_000_000, 24)] {
            let failed = FailedFullRead {
                key: SourceKey::Tickets,
                since: DateTime::UNIX_EPOCH,
                last_at: DateTime::UNIX_EPOCH,
                times,
                error: String::new(),
                complete_at: None,
            };
            let pause = failed.again_at() - failed.last_at;
            assert_eq!(pause, TimeDelta::hours(hours), "{times}");
        }
    }
}
