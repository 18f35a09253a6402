//! Encrypted ways to upstream and to the database, and the way through a proxy.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use advisoryd::cluster::{Cluster, ClusterOptions, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    Authority, CommandResult, PATIENCE, TlsFront, World, assert_reads, binary, eventually,
    state_dir, without,
};

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_named() {
    let authority = Authority::new();
    let mut world = World::new().await;
    let front = TlsFront::of(world.simulator.addr().to_string(), &authority.identity()).await;
    world.settings.upstream.base_url = Some(front.base_url.clone());
    let failed = world.pull_one().await;
    assert_eq!(failed.outcome.name(), "failed");
    assert_reads!(failed.outcome.error().unwrap());

    world.settings.upstream.ca_file = Some(authority.file().display().to_string());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_proxy_is_used_when_named() {
    let mut world = World::new().await;
    // Nobody listens there; the simulator, asked as a proxy, answers for it.
    world.settings.upstream.base_url = Some("http://127.0.0.1:9".to_owned());
    world.settings.upstream.proxy = Some(world.simulator.base_url());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    world.assert_all_is_stored().await;
}

/// A PostgreSQL that speaks TLS.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// On the data of a private cluster that has been stopped.
    async fn start(state: &Path, authority: &Authority) -> Self {
        let cluster = Cluster::open(state, ClusterOptions::new(Role::Daemon))
            .await
            .expect("a private cluster");
        cluster.stop().await.expect("a clean end");
        let data = state.join("postgresql/data");
        // The first rule that fits decides; initdb's rules for hosts follow.
        let rules = data.join("pg_hba.conf");
        let former = std::fs::read_to_string(&rules).unwrap();
        let first = "hostssl all all 127.0.0.1/32 trust";
        std::fs::write(&rules, format!("{first}\n{former}")).unwrap();
        let identity = authority.identity();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", data.display()),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", identity.certificate.display()),
            format!("ssl_key_file={}", identity.key.display()),
        ];
        settings.push("fsync=off".to_owned());
        set_owner(&identity.key);
        let mut command = as_server_user(&server_program());
        command.arg("-D").arg(&data);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let process = command
            .current_dir(authority.dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, port }
    }

    fn url(&self, more: &str) -> String {
        format!(
            "postgres://advisoryd@127.0.0.1:{}/advisoryd?{more}",
            self.port
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = kill(pid, Signal::SIGQUIT);
        let _ = self.process.wait();
    }
}

fn server_program() -> std::path::PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let newest = installed.flatten().map(|entry| entry.path()).max().unwrap();
    newest.join("bin/postgres")
}

/// PostgreSQL reads its key only when nobody else can.
fn set_owner(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    if geteuid().is_root() {
        let user = User::from_name("postgres").unwrap().unwrap();
        chown(key, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

fn as_server_user(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

/// `advisoryd migrate` on this database.
fn migrate(state: &Path, url: &str) -> CommandResult {
    let config = state.join("config.toml");
    std::fs::write(&config, format!("[database]\nurl = \"{url}\"\n")).unwrap();
    let output = binary()
        .arg("--config")
        .arg(&config)
        .arg("migrate")
        .output();
    output.unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_reached_as_sslmode_says() {
    let (state, other, authority) = (state_dir(), state_dir(), Authority::new());
    let server = Server::start(state.path(), &authority).await;
    let required = server.url("sslmode=require");
    let mut connection = eventually("the server", PATIENCE, async || {
        PgConnection::connect(&required).await.ok()
    })
    .await;
    let encrypted: bool =
        sqlx::query_scalar("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert!(encrypted);

    let verified = |authority: &Authority| {
        let file = authority.file();
        server.url(&format!(
            "sslmode=verify-full&sslrootcert={}",
            file.display()
        ))
    };
    let trusted = migrate(other.path(), &verified(&authority));
    assert_eq!(trusted.code, 0, "{trusted:?}");
    let untrusted = migrate(other.path(), &verified(&Authority::new()));
    assert_eq!(untrusted.code, 1);
    let open = migrate(other.path(), &server.url("sslmode=disable"));
    assert_eq!(open.code, 1);
    // The line is one of the server's own source.
    assert_reads!(untrusted, without(&open, r"line \d+", "line [n]"));
}
