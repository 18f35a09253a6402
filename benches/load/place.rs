//! Documents, a private PostgreSQL as in production, and databases in it.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterOptions, Role, SUPERUSER};
use advisoryd::simulate::{FeedFile, SimulatorOptions, write_feed};
use advisoryd::store::database;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::Result;

pub struct Place {
    dir: TempDir,
    cluster: Cluster,
}

/// A database with the migrations applied.
pub struct Database {
    pub name: String,
    pub options: PgConnectOptions,
    pub url: String,
}

/// The same world twice, the second time with 1 % of its advisories revised.
pub struct Documents {
    pub first: PathBuf,
    pub changed: PathBuf,
    pub bytes: u64,
}

impl Place {
    pub async fn make() -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("advisoryd-bench-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let mut options = ClusterOptions::new(Role::Daemon);
        options.ready_within = Duration::from_mins(2);
        let cluster = Cluster::open(&dir.path().join("state"), options).await?;
        fs::write(dir.path().join("token"), advisoryd::simulate::DEFAULT_TOKEN)?;
        Ok(Self { dir, cluster })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn documents(&self, size: usize) -> Result<Documents> {
        let options = SimulatorOptions {
            advisories: size,
            watch_lists: 1,
            tickets: 0,
            starts_at: Some("2026-06-01T00:00:00Z".parse()?),
            ..SimulatorOptions::default()
        };
        let write = |name: &str, revisions: u32| -> Result<(PathBuf, u64)> {
            let path = self.file(name);
            let file = FeedFile {
                list: None,
                changed_per_mille: 10,
                revisions,
            };
            let written = write_feed(&options, file, &mut BufWriter::new(File::create(&path)?))?;
            Ok((path, written.bytes))
        };
        let (first, bytes) = write("first.xml", 0)?;
        let (changed, _) = write("changed.xml", 1)?;
        Ok(Documents {
            first,
            changed,
            bytes,
        })
    }

    pub async fn database(&self, name: &str) -> Result<Database> {
        self.admin(&format!("create database {name} owner advisoryd"))
            .await?;
        let options = self.cluster.connect_options().database(name);
        let pool = database::pool(options.clone(), 1);
        database::migrate(&pool).await?;
        pool.close().await;
        self.admin("checkpoint").await?;
        let url = self
            .cluster
            .url()
            .replacen("///advisoryd?", &format!("///{name}?"), 1);
        Ok(Database {
            name: name.to_owned(),
            options,
            url,
        })
    }

    pub async fn drop(&self, database: Database) -> Result<()> {
        self.admin(&format!("drop database {} with (force)", database.name))
            .await
    }

    /// Where the log of the whole server stands, in bytes.
    pub async fn wal(&self) -> Result<u64> {
        let mut connection = self.superuser("postgres").await?;
        let bytes: i64 = sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(u64::try_from(bytes)?)
    }

    pub async fn settle(&self, database: &Database) -> Result<()> {
        let mut connection = self.superuser(&database.name).await?;
        sqlx::query("vacuum analyze")
            .execute(&mut connection)
            .await?;
        sqlx::query("checkpoint").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    pub async fn admin(&self, sql: &str) -> Result<()> {
        let mut connection = self.superuser("postgres").await?;
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    async fn superuser(&self, database: &str) -> Result<PgConnection> {
        let options = self
            .cluster
            .connect_options()
            .username(SUPERUSER)
            .database(database);
        Ok(PgConnection::connect_with(&options).await?)
    }

    pub async fn close(self) -> Result<()> {
        self.cluster.stop().await?;
        Ok(())
    }
}
