use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use advisoryd::cluster::{Cluster, ClusterOptions, Role, SUPERUSER};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

use super::{schema, state_dir};

/// Most connections of one test's own pool; the cluster has 300 for all.
const POOL_CONNECTIONS: u32 = 5;

/// A migrated database of one test, dropped with the value.
pub struct TestDatabase {
    /// For the program under test and for psql.
    pub url: String,
    /// For the test itself.
    pub pool: PgPool,
    /// The database's name.
    pub name: String,
}

/// Takes the names of databases that are no longer needed.
static DISCARDED: OnceLock<Sender<String>> = OnceLock::new();

/// What all tests of a run share. Never dropped: the server goes with the process.
struct Shared {
    cluster: Cluster,
    template: String,
    how_to_copy: &'static str,
    /// Counts the databases, and lets one be created at a time.
    created: Mutex<u32>,
}

/// A new database from the migrated template.
pub async fn database() -> TestDatabase {
    copy_of(&shared().template).await
}

/// A new database without any table.
pub async fn empty() -> TestDatabase {
    copy_of("template0").await
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(start)
}

/// A new database with the contents of another one.
async fn copy_of(template: &str) -> TestDatabase {
    let shared = shared();
    let mut created = shared.created.lock().await;
    *created += 1;
    let name = format!("test_{created}");
    let mut connection = PgConnection::connect_with(&superuser(&shared.cluster))
        .await
        .expect("a connection to the tests' cluster");
    create(&mut connection, &name, template, shared.how_to_copy).await;
    drop(created);
    connection.close().await.expect("a clean end");

    let options = shared.cluster.connect_options().database(&name);
    let pool = advisoryd::store::database::pool(options, POOL_CONNECTIONS);
    // Not by the program's name: tests count the connections of its processes.
    let options = pool.connect_options().as_ref().clone();
    pool.set_connect_options(options.application_name("test"));
    let url = shared
        .cluster
        .url()
        .replacen("///advisoryd?", &format!("///{name}?"), 1);
    TestDatabase { url, pool, name }
}

impl TestDatabase {
    /// A new database with the same contents. Nobody but the test may be connected to
    /// this one, and no longer uses its pool either.
    pub async fn copy(&self) -> Self {
        self.pool.close().await;
        copy_of(&self.name).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(discarded) = DISCARDED.get() {
            // At the end of the run nobody listens, and the whole cluster goes.
            let _ = discarded.send(std::mem::take(&mut self.name));
        }
    }
}

/// Starts the run's cluster. Each test has its own runtime, which ends with it:
/// what outlives a test is made on a thread with a runtime of its own.
fn start() -> Shared {
    thread::spawn(|| runtime().block_on(start_cluster()))
        .join()
        .expect("the tests' cluster")
}

async fn start_cluster() -> Shared {
    let mut options = ClusterOptions::new(Role::Daemon);
    options.durable = false;
    let cluster = Cluster::open(&state_dir().keep(), options)
        .await
        .expect("a cluster for the tests");
    let template = format!("template_{}", schema::name());
    let mut connection = PgConnection::connect_with(&superuser(&cluster))
        .await
        .expect("a connection to the new cluster");
    let how_to_copy = how_to_copy(&mut connection).await;
    create(&mut connection, &template, "template0", how_to_copy).await;
    let pool = advisoryd::store::database::pool(cluster.connect_options().database(&template), 1);
    schema::prepare(&pool).await;
    pool.close().await;

    let (discarded, received) = channel();
    DISCARDED.set(discarded).expect("one cluster in a run");
    let options = superuser(&cluster);
    thread::spawn(move || discard(&received, &options));
    Shared {
        cluster,
        template,
        how_to_copy,
        created: Mutex::new(0),
    }
}

/// Drops databases beside the tests, so that none waits for it.
fn discard(names: &Receiver<String>, options: &PgConnectOptions) {
    let runtime = runtime();
    while let Ok(name) = names.recv() {
        runtime
            .block_on(async {
                let mut connection = PgConnection::connect_with(options).await?;
                let sql = format!("drop database {name} with (force)");
                sqlx::query(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await?;
                connection.close().await
            })
            .expect("the database is dropped");
    }
}

/// Copying files costs a sixth of writing a template's pages to the log, as
/// PostgreSQL 15 and later do unless told otherwise; earlier ones always copy.
async fn how_to_copy(connection: &mut PgConnection) -> &'static str {
    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(connection)
        .await
        .expect("its version");
    if version >= 150_000 {
        "strategy file_copy"
    } else {
        ""
    }
}

async fn create(connection: &mut PgConnection, name: &str, template: &str, how: &str) {
    let sql = format!("create database {name} template {template} owner advisoryd {how}");
    sqlx::query(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .expect("the database is created");
}

fn superuser(cluster: &Cluster) -> PgConnectOptions {
    cluster
        .connect_options()
        .username(SUPERUSER)
        .database("postgres")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
