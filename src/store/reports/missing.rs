//! Details that watch lists need which are read from the JSON API, and that are not fetched.

use sqlx::PgConnection;

/// Details that lists need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingDetails {
    /// Those that are not fetched yet.
    pub pending: i64,
    /// Those of them that cannot be fetched: upstream does not have them, refuses them, or
    /// the last attempt failed.
    pub failed: i64,
    /// Identifiers of the first of them.
    pub examples: Vec<String>,
    /// Why.
    pub error: Option<String>,
}

impl MissingDetails {
    /// The first ones, for messages.
    pub fn named(&self) -> String {
        let named = self.examples.join(", ");
        let more = self.pending > i64::try_from(self.examples.len()).unwrap_or(i64::MAX);
        if more { format!("{named}, …") } else { named }
    }
}

/// The details that followed lists need which are read from the JSON API. Only the details
/// say which lists an advisory is in, so each such list may need each of them.
pub async fn of_lists(connection: &mut PgConnection) -> Result<MissingDetails, sqlx::Error> {
    sqlx::query_as!(
        MissingDetails,
        r#"select count(*) as "pending!",
                  count(*) filter (where w.last_error is not null or d.rests_until is not null) as "failed!",
                  coalesce((array_agg(w.said order by w.said))[1:3], '{}') as "examples!",
                  coalesce(max(w.last_error), max(d.last_error) filter (where d.rests_until is not null)) as error
           from wanted_detail w
           left join source d on d.kind = 'details'
           where w.reason = 'json'
             and exists (
                 select
                 from source s
                 where s.configured
                   and s.served_by = 'json')"#
    )
    .fetch_one(connection)
    .await
}
