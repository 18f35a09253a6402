//! Details that are not fetched although something is missing without them: watch lists that are
//! read from the JSON API need them, or the revision scan has seen them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// How long revisions may wait for their details, which are fetched after all else.
const LATE: TimeDelta = TimeDelta::hours(6);

/// Details that something needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingDetails {
    /// Those that are not fetched yet.
    pub pending: i64,
    /// Those of them that cannot be fetched: upstream does not have them, refuses them, or
    /// the last attempt failed.
    pub failed: i64,
    /// Identifiers of the first of them, those that cannot be fetched before the others.
    pub examples: Vec<String>,
    /// Why.
    pub error: Option<String>,
}

impl MissingDetails {
    /// The first ones, for messages.
    pub fn named(&self) -> String {
        self.first_of(self.pending)
    }

    /// The first ones of those that cannot be fetched.
    pub fn named_failed(&self) -> String {
        self.first_of(self.failed)
    }

    fn first_of(&self, count: i64) -> String {
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let named = self.examples[..self.examples.len().min(most)].join(", ");
        if most > self.examples.len() {
            format!("{named}, …")
        } else {
            named
        }
    }
}

/// The details that followed lists need which are read from the JSON API. Only the details
/// say which lists an advisory is in, so each such list may need each of them.
pub async fn of_lists(connection: &mut PgConnection) -> Result<MissingDetails, sqlx::Error> {
    sqlx::query_as!(
        MissingDetails,
        r#"select count(*) as "pending!",
                  count(*) filter (where w.last_error is not null or d.rests_until is not null) as "failed!",
                  coalesce((array_agg(w.said order by w.last_error is null and d.rests_until is null, w.said))[1:3], '{}') as "examples!",
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

/// Revisions of stored advisories that upstream has listed, that no feed has brought, and whose
/// details failed or are pending for long: the stored versions are older than upstream's.
pub async fn of_revisions(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<MissingDetails, sqlx::Error> {
    sqlx::query_as!(
        MissingDetails,
        r#"select count(*) as "pending!",
                  count(*) filter (where w.last_error is not null or d.rests_until is not null) as "failed!",
                  coalesce((array_agg(w.said order by w.last_error is null and d.rests_until is null, w.said))[1:3], '{}') as "examples!",
                  coalesce(max(w.last_error), max(d.last_error) filter (where d.rests_until is not null)) as error
           from wanted_detail w
           join advisory a on a.said = w.said
           left join source d on d.kind = 'details'
           where (w.reason = 'sweep'
                  or (w.reason = 'json'
                      and not exists (
                          select
                          from source s
                          where s.configured
                            and s.served_by = 'json')))
             and is_later(w.modified_at, a.modified_at) is not false
             and (w.last_error is not null
                  or d.rests_until is not null
                  or w.wanted_since < $1)"#,
        now - LATE
    )
    .fetch_one(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::MissingDetails;

    #[test]
    fn as_many_are_named_as_are_counted() {
        let examples = ["SA2", "SA1", "SA3"].map(str::to_owned).to_vec();
        for (pending, failed, named, named_failed) in [
            (3, 1, "SA2, SA1, SA3", "SA2"),
            (9, 3, "SA2, SA1, SA3, …", "SA2, SA1, SA3"),
            (9, 9, "SA2, SA1, SA3, …", "SA2, SA1, SA3, …"),
        ] {
            let missing = MissingDetails {
                pending,
                failed,
                examples: examples.clone(),
                error: None,
            };
            assert_eq!(missing.named(), named);
            assert_eq!(missing.named_failed(), named_failed);
        }
    }
}
