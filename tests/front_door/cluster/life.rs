//! Starting, stopping, connecting.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use advisoryd::cluster::{Cluster, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{
    connect, fake_initdb, give_to_server_user, keep_a_row, kept_row, open, options, program,
    seeded_state_dir, server_of,
};
use crate::support::{PATIENCE, Running, eventually, state_dir};

#[tokio::test]
async fn a_second_start_finds_what_the_first_one_kept() {
    let state = seeded_state_dir();
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
        "select format('%s %s %s', current_user, datname, datcollate)
         from pg_database where datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(who, "advisoryd advisoryd C.UTF-8");
    for directory in ["postgresql", "postgresql/socket", "postgresql/data"] {
        let mode = fs::metadata(state.path().join(directory)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o700, "{directory}");
    }
    let server = i32::try_from(server_of(state.path()).unwrap()).unwrap();
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
async fn a_server_that_dies_is_started_again() {
    let state = seeded_state_dir();
    let mut cluster = open(state.path(), Role::Daemon).await.unwrap();
    keep_a_row(&cluster).await;
    let options = cluster.connect_options();
    let former = server_of(state.path()).unwrap();
    let server = Pid::from_raw(i32::try_from(former).unwrap());
    kill(server, Signal::SIGKILL).unwrap();
    let again = eventually("the server to be back", PATIENCE, async || {
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        let word: Result<String, _> = sqlx::query_scalar("select word from kept.kept")
            .fetch_one(&mut connection)
            .await;
        word.ok()
    });
    tokio::select! {
        word = again => assert_eq!(word, "still here"),
        never = cluster.keep_running() => match never {},
    }
    // The one that answered may have been noticed before the owner knew.
    cluster.start().await.unwrap();
    assert!(cluster.is_ours());
    assert_ne!(server_of(state.path()), Some(former));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_while_the_data_are_created_ends_at_once() {
    let state = state_dir();
    let programs = state.path().join("programs");
    fake_initdb(&programs, "exec sleep 60");
    let mut options = options(Role::Daemon);
    options.search.path = programs.into();
    let mut cluster = Cluster::prepare(&state.path().join("state"), options).unwrap();
    let early = timeout(Duration::from_secs(1), cluster.start()).await;
    assert!(early.is_err(), "created by a program that sleeps");
    timeout(Duration::from_secs(5), cluster.stop())
        .await
        .expect("the end of initdb")
        .unwrap();
    assert!(!state.path().join("state/postgresql/data").exists());
}

#[tokio::test]
async fn an_unfinished_first_start_is_begun_again() {
    let state = state_dir();
    let unfinished = state.path().join("postgresql/data.new/base");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("half"), "a file").unwrap();
    give_to_server_user(&state.path().join("postgresql"));
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    assert!(!state.path().join("postgresql/data.new").exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_is_found_under_the_versions_directory_alone() {
    let state = seeded_state_dir();
    let mut options = options(Role::Daemon);
    options.search.path = "".into();
    let cluster = Cluster::open(state.path(), options).await.unwrap();
    assert!(cluster.psql().starts_with("'/usr/lib/postgresql/"));
    cluster.stop().await.unwrap();
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

/// With a filter that remembers per thread what it refused, the lines after a statement
/// of sqlx were lost at every start but the first.
#[tokio::test]
async fn every_start_logs_that_the_database_is_ready_and_every_stop_its_end() {
    let state = seeded_state_dir();
    for start in 1..=3 {
        let mut daemon = Running::start(&mut program(state.path(), &["run"]));
        // The line is what is promised.
        daemon.line("the database is ready").await;
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.ended().await.success());
        let events = daemon.events();
        let is_logged = |text: &str| events.iter().any(|event| event["message"] == text);
        assert!(is_logged("stopped"), "start {start}: {}", daemon.stderr());
    }
}
