//! Debian's Patroni with etcd and three servers of PostgreSQL, on loopback.

use std::fmt::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tempfile::TempDir;

use super::alerts::servers;
use super::process::Running;
use super::replicated::{ROLE, SUPERUSER, binaries, prepared, user};
use super::run_dir::state_dir;
use super::wait::{PATIENCE, eventually};
use super::web::free_port;

/// How many servers there are.
const NODES: usize = 3;

/// What happens to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// `patronictl switchover`: it is demoted in good order.
    Switchover,
    /// `kill -9` of its postmaster; Patroni goes on.
    Killed,
    /// Its machine is gone: `kill -9` of Patroni, an immediate end of the server.
    Gone,
}

/// A cluster; it ends with the value.
pub struct Patroni {
    nodes: Vec<Node>,
    is_synchronous: bool,
    /// Receivers of standbys that stand still.
    stopped: Vec<Pid>,
    /// Its file says where etcd is, for `patronictl`.
    _etcd: Running,
    _dir: TempDir,
}

struct Node {
    name: String,
    port: u16,
    settings: PathBuf,
    data: PathBuf,
    patroni: Option<Running>,
}

impl Patroni {
    /// Starts three servers and waits until both standbys follow the primary.
    pub async fn start(is_synchronous: bool) -> Self {
        let dir = state_dir();
        owned(dir.path());
        let (etcd, etcd_port) = etcd(dir.path()).await;
        let node = |number| Node::new(dir.path(), number, etcd_port, is_synchronous);
        let mut nodes: Vec<Node> = (1..=NODES).map(node).collect();
        for node in &mut nodes {
            node.start();
        }
        let cluster = Self {
            nodes,
            is_synchronous,
            stopped: Vec::new(),
            _etcd: etcd,
            _dir: dir,
        };
        cluster.whole().await;
        let primary = cluster.primary().await;
        for statement in prepared() {
            cluster.sql(primary, &statement).await;
        }
        cluster
    }

