//! Start of the daemon: opens the database, waits for it, migrates it, and records the
//! configuration.

use std::sync::Arc;

use anyhow::Context as _;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::claim::{RECORDING, claim};
use super::outage::{self, ReconnectBackoff, is_away};
use super::private_server;
use super::start::StartOptions;
use super::{systemd, web};
use crate::clock::Clock;
use crate::cluster::Role;
use crate::config::Config;
use crate::startup::{self, Opened};
use crate::store::database::{self, MigrateError, Refusal, Servers};
use crate::store::ledger::daemon::Announced;

/// What a daemon is started with.
pub(super) struct Startup {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) health: Arc<web::EndpointState>,
    pub(super) stop: CancellationToken,
    pub(super) stopping: CancellationToken,
}

impl Startup {
    /// Opens or starts the database; `None` if advisoryd is asked to stop first.
    pub(super) async fn open(
        &self,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Option<Opened>> {
        let mut cluster = startup::private_server(&self.config, Role::Daemon)?;
        if !private_server::start(&mut cluster, stop).await? {
            return Ok(None);
        }
        let opened = Opened::new(&self.config, cluster)?;
        self.health
            .set_database(opened.pool.clone(), opened.servers.clone());
        Ok(Some(opened))
    }

    /// Announces this daemon and records its configuration; returns its row of `daemon`.
    async fn record(
        &self,
        pool: &PgPool,
        announced: &Announced,
        options: StartOptions,
    ) -> anyhow::Result<i64> {
        let row = claim(pool, announced, options.replace_configuration).await?;
        let recording = startup::configure(&self.config, pool, self.clock.now());
        systemd::while_starting(RECORDING, recording)
            .await
            .context("the configuration could not be recorded in the database")?;
        Ok(row)
    }

    /// Waits until the database is reachable, runs the migrations and records the
    /// configuration; `None` if advisoryd stops first.
    pub(super) async fn wait_until_migrated(
        &self,
        pool: &PgPool,
        servers: &Servers,
        announced: &Announced,
        options: StartOptions,
    ) -> anyhow::Result<Option<i64>> {
        if servers.are_several() {
            // A pool begins with the first host. Whether none will do, is said below.
            let _ = servers.choose(pool).await;
        }
        let mut pauses = ReconnectBackoff::new();
        loop {
            let migrating = async {
                // Its error names the host and the reason.
                database::reachable(pool).await.map_err(|error| {
                    match Refusal::of(&error, pool) {
                        Some(refusal) => MigrateError::Refused(refusal),
                        None => MigrateError::Schema(error),
                    }
                })?;
                database::migrate(pool).await
            };
            let migrated = systemd::while_starting("migrating the database", migrating);
            let error = match migrated.await {
                Ok(()) => match self.record(pool, announced, options).await {
                    Err(error) if is_away(&error) => error,
                    recorded => return recorded.map(Some),
                },
                Err(error) if error.is_away() => anyhow::Error::new(error),
                Err(error) => return Err(error.into()),
            };
            let pause = outage::wait_to_start(pool, &mut pauses, &error);
            if self.stop.run_until_cancelled(pause).await.is_none() {
                return Ok(None);
            }
        }
    }
}
