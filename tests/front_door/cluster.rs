//! The private PostgreSQL.

mod life;
mod refused;
mod sharing;
mod slow;
mod stale;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use advisoryd::cluster::{Cluster, ClusterError, ClusterOptions, Role};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::support::{PATIENCE, state_dir};

fn options(role: Role) -> ClusterOptions {
    let mut options = ClusterOptions::new(role);
    options.durable = false;
    options.ready_within = PATIENCE;
    options
}

async fn open(state_dir: &Path, role: Role) -> Result<Cluster, ClusterError> {
    Cluster::open(state_dir, options(role)).await
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.connect_options())
        .await
        .unwrap()
}

async fn keep_a_row(cluster: &Cluster) {
    let mut connection = connect(cluster).await;
    connection
        .execute("create table kept (word text); insert into kept values ('still here')")
        .await
        .unwrap();
}

async fn kept_row(cluster: &Cluster) -> String {
    sqlx::query_scalar("select word from kept")
        .fetch_one(&mut connect(cluster).await)
        .await
        .unwrap()
}

/// A state directory whose server was started once: a copy, because creating
/// one takes longer than all else that a test does.
fn seeded_state_dir() -> TempDir {
    static SEED: OnceLock<PathBuf> = OnceLock::new();
    let seed = SEED.get_or_init(|| thread::spawn(seed).join().unwrap());
    let state = state_dir();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(seed)
        .arg(state.path())
        .status()
        .unwrap();
    assert!(copied.success());
    state
}

/// Makes what is copied; on its own thread, because a test's runtime is busy.
fn seed() -> PathBuf {
    let state = state_dir().keep();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = open(&state, Role::Daemon).await.unwrap();
        cluster.stop().await.unwrap();
    });
    state.join("postgresql")
}