    /// The hosts, as docs/databases.md says it.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!(
            "postgres://{ROLE}@{}/advisoryd?sslmode=disable",
            hosts.join(",")
        )
    }

    /// How to connect to one server as the program's role.
    pub fn options(&self, node: usize) -> PgConnectOptions {
        options(self.nodes[node].port, ROLE, "advisoryd")
    }

    /// Waits for a server that accepts writes.
    pub async fn primary(&self) -> usize {
        eventually("a primary", PATIENCE, async || self.accepting().await).await
    }

    async fn accepting(&self) -> Option<usize> {
        for (number, node) in self.nodes.iter().enumerate() {
            if node.number("select (not pg_is_in_recovery())::int").await == Some(1) {
                return Some(number);
            }
        }
        None
    }

    /// Waits until both standbys stream from the primary, one of them synchronously
    /// where that is asked for.
    pub async fn whole(&self) {
        let wanted = i64::from(self.is_synchronous);
        eventually("both standbys", PATIENCE, async || {
            let primary = &self.nodes[self.accepting().await?];
            let standbys = "select count(*) from pg_stat_replication
                where state = 'streaming' and application_name like 'node_'";
            let synchronous = "select count(*) from pg_stat_replication where sync_state = 'sync'";
            (primary.number(standbys).await? == 2 && primary.number(synchronous).await? == wanted)
                .then_some(())
        })
        .await;
        if self.is_synchronous {
            // Patroni writes down later than PostgreSQL which standby may take over.
            eventually("a synchronous standby of Patroni's", PATIENCE, async || {
                let list = self.patronictl(0, &["list"]).await;
                list.contains("Sync Standby").then_some(())
            })
            .await;
        }
    }

    /// What `patronictl` prints, empty if it fails.
    async fn patronictl(&self, node: usize, arguments: &[&str]) -> String {
        let mut command = python("patronictl");
        command.arg("-c").arg(&self.nodes[node].settings);
        command.args(arguments);
        let output = tokio::process::Command::from(command).output().await;
        let output = output.expect("patronictl");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            stdout
        } else {
            String::new()
        }
    }

    /// Stops both standbys from receiving more, so that what the primary commits from
    /// now on is on no other server: their receivers stand still, and end with the loss.
    pub async fn cut_off(&mut self) {
        let primary = self.primary().await;
        for standby in (0..NODES).filter(|node| *node != primary) {
            let receiver = "select pid from pg_stat_wal_receiver";
            let node = &self.nodes[standby];
            let pid =
                eventually("a receiver", PATIENCE, async || node.number(receiver).await).await;
            let pid = Pid::from_raw(i32::try_from(pid).expect("a process number"));
            kill(pid, Signal::SIGSTOP).expect("the signal is sent");
            self.stopped.push(pid);
        }
    }

    /// Ends the receivers that stand still, with what they have not read.
    fn end_receivers(&mut self) {
        for pid in self.stopped.drain(..) {
            // It may have ended with its server.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// Loses the primary in one of three ways.
    pub async fn lose(&mut self, primary: usize, how: Loss) {
        match how {
            Loss::Switchover => self.switchover(primary).await,
            Loss::Killed => self.nodes[primary].signal(Signal::SIGKILL),
            Loss::Gone => {
                let patroni = self.nodes[primary].patroni.take();
                patroni.expect("it runs").kill9();
                self.nodes[primary].signal(Signal::SIGQUIT);
            }
        }
        self.end_receivers();
    }

    async fn switchover(&self, primary: usize) {
        eventually("a switchover", PATIENCE, async || {
            let name = &self.nodes[primary].name;
            let arguments = ["switchover", "--master", name, "--force"];
            // Refused as long as no standby is ready.
            let result = self.patronictl(primary, &arguments).await;
            result.contains("Successfully switched over").then_some(())
        })
        .await;
        eventually("another primary", PATIENCE, async || {
            (self.accepting().await? != primary).then_some(())
        })
        .await;
    }

    /// Starts the servers that are gone again.
    pub fn complete(&mut self) {
        for node in &mut self.nodes {
            if node.patroni.is_none() {
                node.start();
            }
        }
    }

    async fn sql(&self, node: usize, sql: &str) {
        let done = self.nodes[node].execute(sql).await;
        done.unwrap_or_else(|| panic!("{sql}"));
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        self.end_receivers();
        for node in &mut self.nodes {
            node.patroni = None;
            node.signal(Signal::SIGQUIT);
        }
    }
}

impl Node {
    fn new(dir: &Path, number: usize, etcd: u16, is_synchronous: bool) -> Self {
        let name = format!("node{number}");
        let node = Self {
            port: free_port(),
            settings: dir.join(format!("{name}.yml")),
            data: dir.join(&name),
            name,
            patroni: None,
        };
        std::fs::write(&node.settings, node.yaml(dir, etcd, is_synchronous)).expect("a file");
        node
    }

    fn yaml(&self, dir: &Path, etcd: u16, is_synchronous: bool) -> String {
        let (name, port, api) = (&self.name, self.port, free_port());
        let mut yaml = String::new();
        let _ = write!(
            yaml,
            r#"scope: advisoryd
name: {name}
restapi: {{listen: "127.0.0.1:{api}", connect_address: "127.0.0.1:{api}"}}
etcd3: {{host: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    master_start_timeout: 0
    maximum_lag_on_failover: 1073741824
    synchronous_mode: {is_synchronous}
    postgresql:
      use_pg_rewind: true
      parameters: {{wal_log_hints: "on", max_wal_size: "256MB", fsync: "off"}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}, no-sync]
  pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {data}
  bin_dir: {binaries}
  pgpass: {dir}/{name}.pgpass
  parameters: {{unix_socket_directories: ""}}
  authentication:
    superuser: {{username: {SUPERUSER}, password: any}}
    replication: {{username: replicator, password: any}}
"#,
            data = self.data.display(),
            binaries = binaries().display(),
            dir = dir.display(),
        );
        yaml
    }

    fn start(&mut self) {
        let mut command = python("patroni");
        self.patroni = Some(Running::start(command.arg(&self.settings)));
    }

    /// To its postmaster, if there is one.
    fn signal(&self, signal: Signal) {
        let Ok(file) = std::fs::read_to_string(self.data.join("postmaster.pid")) else {
            return;
        };
        let pid = file.lines().next().and_then(|pid| pid.parse().ok());
        let pid: i32 = pid.expect("a process number");
        // The file of a server that was killed stays.
        let folder = std::fs::read_link(format!("/proc/{pid}/cwd"));
        if folder.is_ok_and(|folder| folder == self.data) {
            kill(Pid::from_raw(pid), signal).expect("the signal is sent");
        }
    }

    async fn connect(&self) -> Option<PgConnection> {
        let options = options(self.port, SUPERUSER, "postgres");
        options.connect().await.ok()
    }

    async fn number(&self, sql: &'static str) -> Option<i64> {
        let sql = AssertSqlSafe(format!("select ({sql})::bigint"));
        let mut connection = self.connect().await?;
        sqlx::query_scalar(sql)
            .fetch_one(&mut connection)
            .await
            .ok()
    }

    async fn execute(&self, sql: &str) -> Option<()> {
        let mut connection = self.connect().await?;
        let sql = AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(sql).execute(&mut connection).await;
        done.ok().map(drop)
    }
}

fn options(port: u16, role: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(role)
        .database(database)
        .ssl_mode(sqlx::postgres::PgSslMode::Disable)
}

async fn etcd(dir: &Path) -> (Running, u16) {
    let (client, peer) = (free_port(), free_port());
    let [client_url, peer_url] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = as_user(servers().join("usr/bin/etcd"));
    command
        .arg("--data-dir")
        .arg(dir.join("etcd"))
        .args(["--listen-client-urls", &client_url])
        .args(["--advertise-client-urls", &client_url])
        .args(["--listen-peer-urls", &peer_url])
        .args(["--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}")]);
    let process = Running::start(&mut command);
    eventually("etcd's port", PATIENCE, async || {
        let connecting = tokio::net::TcpStream::connect(("127.0.0.1", client));
        connecting.await.ok()
    })
    .await;
    (process, client)
}

/// A program of the package `patroni`, with the modules that were unpacked with it.
fn python(name: &str) -> Command {
    let root = servers();
    let program = root.join("usr/bin").join(name);
    assert!(program.exists(), "run `make servers` once");
    let mut command = as_user("/usr/bin/python3".into());
    command
        .arg(program)
        .env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn as_user(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin");
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn owned(path: &Path) {
    if let Some(user) = user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("its owner");
    }
}
