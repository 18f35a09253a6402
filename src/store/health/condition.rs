//! Health conditions: the data they are derived from, and their stored state.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Condition, ConditionState, IngestedVia, RunFailure, SourceKey};

/// A followed source: the values that health conditions depend on.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// The source.
    pub key: SourceKey,
    /// The API that a watch list's advisories are read from.
    pub ingested_via: IngestedVia,
    /// Followed since.
    pub followed_since: Option<DateTime<Utc>>,
    /// End of the covered time, by upstream's clock.
    pub covered_to: Option<DateTime<Utc>>,
    /// When its last complete run ended.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Error of the last run.
    pub last_error: Option<String>,
    /// When it failed.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Kind of the failure.
    pub last_failure: Option<RunFailure>,
    /// Records in quarantine.
    pub quarantined: i64,
    /// Names of fields that were first received during the last day.
    pub unknown_fields: Vec<String>,
    /// Gaps in the covered time.
    pub gaps: i64,
    /// Members that a full pull did not contain, while that is not believed.
    pub doubt: Option<MissingMembers>,
    /// How often it brings something.
    pub activity: Activity,
    /// Members that the last full pull lacked because it did not go back as far as
    /// requested, and the date of its oldest record.
    pub cut_off: Option<(i64, DateTime<Utc>)>,
    /// Advisories of which it sent different contents in turn during the last week: how many,
    /// and one of them.
    pub alternating: Option<(i64, String)>,
}

/// How often a list or extra feed brings something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    /// Newest release or modification, by upstream's clock.
    pub news_at: Option<DateTime<Utc>>,
    /// Longest time without one, in seconds.
    pub usual_gap_seconds: Option<f64>,
    /// Advisories usually released in 14 days.
    pub usual_count: Option<f64>,
    /// Advisories released in the last 14 days.
    pub recent_count: Option<i64>,
}

/// Members that a full pull did not contain.
#[derive(Debug, Clone, Copy)]
pub struct MissingMembers {
    /// Start of the first full pull without them.
    pub since: DateTime<Utc>,
    /// Their number.
    pub missing: i64,
    /// The number of members that it should have contained.
    pub known: i64,
}

/// A configured sink.
#[derive(Debug, Clone)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// Failed attempts since the last success.
    pub failures: i32,
    /// Time of the first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// Error of the last one.
    pub last_error: Option<String>,
}

/// Stores since when each source has been followed without interruption.
pub async fn follow(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update source
         set followed_since = case when configured then $1::timestamptz end
         where configured is distinct from (followed_since is not null)",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The followed sources at the time `now`.
#[expect(clippy::too_many_lines, reason = "most of it is one query")]
pub async fn sources(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<SourceState>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.kind, s.watch_list_id, s.extra_feed, s.served_by, s.followed_since, least(upper(s.covered), (select r.changes_until from ticket_reading r where s.kind = 'tickets' and r.filter = 'created')) as covered_to,
                  s.last_success_at, s.last_error, s.last_error_at, s.last_failure,
                  (select count(*) from quarantine q where q.source_id = s.id) as "quarantined!",
                  array(select f.name
                        from unknown_field f
                        where f.source_id = s.id
                          and f.first_seen_at > $1::timestamptz - interval '1 day'
                        order by f.name) as "unknown_fields!",
                  case
                      when isempty(s.covered) then 0
                      else (select count(*) from unnest(s.covered)) - 1
                  end as "gaps!",
                  s.doubted_at, s.doubted_known,
                  s.news_at, extract(epoch from s.usual_gap)::float8 as usual_gap_seconds,
                  s.usual_count, s.recent_count, s.cut_off, s.oldest_at,
                  t.alternating as "alternating!", t.said,
                  (select coalesce(sum(upper(r) - lower(r)), 0)::bigint from unnest(s.doubted) as r) as "doubted!"
           from source s
           cross join lateral (
               select count(*) as alternating, min(a.said) as said
               from (select g.said
                     from sighting g
                     where g.source_id = s.id
                       and g.alternates_at > $1::timestamptz - interval '7 days'
                     union all
                     select d.said
                     from detail d
                     where s.kind = 'details'
                       and d.alternates_at > $1::timestamptz - interval '7 days') as a) as t
           where s.configured
           order by s.kind desc, s.watch_list_id, s.extra_feed"#,
        now
    )
    .fetch_all(connection)
    .await?;
    let states = rows.into_iter().map(|row| SourceState {
        key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
        ingested_via: IngestedVia::from_name(&row.served_by),
        followed_since: row.followed_since,
        covered_to: row.covered_to,
        last_success_at: row.last_success_at,
        last_error: row.last_error,
        last_error_at: row.last_error_at,
        last_failure: row.last_failure.as_deref().and_then(RunFailure::from_name),
        quarantined: row.quarantined,
        unknown_fields: row.unknown_fields,
        gaps: row.gaps,
        doubt: row.doubted_at.map(|since| MissingMembers {
            since,
            missing: row.doubted,
            known: row.doubted_known.unwrap_or(0),
        }),
        activity: Activity {
            news_at: row.news_at,
            usual_gap_seconds: row.usual_gap_seconds,
            usual_count: row.usual_count,
            recent_count: row.recent_count,
        },
        cut_off: row.oldest_at.map(|oldest_at| (row.cut_off, oldest_at)),
        alternating: row.said.map(|said| (row.alternating, said)),
    });
    Ok(states.collect())
}

/// The configured sinks.
pub async fn sinks(connection: &mut PgConnection) -> Result<Vec<SinkState>, sqlx::Error> {
    sqlx::query_as!(
        SinkState,
        "select name, failures, failing_since, last_error
         from sink
         where configured
         order by name"
    )
    .fetch_all(connection)
    .await
}

/// Every condition that ever occurred, as last reported.
pub async fn states(connection: &mut PgConnection) -> Result<Vec<ConditionState>, sqlx::Error> {
    let rows = sqlx::query!(
        "select what, key, occurrence, is_raised, since, quiet_since, over_at, value, summary
         from condition
         order by what, key"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(ConditionState {
                // A condition of a newer version is ignored.
                condition: Condition::from_name(&row.what)?,
                key: row.key,
                occurrence: row.occurrence,
                is_raised: row.is_raised,
                since: row.since,
                quiet_since: row.quiet_since,
                over_at: row.over_at,
                value: row.value,
                summary: row.summary,
            })
        })
        .collect())
}

/// Stores the new state of a condition.
pub async fn write(
    connection: &mut PgConnection,
    state: &ConditionState,
) -> Result<(), sqlx::Error> {
    let ConditionState {
        condition,
        key,
        occurrence,
        is_raised,
        since,
        quiet_since,
        over_at,
        value,
        summary,
    } = state;
    sqlx::query!(
        "insert into condition (what, key, occurrence, is_raised, since, quiet_since, over_at, value, summary)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (what, key) do update
         set occurrence = excluded.occurrence,
             is_raised = excluded.is_raised,
             since = excluded.since,
             quiet_since = excluded.quiet_since,
             over_at = excluded.over_at,
             value = excluded.value,
             summary = excluded.summary",
        condition.name(),
        key,
        occurrence,
        is_raised,
        since,
        *quiet_since,
        *over_at,
        value,
        summary
    )
    .execute(connection)
    .await?;
    Ok(())
}
