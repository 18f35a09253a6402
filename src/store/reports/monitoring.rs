//! What the metrics show beside the sources: members of lists, delivery queues, and the
//! progress of the evaluation.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::SourceKey;

/// The advisories of one severity that are on a list.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The watch list or extra feed.
    pub key: SourceKey,
    /// Name of the severity, `unknown` included.
    pub severity: String,
    /// How many.
    pub advisories: i64,
}

/// A configured sink and what waits for it.
#[derive(Debug, Clone)]
pub struct SinkQueue {
    /// Its name.
    pub name: String,
    /// Failed attempts since the last success.
    pub failures: i32,
    /// Last successful delivery.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Since when the oldest of them could have been sent.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Deliveries that were given up.
    pub dead_letters: i64,
}

/// How far the evaluation of rules is behind.
#[derive(Debug, Clone)]
pub struct EvaluationLag {
    /// Changes that were not evaluated yet.
    pub changes: i64,
    /// When the oldest of them was stored.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// The number of advisories of each followed list and feed, by severity; 0 included.
pub async fn members(connection: &mut PgConnection) -> Result<Vec<Membership>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.kind, s.watch_list_id, s.extra_feed,
                  severity_name(r.rank) as "severity!", coalesce(found.advisories, 0) as "advisories!"
           from source s
           cross join unnest(array[null, 0, 1, 2, 3, 4, 5]::smallint[]) as r (rank)
           left join (
               select g.source_id, a.severity_rank, count(*) as advisories
               from sighting g
               join advisory a on a.said = g.said
               where g.left_at is null
               group by g.source_id, a.severity_rank) as found
             on found.source_id = s.id and found.severity_rank is not distinct from r.rank
           where s.configured
             and s.kind in ('watch_list', 'extra_feed')
           order by s.kind desc, s.watch_list_id, s.extra_feed, r.rank"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Membership {
            key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
            severity: row.severity,
            advisories: row.advisories,
        })
        .collect())
}

/// The last change. While it and the number of members of each list stay the same,
/// [`members`] returns the same.
pub async fn last_change(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select last from change_counter")
        .fetch_one(connection)
        .await
}

/// The configured sinks. A message waits from the end of its grouping time.
pub async fn sinks(connection: &mut PgConnection) -> Result<Vec<SinkQueue>, sqlx::Error> {
    sqlx::query_as!(
        SinkQueue,
        r#"select s.name, s.failures, s.last_success_at,
                  queue.waiting as "waiting!", queue.oldest_at,
                  (select count(*)
                   from delivery d
                   where d.sink = s.name
                     and d.state = 'dead_letter') as "dead_letters!"
           from sink s
           cross join lateral (
               select count(*) as waiting, min(coalesce(m.sealed_at, m.closes_at)) as oldest_at
               from delivery d
               join message m on m.id = d.message_id
               where d.sink = s.name
                 and d.state = 'waiting') as queue
           where s.configured
           order by s.name"#
    )
    .fetch_all(connection)
    .await
}

/// How far the evaluation is behind; `None` without rules.
pub async fn evaluation_lag(
    connection: &mut PgConnection,
) -> Result<Option<EvaluationLag>, sqlx::Error> {
    sqlx::query_as!(
        EvaluationLag,
        r#"select greatest(c.last - a.evaluated_seq, 0) as "changes!",
                  (select change.at
                   from change
                   where change.seq > a.evaluated_seq
                   order by change.seq
                   limit 1) as oldest_at
           from alerting a
           cross join change_counter c
           where exists (select from rule where is_current)"#
    )
    .fetch_optional(connection)
    .await
}
