//! The account of upstream that the covered time belongs to.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// An account that the database was read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundAccount {
    /// Keyed hash of origin and token.
    pub account: String,
    /// Origin of upstream.
    pub origin: String,
}

/// The account that the covered time belongs to; others wait until the transaction ends.
pub(crate) async fn lock_current(
    connection: &mut PgConnection,
) -> Result<Option<BoundAccount>, sqlx::Error> {
    sqlx::query!("lock table upstream_account in share row exclusive mode")
        .execute(&mut *connection)
        .await?;
    sqlx::query_as!(
        BoundAccount,
        "select account, origin
         from upstream_account
         order by bound_at desc
         limit 1"
    )
    .fetch_optional(connection)
    .await
}

/// Whether the database was read with the account before, and a daemon that runs works with
/// another one: they read in turn.
pub(crate) async fn is_in_turn(
    connection: &mut PgConnection,
    account: &str,
) -> Result<bool, sqlx::Error> {
    let others = sqlx::query_scalar!(
        r#"select d.id
           from daemon d
           where d.account <> $1
             and exists (select from upstream_account a where a.account = $1)"#,
        account
    )
    .fetch_all(&mut *connection)
    .await?;
    let daemons = super::daemon::list(connection).await?;
    Ok(daemons
        .iter()
        .any(|daemon| daemon.running && others.contains(&daemon.id)))
}

/// Binds the covered time to an account.
pub(crate) async fn bind(
    connection: &mut PgConnection,
    bound: &BoundAccount,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into upstream_account (account, origin, bound_at)
         values ($1, $2, greatest($3, (select max(bound_at) + interval '1 microsecond' from upstream_account)))
         on conflict (account) do update
         set origin = excluded.origin,
             bound_at = excluded.bound_at",
        bound.account,
        bound.origin,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what is covered, where upstream refused requests, and how tickets are filtered:
/// everything is read again in full. The data stays, and so does what was known before, so
/// that only differences become changes. Returns how many sources were read before.
pub(crate) async fn begin_anew(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let sources = sqlx::query!(
        "update source
         set covered = '{}',
             rests_until = null,
             followed_since = case when configured then $1::timestamptz end
         where kind <> 'details'
           and not isempty(covered)",
        now
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from ticket_walk")
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "update ticket_reading
         set cursor_at = null,
             full_walk_at = null,
             filter_checked_at = null"
    )
    .execute(&mut *connection)
    .await?;
    // The other account may see what this one could not.
    sqlx::query!(
        "update wanted_detail
         set next_at = $1
         where next_at > $1
           and last_error is not null",
        now
    )
    .execute(connection)
    .await?;
    Ok(sources.rows_affected())
}

/// The sources that were not read completely since the covered time belongs to another
/// account, and since when that is.
#[derive(Debug, Clone)]
pub(crate) struct UnreadSources {
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many sources.
    pub sources: i64,
}

/// The sources that are not read yet with the current account; `None` if all are, or if
/// there was no other.
pub(crate) async fn unread(
    connection: &mut PgConnection,
) -> Result<Option<UnreadSources>, sqlx::Error> {
    sqlx::query_as!(
        UnreadSources,
        r#"select a.bound_at as "since!", s.sources as "sources!"
           from (select max(bound_at) as bound_at, count(*) as accounts from upstream_account) as a,
                (select count(*) as sources
                 from source
                 where configured
                   and kind in ('watch_list', 'extra_feed', 'tickets')
                   and last_success_at is not null
                   and isempty(covered)) as s
           where a.accounts > 1
             and s.sources > 0"#
    )
    .fetch_optional(connection)
    .await
}
