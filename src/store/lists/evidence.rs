//! What former runs have shown of a watch list.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What is known of a watch list without asking upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListEvidence {
    /// Whether upstream has shown it: it had an advisory, its feed was read completely, or it
    /// was discovered and has not vanished since.
    pub is_shown: bool,
    /// Whether details have been pending that may show that an advisory is in it.
    pub is_pending: bool,
}

/// Looks up what is known of a watch list. Pending details count if they are pending since
/// before `pending_before`; `None`: however short.
pub async fn of_list(
    connection: &mut PgConnection,
    watch_list_id: i64,
    pending_before: Option<DateTime<Utc>>,
) -> Result<ListEvidence, sqlx::Error> {
    sqlx::query_as!(
        ListEvidence,
        r#"select exists (
                      select
                      from source s
                      where s.watch_list_id = $1
                        and (s.root_element is not null
                             or (s.served_by = 'feed' and s.last_success_at is not null)
                             or exists (select from sighting g where g.source_id = s.id)))
                  or exists (
                      select
                      from discovered_list d
                      where d.id = $1
                        and d.vanished_at is null) as "is_shown!",
                  exists (
                      select
                      from wanted_detail w
                      where w.reason = 'json'
                        and ($2::timestamptz is null or w.wanted_since < $2)) as "is_pending!""#,
        watch_list_id,
        pending_before
    )
    .fetch_one(connection)
    .await
}
