//! The port of health checks and metrics: limits, `Host`, password.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::settings::{EVERY_SECOND, Schedule};
use crate::support::{PATIENCE, Running, World, ask, eventually, get};

/// As many connections as the audit opened, and more than a process may have open files.
const IDLE: usize = 2000;
const PASSWORD: &str = "correct horse battery";

/// A daemon that serves its endpoints.
async fn serving(world: &World, port: u16) -> Running {
    let daemon = Running::start(&mut world.command(&["run"]));
    eventually("the endpoints", PATIENCE, async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    daemon
}

async fn runs(world: &World) -> i64 {
    world
        .count("select count(*) from advisoryd_v1.sync_runs where outcome = 'ok'")
        .await
}

/// Open connections at the server's end.
fn open_connections(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the connections");
    let at_port = format!(":{port:04X}");
    // The second field is the local address, the fourth the state; 01 is ESTABLISHED.
    let fields = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields[1].ends_with(&at_port) && fields[3] == "01")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_raises_its_limit_of_open_files() {
    let mut world = World::new().await;
    let port = world.serve_health();
    let program = world.command(&["run"]);
    let mut limited = std::process::Command::new("prlimit");
    limited
        .args(["--nofile=256:4096"])
        .arg(program.get_program());
    limited.args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let mut daemon = Running::start(&mut limited);
    eventually("the endpoints", PATIENCE, async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let line: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(line[3..5], ["4096", "4096"]);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_others_stop_neither_runs_nor_health_checks() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let mut world = World::new().await;
    world.settings.schedule = Schedule {
        feeds: Some(EVERY_SECOND),
        ..Schedule::never()
    };
    let port = world.serve_health();
    let mut daemon = serving(&world, port).await;
    eventually("runs", PATIENCE, async || {
        (runs(&world).await > 2).then_some(())
    })
    .await;
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        if number % 2 == 0 {
            // Half a header. It may be closed already, by what came after it.
            let _ = stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: loc")
                .await;
        }
        idle.push(stream);
    }
    let begun = runs(&world).await;
    assert_eq!(get(port, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(port, "/readyz").await.0, 200);
    eventually("three more runs", PATIENCE, async || {
        (runs(&world).await > begun + 2).then_some(())
    })
    .await;
    let open = open_connections(port);
    assert!((1..=64).contains(&open), "{open}");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_does_not_end_is_closed() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    let port = world.serve_health();
    let mut daemon = serving(&world, port).await;
    let mut slow = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let mut idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answers = (Vec::new(), Vec::new());
    tokio::time::timeout(Duration::from_secs(30), async {
        // Reset or end, both close it.
        let _ = slow.read_to_end(&mut answers.0).await;
        let _ = idle.read_to_end(&mut answers.1).await;
    })
    .await
    .expect("both are closed, also the one that is kept alive");
    assert!(answers.1.starts_with(b"HTTP/1.1 200"));
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_hosts_are_answered() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    let port = world.serve_health();
    world.settings.http.hosts = Some(vec!["Advisories.example.org".to_owned()]);
    let mut daemon = serving(&world, port).await;
    for (host, status) in [
        ("localhost", 200),
        (&format!("127.0.0.1:{port}"), 200),
        ("[::1]", 200),
        ("advisories.example.org:8787", 200),
        ("evil.example.com", 421),
        ("127.0.0.1.evil.example.com", 421),
        ("advisories.example.org.evil.example.com", 421),
        ("", 421),
    ] {
        let answer = ask(port, &format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n")).await;
        assert_eq!(answer.0, status, "{host}: {}", answer.1);
    }
    let (status, text) = ask(port, "GET /metrics HTTP/1.1\r\nHost: evil.example.com\r\n").await;
    assert_eq!(
        (status, text.as_str()),
        (421, "unknown Host; add its name to [http] hosts\n")
    );
    assert_eq!(ask(port, "GET /healthz HTTP/1.0\r\n").await.0, 200);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_required_where_one_is_configured() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    let port = world.serve_health();
    let file = world.dir().join("http-password");
    std::fs::write(&file, PASSWORD).unwrap();
    world.settings.http.password_file = Some(file.display().to_string());
    let mut daemon = serving(&world, port).await;
    let basic = |text: &str| format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(text));
    for (header, status) in [
        (String::new(), 401),
        (format!("Authorization: Bearer {PASSWORD}\r\n"), 200),
        (format!("authorization: bearer {PASSWORD}\r\n"), 200),
        (basic(&format!("prometheus:{PASSWORD}")), 200),
        (basic(&format!(":{PASSWORD}")), 200),
        (basic(PASSWORD), 401),
        (basic("prometheus:wrong"), 401),
        ("Authorization: Basic %%%\r\n".to_owned(), 401),
        ("Authorization: Bearer \r\n".to_owned(), 401),
        (format!("Authorization: Digest {PASSWORD}\r\n"), 401),
    ] {
        for path in ["/metrics", "/readyz"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}");
            let answer = ask(port, &request).await;
            // Readiness may still be 503: the database is opened meanwhile.
            let admitted = if answer.0 == 503 { 200 } else { answer.0 };
            assert_eq!(admitted, status, "{path} {header}");
        }
    }
    assert_eq!(get(port, "/healthz").await.0, 200);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_for_other_machines_needs_permission_and_a_password() {
    let mut world = World::new().await;
    world.settings.http.listen = "0.0.0.0:8787".to_owned();
    let result = world.cli(&["run"]);
    assert_eq!(result.code, 78);
    assert!(
        result.stderr.contains("http.listen") && result.stderr.contains("allow_remote = true"),
        "{}",
        result.stderr
    );
    world.settings.http.allow_remote = Some(true);
    let result = world.cli(&["run"]);
    assert_eq!(result.code, 78);
    assert!(result.stderr.contains("password_file"), "{}", result.stderr);
    world.settings.http.password_file = Some("/nonexistent/password".to_owned());
    let result = world.cli(&["run"]);
    assert_eq!(result.code, 78);
    assert!(
        result.stderr.contains("/nonexistent/password"),
        "{}",
        result.stderr
    );
    // `check` finds it as well.
    let result = world.cli(&["check", "--offline"]);
    assert_eq!(result.code, 1);
    assert!(
        result.stdout.contains("/nonexistent/password"),
        "{}",
        result.stdout
    );
}
