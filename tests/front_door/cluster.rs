//! The private PostgreSQL.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterError, ClusterOptions, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, Executor, PgConnection};

use crate::support::{PATIENCE, Running, database, eventually, is_alive, state_dir};

/// Tells [`owner`] where to open a cluster; without it that test is none.
const OWNED_STATE_DIR: &str = "FRONT_DOOR_OWNED_STATE_DIR";

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

/// Not a test: the process that others kill. Opens a cluster, says so, and
/// keeps it until its standard input ends.
#[tokio::test]
#[ignore = "a process for the tests of this module"]
async fn owner() {
    let Some(state_dir) = std::env::var_os(OWNED_STATE_DIR) else {
        return;
    };
    let cluster = Cluster::open(Path::new(&state_dir), ClusterOptions::new(Role::Daemon))
        .await
        .unwrap();
    keep_a_row(&cluster).await;
    eprintln!("owned server={}", cluster.server_pid().unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    cluster.stop().await.unwrap();
}

/// Starts [`owner`] as a process; returns it with its server's number.
async fn start_owner(state_dir: &Path) -> (Running, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "cluster::owner", "--ignored", "--nocapture"])
        .env(OWNED_STATE_DIR, state_dir);
    let mut owner = Running::start(&mut command);
    let line = owner.line("owned server=").await;
    let server = line.rsplit('=').next().unwrap().trim().parse().unwrap();
    (owner, server)
}

