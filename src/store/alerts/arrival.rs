//! Alerts that report an advisory in a watch list, and further lists for them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// An alert about an advisory that appeared or joined a watch list.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its id.
    pub id: Uuid,
    /// Its rule.
    pub rule: String,
    /// The advisory.
    pub key: String,
    /// When the change was stored.
    pub at: DateTime<Utc>,
    /// Whether the current definition of the rule raised it, and no silence suppressed it.
    pub is_reported: bool,
    /// Whether a silence suppressed it.
    pub is_silenced: bool,
}

/// Those of these advisories, in order of time.
pub(crate) async fn of_keys(
    connection: &mut PgConnection,
    keys: &[String],
) -> Result<Vec<Arrival>, sqlx::Error> {
    sqlx::query_as!(
        Arrival,
        r#"select a.id, a.rule, a.key, a.at,
                  a.silence_id is null and coalesce(a.seq > r.after_seq, false) as "is_reported!",
                  a.silence_id is not null as "is_silenced!"
           from alert a
           left join rule r on r.name = a.rule and r.is_current
           where a.key = any($1)
             and a.kind = 'advisory'
             and a.what in ('appeared', 'joined_watch_list')
           order by a.at, a.seq"#,
        keys
    )
    .fetch_all(connection)
    .await
}

/// Adds watch lists to alerts whose message is not sealed. What was sent stays as it was
/// sent.
pub(crate) async fn add_lists(
    connection: &mut PgConnection,
    lists: &[(Uuid, i64)],
) -> Result<(), sqlx::Error> {
    for (id, list) in lists {
        sqlx::query!(
            "with open as (
                 select m.id
                 from alert a
                 join message m on m.id = a.message_id
                 where a.id = $1
                   and m.sealed_at is null
                 for update of m)
             update alert a
             set body = a.body || jsonb_build_object(
                 'watch_list_ids', coalesce(a.body -> 'watch_list_ids', '[]') || to_jsonb($2::bigint),
                 'watch_list_names', coalesce(a.body -> 'watch_list_names', '[]') || to_jsonb(left(coalesce(
                     (select coalesce(s.name, d.name)
                      from source s
                      left join discovered_list d on d.id = s.watch_list_id
                      where s.watch_list_id = $2), $2::text), 200)))
             from open
             where a.id = $1
               and a.message_id = open.id
               and not coalesce(a.body -> 'watch_list_ids', '[]') @> to_jsonb($2::bigint)",
            id,
            list
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
