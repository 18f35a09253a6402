//! The private PostgreSQL.

mod blocked;
mod full_disk;
mod full_disk_load;
mod group;
mod life;
mod links;
mod recovery;
mod refused;
mod roles;
mod share_with;
mod sharing;
mod slow;
mod stale;
mod suspended;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use advisoryd::cluster::{Cluster, ClusterError, ClusterOptions, Role};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::support::{Daemon, PATIENCE, binary, state_dir};

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
        .execute(
            "create schema kept; create table kept.kept (word text);
             insert into kept.kept values ('still here')",
        )
        .await
        .unwrap();
}

async fn kept_row(cluster: &Cluster) -> String {
    sqlx::query_scalar("select word from kept.kept")
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

/// A shell script, to be run as the user that the server of `state_dir` runs as.
fn as_server_user(state_dir: &Path, script: &str) -> Command {
    let owner = fs::metadata(state_dir.join("postgresql")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}

/// Gives what a test put there to the user whom a new server runs as.
fn give_to_server_user(path: &Path) {
    if is_root() {
        let mut command = Command::new("chown");
        command.args(["-R", "postgres:postgres"]).arg(path);
        assert!(command.status().unwrap().success());
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The server on the data of `state_dir`, by its lock file.
fn server_of(state_dir: &Path) -> Option<u32> {
    let file = state_dir.join("postgresql/data/postmaster.pid");
    let content = fs::read_to_string(file).ok()?;
    content.lines().next()?.parse().ok()
}

/// A server that was started on the data of `state_dir`, by its command line: it may have
/// no lock file yet.
fn started_server(state_dir: &Path) -> Option<u32> {
    let arguments = format!("\0-D\0{}/postgresql/data\0", state_dir.display());
    fs::read_dir("/proc").unwrap().find_map(|entry| {
        let process = entry.ok()?;
        let command_line = fs::read_to_string(process.path().join("cmdline")).ok()?;
        let pid = process.file_name().to_str()?.parse().ok()?;
        command_line.contains(&arguments).then_some(pid)
    })
}

/// The built program with a configuration for `state_dir`, whose upstream is
/// never there.
fn program(state_dir: &Path, arguments: &[&str]) -> Command {
    program_with(state_dir, "", arguments)
}

/// The same with settings of its own.
fn program_with(state_dir: &Path, settings: &str, arguments: &[&str]) -> Command {
    let config = state_dir.with_extension("toml");
    let token = state_dir.with_extension("token");
    fs::write(&token, "nobody-asks-for-it").unwrap();
    let text = format!(
        "[upstream]\nbase_url = \"http://127.0.0.1:9\"\ntoken_file = \"{}\"\n\
         [state]\ndir = \"{}\"\n{settings}[http]\nlisten = \"\"\n[[watch_lists]]\nid = 1\n",
        token.display(),
        state_dir.display(),
    );
    fs::write(&config, text).unwrap();
    let mut command = binary();
    command.arg("--config").arg(&config).args(arguments);
    command
}

/// A daemon on the state directory with a row in its database; returns it with
/// its server's number.
async fn start_daemon(state_dir: &Path) -> (Daemon, u32) {
    start_daemon_as(state_dir, &mut program(state_dir, &["run"])).await
}

/// The same, started by a command with a setting of its own.
async fn start_daemon_as(state_dir: &Path, command: &mut Command) -> (Daemon, u32) {
    let daemon = Daemon::start(command).await;
    let client = open(state_dir, Role::Client).await.unwrap();
    keep_a_row(&client).await;
    client.stop().await.unwrap();
    (daemon, server_of(state_dir).unwrap())
}

/// Programs of a server in `directory`: the installed ones, but for an initdb
/// that is this shell script. `$REAL` are the installed ones.
fn fake_initdb(directory: &Path, script: &str) {
    fs::create_dir(directory).unwrap();
    let real = installed_programs();
    let real = real.display();
    for (name, script) in [
        ("initdb", script),
        ("postgres", r#"exec "$REAL/postgres" "$@""#),
    ] {
        let file = directory.join(name);
        fs::write(&file, format!("#!/bin/sh\nREAL={real}\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn installed_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    versions
        .map(|version| version.unwrap().path().join("bin"))
        .find(|programs| programs.join("initdb").is_file())
        .expect("an installed PostgreSQL")
}
