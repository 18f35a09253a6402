//! The source locks of an erasure: a run that is under way could write a text back that was
//! read before it was erased.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{LeaseHolder, SourceKey};
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::source;
use crate::store::lists::mirror;

/// How often locks are tried that others hold.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub(super) enum ErasedPart {
    /// The tickets.
    Tickets,
    /// All sources, and what watch lists contain.
    Everything,
}

/// Locks that are held.
pub(super) struct Locked {
    sources: SourceLock,
    lists: Option<SourceLock>,
    guard: Guard,
}

impl Locked {
    /// Takes the locks. Waits at most `patience` for runs that are under way.
    pub(super) async fn take(
        pool: &PgPool,
        what: ErasedPart,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + patience;
        let mut is_reported = false;
        loop {
            let holder = match Self::try_take(pool, what).await? {
                Ok(locked) => return Ok(locked),
                Err(holder) => holder,
            };
            if Instant::now() >= until {
                return Err(Failure::Reading { holder });
            }
            if !is_reported {
                warn!("waiting for a run that is under way ({holder})");
                is_reported = true;
            }
            sleep(TRY_EVERY).await;
        }
    }

    async fn try_take(
        pool: &PgPool,
        what: ErasedPart,
    ) -> Result<Result<Self, LeaseHolder>, Failure> {
        let sources = match what {
            ErasedPart::Tickets => SourceLock::take(pool, tickets(pool).await?).await?,
            ErasedPart::Everything => {
                let all = SourceLock::take_all(pool).await?;
                all.map_err(|(_, holder)| holder)
            }
        };
        let sources = match sources {
            Ok(sources) => sources,
            Err(holder) => return Ok(Err(holder)),
        };
        let lists = match what {
            ErasedPart::Tickets => None,
            ErasedPart::Everything => match mirror::lock(pool).await? {
                Ok(lists) => Some(lists),
                Err(holder) => {
                    sources.release().await;
                    return Ok(Err(holder));
                }
            },
        };
        let guard = Guard::of_all(pool, std::iter::once(&sources).chain(&lists));
        Ok(Ok(Self {
            sources,
            lists,
            guard,
        }))
    }

    /// Begins transactions that write only while all locks are ours.
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) async fn release(self) {
        self.sources.release().await;
        if let Some(lists) = self.lists {
            lists.release().await;
        }
    }
}

/// The row of the tickets in `source`.
async fn tickets(pool: &PgPool) -> Result<i32, Failure> {
    let mut connection = pool.acquire().await?;
    let key = SourceKey::Tickets;
    let found = source::find(&mut connection, &key).await?;
    let found = found.ok_or_else(|| Failure::NoSource { key: key.label() })?;
    Ok(found.id)
}
