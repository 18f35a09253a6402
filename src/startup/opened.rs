//! Opens the configured database, or starts (or joins) the private server.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::time::timeout;
use tracing::warn;

use crate::cluster::{Cluster, ClusterError, ClusterOptions, Role, Shared};
use crate::config::Config;
use crate::store::database::{self, Servers};

/// Maximum time to return connections to the database in good order.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// A database to connect to; no query has been sent yet.
pub(crate) struct Opened {
    /// Connects when first used.
    pub pool: PgPool,
    /// The private server, if there is one.
    pub cluster: Option<Cluster>,
    /// A `psql` command line that connects to it.
    pub psql: String,
    /// The same for members of the group that the private server is shared with.
    pub psql_of_group: Option<String>,
    /// Whether this user may only read, as a member of that group.
    pub may_only_read: bool,
    /// Whether it is the read replica.
    pub is_replica: bool,
    /// The hosts of the configured database, or the private server.
    pub servers: Servers,
}

impl Opened {
    /// Opens the configured database, or starts (or joins) the private one.
    pub async fn open(config: &Config, role: Role) -> anyhow::Result<Self> {
        let prepared = private_server(config, role);
        if let Err(error) = &prepared
            && let Some(ClusterError::PermissionDenied { .. }) = error.downcast_ref()
            && let Some(shared) = shared_server(config)
        {
            return Ok(Self::beside_service(config, &shared));
        }
        let mut cluster = prepared?;
        if let Some(cluster) = &mut cluster {
            cluster.start().await?;
        }
        let opened = Self::new(config, cluster)?;
        if opened.servers.are_several() {
            opened.servers.choose(&opened.pool).await?;
        }
        Ok(opened)
    }

    /// The configured database, or that of the private server, which has started.
    pub fn new(config: &Config, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        let connections = config.database.max_connections;
        if let Some(cluster) = cluster {
            let servers = Servers::from(cluster.connect_options());
            return Ok(Self {
                pool: database::pool(servers.clone(), connections),
                servers,
                psql: cluster.psql(),
                psql_of_group: shared_server(config).and_then(|shared| shared.psql_of_readers()),
                may_only_read: false,
                is_replica: false,
                cluster: Some(cluster),
            });
        }
        let url = config
            .database
            .url
            .as_ref()
            .context("[database] has no url")?;
        let hosts = config
            .database
            .connect_options()?
            .context("[database] has no url")?;
        let servers = Servers::new(hosts, url.is_writable());
        Ok(Self {
            pool: database::pool(servers.clone(), connections),
            servers,
            cluster: None,
            psql: format!("psql '{url}'"),
            psql_of_group: None,
            may_only_read: false,
            is_replica: false,
        })
    }

    /// Opens the read replica, if one is configured: any host of it that answers.
    ///
    /// # Errors
    /// It is configured and cannot be used.
    pub(crate) async fn open_replica(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(url) = &config.database.read_url else {
            return Ok(None);
        };
        let hosts = config.database.replica_options()?;
        let servers = Servers::new(hosts.unwrap_or_default(), false);
        let pool = database::replica_pool(&servers).await?;
        Ok(Some(Self {
            pool,
            servers,
            cluster: None,
            psql: format!("psql '{url}'"),
            psql_of_group: None,
            may_only_read: false,
            is_replica: true,
        }))
    }

    /// The private server of the service, for a member of its group.
    fn beside_service(config: &Config, shared: &Shared) -> Self {
        let servers = Servers::from(shared.connect_options());
        Self {
            pool: database::pool(servers.clone(), config.database.max_connections),
            servers,
            cluster: None,
            psql: shared.psql(),
            psql_of_group: None,
            may_only_read: shared.may_only_read(),
            is_replica: false,
        }
    }

    /// Closes the connections, then the private server if this process started it.
    pub async fn close(self) {
        // A statement that waits for a lock would hold up the end as long as the lock is held.
        if timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            warn!("a statement is still running in the database; its connection is dropped");
        }
        if let Some(cluster) = self.cluster
            && let Err(error) = cluster.stop().await
        {
            warn!(%error, "the private database did not stop cleanly: {error}; it will recover at the next start");
        }
    }
}

/// The private server, not started yet; `None` when another one is configured.
pub(crate) fn private_server(config: &Config, role: Role) -> anyhow::Result<Option<Cluster>> {
    if config.database.url.is_some() {
        return Ok(None);
    }
    let mut options = ClusterOptions::new(role);
    options.share_with.clone_from(&config.database.share_with);
    Ok(Some(Cluster::prepare(&config.state.dir, options)?))
}

/// The private server of the service that runs, for members of a group.
fn shared_server(config: &Config) -> Option<Shared> {
    Shared::of(&config.state.dir, config.database.share_with.is_some())
}
