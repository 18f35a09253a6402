//! Source lock: a source is read by one run at a time, across processes. It is a lease
//! that a task of its own renews.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::given_back;
use super::lease::{self, Fence, LeaseName};
use crate::model::LeaseHolder;
use crate::store::database;

/// How often a lease is renewed: three attempts may fail before it expires.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// A source that is locked for one run, or all sources for a replay. Dropping it unlocks
/// a moment later.
///
/// The renewals have a connection of their own and not one of the pool's, which may all
/// be in use for longer than the lease is valid.
pub struct SourceLock {
    fences: Arc<[Fence]>,
    renewing: JoinHandle<()>,
    release: DropGuard,
}

impl SourceLock {
    /// Locks the source; if another run has it, returns its process.
    pub async fn take(
        pool: &PgPool,
        source_id: i32,
    ) -> Result<Result<Self, LeaseHolder>, sqlx::Error> {
        Self::take_lease(pool, LeaseName::Source(source_id)).await
    }

    /// Takes the lease; if another process has it, returns that.
    pub(crate) async fn take_lease(
        pool: &PgPool,
        name: LeaseName,
    ) -> Result<Result<Self, LeaseHolder>, sqlx::Error> {
        let mut connection = database::connect(pool).await?;
        match take(pool, &mut connection, name).await? {
            Ok(fence) => Ok(Ok(Self::renewed(pool, connection, vec![fence]))),
            Err(holder) => {
                connection.close().await?;
                Ok(Err(holder))
            }
        }
    }

    /// Locks every source; if a run has one of them, returns its row in `source` and the
    /// process.
    pub async fn take_all(pool: &PgPool) -> Result<Result<Self, (i32, LeaseHolder)>, sqlx::Error> {
        let mut connection = database::connect(pool).await?;
        let ids = sqlx::query_scalar!("select id from source order by id")
            .fetch_all(&mut connection)
            .await?;
        let mut fences = Vec::with_capacity(ids.len());
        for id in ids {
            match take(pool, &mut connection, LeaseName::Source(id)).await? {
                Ok(fence) => fences.push(fence),
                Err(holder) => {
                    lease::release(&mut connection, &fences).await?;
                    connection.close().await?;
                    return Ok(Err((id, holder)));
                }
            }
        }
        Ok(Ok(Self::renewed(pool, connection, fences)))
    }

    fn renewed(pool: &PgPool, connection: PgConnection, fences: Vec<Fence>) -> Self {
        let fences: Arc<[Fence]> = fences.into();
        let released = CancellationToken::new();
        let renewal = Renewal {
            pool: pool.clone(),
            connection: Some(connection),
            fences: Arc::clone(&fences),
        };
        Self {
            fences,
            renewing: tokio::spawn(renewal.run(released.clone())),
            release: released.drop_guard(),
        }
    }

    /// What every transaction must check that relies on the lock.
    pub fn fences(&self) -> &Arc<[Fence]> {
        &self.fences
    }

    /// Unlocks the source and waits for it: a run that begins at once would otherwise find
    /// the source locked.
    pub async fn release(self) {
        drop(self.release);
        if let Err(error) = self.renewing.await {
            debug!(%error, "the renewals of a source lock ended unexpectedly");
        }
    }
}

async fn take(
    pool: &PgPool,
    connection: &mut PgConnection,
    name: LeaseName,
) -> Result<Result<Fence, LeaseHolder>, sqlx::Error> {
    lease::take_after(connection, name, given_back::epoch(pool, name)).await
}

/// Renews leases until they are given back or lost.
struct Renewal {
    pool: PgPool,
    connection: Option<PgConnection>,
    fences: Arc<[Fence]>,
}

impl Renewal {
    async fn run(mut self, released: CancellationToken) {
        loop {
            let pause = tokio::time::sleep(RENEW_EVERY);
            if released.run_until_cancelled(pause).await.is_none() {
                break;
            }
            match timeout(RENEW_EVERY, self.renew()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    let names = self.names();
                    debug!("another process has taken `{names}`; this run writes nothing any more");
                    return;
                }
                Ok(Err(error)) => {
                    debug!(%error, "a source lock could not be renewed; trying again");
                    self.connection = None;
                }
                Err(_) => self.connection = None,
            }
        }
        given_back::note(&self.pool, &self.fences);
        match timeout(RENEW_EVERY, self.release()).await {
            Ok(Ok(())) => given_back::forget(&self.pool, &self.fences),
            Ok(Err(error)) => debug!(%error, "a source lock was not released; it will expire"),
            Err(_) => debug!("the database is too slow to release a source lock; it will expire"),
        }
    }

    async fn renew(&mut self) -> Result<bool, sqlx::Error> {
        let fences = Arc::clone(&self.fences);
        lease::renew(self.connection().await?, &fences).await
    }

    async fn release(&mut self) -> Result<(), sqlx::Error> {
        let fences = Arc::clone(&self.fences);
        if let Err(error) = lease::release(self.connection().await?, &fences).await {
            debug!(%error, "the connection of a source lock was lost");
            self.connection = None;
            lease::release(self.connection().await?, &fences).await?;
        }
        match self.connection.take() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => database::connect(&self.pool).await?,
        };
        Ok(self.connection.insert(connection))
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.fences.iter().map(|one| one.name.to_string()).collect();
        names.join("`, `")
    }
}