#[tokio::test]
async fn a_second_start_finds_what_the_first_one_kept() {
    let state = state_dir();
    let first = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&first).await;
    first.stop().await.unwrap();
    let second = open(state.path(), Role::Daemon).await.unwrap();
    assert_eq!(kept_row(&second).await, "still here");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_what_the_design_says() {
    let state = state_dir();
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    let mut connection = connect(&cluster).await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("data_checksums", "on"),
        ("jit", "off"),
        ("server_encoding", "UTF8"),
        ("default_toast_compression", "lz4"),
    ] {
        let found: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, value, "{setting}");
    }
    let who: String = sqlx::query_scalar(
        "select format('%s %s %s', current_user, current_database(), collation)
         from (select datcollate as collation from pg_database where datname = current_database())",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(who, "advisoryd advisoryd C.UTF-8");
    for directory in ["postgresql", "postgresql/socket", "postgresql/data"] {
        let mode = fs::metadata(state.path().join(directory)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o700, "{directory}");
    }
    let server = i32::try_from(cluster.server_pid().unwrap()).unwrap();
    let group = nix::unistd::getpgid(Some(Pid::from_raw(server))).unwrap();
    assert_eq!(
        group.as_raw(),
        server,
        "the server has its own process group"
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_url_and_the_psql_line_connect() {
    // A path that needs quoting, for the URL and for the shell.
    let state = state_dir();
    let odd = state.path().join("it's 100% a+b ü");
    let cluster = open(&odd, Role::Daemon).await.unwrap();
    let mut connection = PgConnection::connect(&cluster.url()).await.unwrap();
    connection.ping().await.unwrap();
    let line = format!("{} -Atc 'select current_user'", cluster.psql());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "advisoryd\n",
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_dies_with_a_killed_owner_and_its_data_survive() {
    let state = state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
    assert!(is_alive(server));
    owner.kill9();
    // At once, without waiting for the server's end: that is the next one's work.
    let next = open(state.path(), Role::Daemon).await.unwrap();
    assert!(!is_alive(server), "two servers on one directory");
    assert_eq!(kept_row(&next).await, "still here");
    next.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_of_a_killed_owner_ends_even_when_nobody_comes() {
    let state = state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
    owner.kill9();
    eventually("the end of the server", PATIENCE, async || {
        (!is_alive(server)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_server_of_an_owner_that_ends_is_stopped() {
    let state = state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
    drop(owner.stdin());
    assert!(owner.ended().await.success(), "{}", owner.stderr());
    assert!(!is_alive(server));
}

#[tokio::test]
async fn a_second_daemon_is_told_the_first_ones_process() {
    let state = state_dir();
    let (mut owner, _) = start_owner(state.path()).await;
    let refused = open(state.path(), Role::Daemon).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::Held { pid, .. } if pid == owner.pid()),
        "{refused}"
    );
    assert!(refused.to_string().contains(&owner.pid().to_string()));
    owner.kill9();
}

#[tokio::test]
async fn a_client_joins_a_daemons_server_and_leaves_it_running() {
    let state = state_dir();
    let (mut owner, server) = start_owner(state.path()).await;
    let client = open(state.path(), Role::Client).await.unwrap();
    assert!(!client.is_ours());
    assert_eq!(kept_row(&client).await, "still here");
    client.stop().await.unwrap();
    assert!(is_alive(server));
    owner.kill9();
}

#[tokio::test]
async fn a_client_alone_starts_the_server_and_stops_it() {
    let state = state_dir();
    let client = open(state.path(), Role::Client).await.unwrap();
    assert!(client.is_ours());
    let server = client.server_pid().unwrap();
    client.stop().await.unwrap();
    assert!(!is_alive(server));
}

#[tokio::test]
async fn a_daemon_beside_a_client_joins_and_takes_over() {
    let state = state_dir();
    let client = open(state.path(), Role::Client).await.unwrap();
    keep_a_row(&client).await;
    let mut daemon = open(state.path(), Role::Daemon).await.unwrap();
    assert!(!daemon.is_ours());
    client.stop().await.unwrap();
    daemon.exited().await;
    daemon.restart().await.unwrap();
    assert!(daemon.is_ours());
    assert_eq!(kept_row(&daemon).await, "still here");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn two_starting_at_once_share_one_server() {
    let state = state_dir();
    let (left, right) = tokio::join!(
        open(state.path(), Role::Client),
        open(state.path(), Role::Client)
    );
    let (left, right) = (left.unwrap(), right.unwrap());
    assert!(left.is_ours() != right.is_ours());
    keep_a_row(&left).await;
    assert_eq!(kept_row(&right).await, "still here");
    right.stop().await.unwrap();
    left.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_is_started_again() {
    let state = state_dir();
    let mut cluster = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&cluster).await;
    let options = cluster.connect_options();
    let server = Pid::from_raw(i32::try_from(cluster.server_pid().unwrap()).unwrap());
    kill(server, Signal::SIGKILL).unwrap();
    let again = eventually("the server to be back", PATIENCE, async || {
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        let word: Result<String, _> = sqlx::query_scalar("select word from kept")
            .fetch_one(&mut connection)
            .await;
        word.ok()
    });
    tokio::select! {
        word = again => assert_eq!(word, "still here"),
        never = cluster.keep_running() => match never {},
    }
    // The one that answered may have been noticed before the owner knew.
    cluster.restart().await.unwrap();
    assert_ne!(cluster.server_pid(), Some(server.as_raw().unsigned_abs()));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_unfinished_first_start_is_begun_again() {
    let state = state_dir();
    let unfinished = state.path().join("postgresql/data.new/base");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("half"), "a file").unwrap();
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    assert!(!state.path().join("postgresql/data.new").exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_lock_file_of_another_program_keeps_nobody_out() {
    let state = state_dir();
    let first = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&first).await;
    first.stop().await.unwrap();
    // As after a restart of a container: the number belongs to someone else,
    // whom the server itself would take for its predecessor.
    let mut stranger = as_server_user(state.path(), "sleep 60");
    let data = state.path().join("postgresql/data");
    let lock = data.join("postmaster.pid");
    fs::write(&lock, format!("{}\n{}\n", stranger.pid(), data.display())).unwrap();
    let second = open(state.path(), Role::Daemon).await.unwrap();
    assert_eq!(kept_row(&second).await, "still here");
    assert!(is_alive(stranger.pid()), "the stranger was not touched");
    stranger.kill9();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_still_runs_is_waited_for() {
    let state = state_dir();
    let first = open(state.path(), Role::Daemon).await.unwrap();
    first.stop().await.unwrap();
    // What works in the data directory is taken for a server.
    let data = state.path().join("postgresql/data");
    let script = format!("cd '{}' && exec sleep 60", data.display());
    let mut other = as_server_user(state.path(), &script);
    let pid = other.pid();
    eventually("the other to be in the directory", PATIENCE, async || {
        let at = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (at == data).then_some(())
    })
    .await;
    fs::write(data.join("postmaster.pid"), format!("{pid}\n")).unwrap();
    let opening = open(state.path(), Role::Daemon);
    tokio::pin!(opening);
    let early = tokio::time::timeout(Duration::from_millis(500), &mut opening).await;
    assert!(early.is_err(), "started beside another server");
    other.kill9();
    opening.await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_server_is_explained_with_the_install_command() {
    let state = state_dir();
    let mut options = options(Role::Daemon);
    options.search.path = state.path().into();
    options.search.versions = state.path().join("none");
    let refused = Cluster::open(state.path(), options).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::NoServer { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("apt-get install postgresql"));
}

#[tokio::test]
async fn a_server_is_found_under_the_versions_directory_alone() {
    let state = state_dir();
    let mut options = options(Role::Daemon);
    options.search.path = "".into();
    let cluster = Cluster::open(state.path(), options).await.unwrap();
    assert!(cluster.psql().starts_with("'/usr/lib/postgresql/"));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn data_of_another_major_version_are_refused_by_name() {
    let state = state_dir();
    let data = state.path().join("postgresql/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refused = open(state.path(), Role::Daemon).await.unwrap_err();
    assert!(
        matches!(&refused, ClusterError::OtherMajor { data_version, .. } if data_version == "9"),
        "{refused}"
    );
    assert!(refused.to_string().contains("postgresql-9"), "{refused}");
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), "9\n");
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_reached_is_refused_with_the_reason() {
    let state = state_dir();
    let closed = state.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let is_root = nix::unistd::geteuid().is_root();
    let mode = if is_root { 0o700 } else { 0o000 };
    fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
    let refused = open(&closed.join("state"), Role::Daemon).await.unwrap_err();
    if is_root {
        assert!(
            matches!(&refused, ClusterError::Unreachable { blocked, .. } if *blocked == closed),
            "{refused}"
        );
    } else {
        assert!(matches!(refused, ClusterError::Rights { .. }), "{refused}");
    }
    assert!(
        refused.to_string().contains("`dir` under `[state]`"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_long_state_directory_gets_a_short_socket() {
    let state = state_dir();
    let long = state.path().join("x".repeat(100));
    let mut options = options(Role::Daemon);
    options.short_directories = vec![PathBuf::from("/nonexistent"), state.path().to_owned()];
    let cluster = Cluster::open(&long, options.clone()).await.unwrap();
    options.role = Role::Client;
    // Whoever joins is told where: it may have looked elsewhere.
    options.short_directories = Vec::new();
    let client = Cluster::open(&long, options).await.unwrap();
    assert_eq!(client.url(), cluster.url());
    connect(&client).await.ping().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_short_socket_directory_of_somebody_else_is_not_used() {
    let state = state_dir();
    let long = state.path().join("x".repeat(100));
    let mut options = options(Role::Daemon);
    options.short_directories = vec![state.path().to_owned()];
    let cluster = Cluster::open(&long, options.clone()).await.unwrap();
    cluster.stop().await.unwrap();
    let short = fs::read_dir(state.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("advisoryd-"))
        .filter(|path| path.is_dir())
        .expect("the short directory");
    fs::set_permissions(&short, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Cluster::open(&long, options).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::SocketPathTooLong { .. }),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("not a private directory"),
        "{refused}"
    );
}

#[tokio::test]
async fn each_test_has_its_own_database() {
    let (left, right) = tokio::join!(database(), database());
    assert_ne!(left.name, right.name);
    left.pool
        .execute("create table only_here ()")
        .await
        .unwrap();
    let elsewhere: bool =
        sqlx::query_scalar("select exists (select from pg_tables where tablename = 'only_here')")
            .fetch_one(&right.pool)
            .await
            .unwrap();
    assert!(!elsewhere);
    let mut by_url = PgConnection::connect(&left.url).await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&mut by_url)
        .await
        .unwrap();
    assert_eq!(name, left.name);
}

/// Runs a shell script as the user that the server of `state_dir` runs as.
fn as_server_user(state_dir: &Path, script: &str) -> Running {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let owner = fs::metadata(state_dir.join("postgresql")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    if nix::unistd::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    Running::start(&mut command)
}
