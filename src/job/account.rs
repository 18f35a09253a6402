//! Binds what is covered to the account of upstream: a token says nothing about whose it is.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tracing::warn;

use crate::config::{ApiToken, Upstream};
use crate::http::account as hash;
use crate::store::ledger::account::{self, BoundAccount};

/// Compares the account with the one that the database was read with. With another one,
/// everything is read again in full: a cursor of one account says nothing about another, and
/// nobody can distinguish a new token of the same account from one of another account.
pub async fn bind(
    pool: &PgPool,
    upstream: &Upstream,
    token: &ApiToken,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if upstream.offline {
        return Ok(());
    }
    let own = BoundAccount {
        account: hash(&upstream.base_url, token),
        origin: upstream.base_url.origin().ascii_serialization(),
    };
    let mut transaction = pool.begin().await?;
    let current = account::lock_current(&mut transaction).await?;
    let is_same = current
        .as_ref()
        .is_some_and(|current| current.account == own.account);
    if is_same || account::is_in_turn(&mut transaction, &own.account).await? {
        return Ok(());
    }
    account::bind(&mut transaction, &own, now).await?;
    // A database that no account is known of is new, or of an earlier version.
    let sources = match &current {
        Some(_) => account::begin_anew(&mut transaction, now).await?,
        None => 0,
    };
    transaction.commit().await?;
    if let Some(former) = current.filter(|_| sources > 0) {
        let what = if former.origin == own.origin {
            "the token is another one than before".to_owned()
        } else {
            format!("upstream is {} now, and was {}", own.origin, former.origin)
        };
        warn!(
            "{what}; it may be another account, so all feeds and tickets are read in full again; until then nothing counts as covered"
        );
    }
    Ok(())
}
