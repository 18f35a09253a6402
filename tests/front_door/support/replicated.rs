//! A PostgreSQL server and its standby, made with Debian's programs.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::User;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tempfile::TempDir;

use super::process::Running;
use super::run_dir::state_dir;
use super::wait::{PATIENCE, eventually};
use super::web::free_port;

/// The superuser that `initdb` makes.
pub(super) const SUPERUSER: &str = "postgres";
/// The program's role.
pub(super) const ROLE: &str = "advisoryd";

/// One server; it ends with the value.
pub struct PgServer {
    pub port: u16,
    data: PathBuf,
    dir: TempDir,
    process: Option<Running>,
}

impl PgServer {
    /// A new server, prepared as docs/databases.md says.
    pub async fn primary() -> Self {
        let server = Self::new();
        server.run(
            "initdb",
            &["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
        );
        let server = server.started().await;
        for statement in prepared() {
            server.sql("postgres", &statement).await;
        }
        server
    }

    /// A standby that streams from this server, which from then on waits for it at each
    /// commit.
    pub async fn standby(&self) -> Self {
        let standby = Self::new();
        let port = self.port.to_string();
        standby.run(
            "pg_basebackup",
            &[
                "--host=127.0.0.1",
                "--port",
                &port,
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
        );
        let standby = standby.started().await;
        self.sql(
            "postgres",
            "alter system set synchronous_standby_names = '*'",
        )
        .await;
        self.sql("postgres", "select pg_reload_conf()").await;
        eventually("a synchronous standby", PATIENCE, async || {
            let mut connection = self.connect("postgres").await?;
            let count: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_replication where sync_state = 'sync'",
            )
            .fetch_one(&mut connection)
            .await
            .ok()?;
            (count == 1).then_some(())
        })
        .await;
        standby
    }

    fn new() -> Self {
        let dir = state_dir();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&data, mode).expect("its mode");
        if let Some(user) = user() {
            for path in [dir.path(), data.as_path()] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("its owner");
            }
        }
        Self {
            port: free_port(),
            data,
            dir,
            process: None,
        }
    }

    async fn started(mut self) -> Self {
        let mut command = program("postgres");
        command
            .arg("-D")
            .arg(&self.data)
            .arg("-k")
            .arg(self.dir.path())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "wal_level=logical", "-c", "max_wal_senders=4"]);
        self.process = Some(Running::start(&mut command));
        eventually("the server", PATIENCE, async || {
            self.connect("postgres").await.map(drop)
        })
        .await;
        self
    }

    fn run(&self, name: &str, arguments: &[&str]) {
        let mut command = program(name);
        command.arg("-D").arg(&self.data);
        command.args(["-U", SUPERUSER]).args(arguments);
        succeed(&mut command);
    }

    /// Lets all but the superuser in only with their passwords.
    pub async fn ask_for_passwords(&self) {
        let lines =
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.data.join("pg_hba.conf"), lines).expect("a file");
        self.sql("postgres", "select pg_reload_conf()").await;
        eventually("the new lines", PATIENCE, async || {
            self.options("advisoryd").connect().await.err()
        })
        .await;
    }

    /// The user and group of its files.
    pub fn owner(&self) -> (u32, u32) {
        let data = std::fs::metadata(&self.data).expect("its files");
        (data.uid(), data.gid())
    }

    /// Ends it as a crash does: nothing is written any more, every connection breaks.
    pub async fn crash(&mut self) {
        let process = self.process.as_mut().expect("it runs");
        process.signal(Signal::SIGQUIT);
        process.ended().await;
        self.process = None;
    }

    /// Starts it again after a crash.
    pub async fn restarted(self) -> Self {
        self.started().await
    }

    /// Makes the standby a primary, and waits until it accepts writes.
    pub fn promote(&self) {
        let mut command = program("pg_ctl");
        command.arg("promote").arg("-w").arg("-D").arg(&self.data);
        succeed(&mut command);
    }

    /// How to connect as the program's role.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(ROLE)
            .database(database)
    }

    /// The address of the database `advisoryd`.
    pub fn url(&self) -> String {
        format!(
            "postgres://{ROLE}@{}/advisoryd?sslmode=disable",
            self.host()
        )
    }

    /// Address and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    async fn connect(&self, database: &str) -> Option<PgConnection> {
        let options = self.options(database).username(SUPERUSER);
        options.connect().await.ok()
    }

    /// What a query of one text says to the superuser.
    pub async fn text(&self, database: &str, sql: &str) -> Option<String> {
        let mut connection = self.connect(database).await.expect("a connection");
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement as the superuser.
    pub async fn sql(&self, database: &str, sql: &str) {
        let mut connection = self.connect(database).await.expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Its children would outlive a server that is killed.
            process.signal(Signal::SIGQUIT);
            process.wait();
        }
    }
}

/// The statements of docs/databases.md for a superuser.
pub(super) fn prepared() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/databases.md");
    let text = std::fs::read_to_string(path).expect("the page");
    let block = text.split("```sql\n").nth(1).expect("its SQL");
    let block = block.split("```").next().expect("its end");
    let statements = block.lines().map(str::to_owned);
    statements.filter(|line| !line.is_empty()).collect()
}

/// The user that runs servers where the tests are root, whom PostgreSQL refuses.
pub(super) fn user() -> Option<User> {
    nix::unistd::geteuid()
        .is_root()
        .then(|| User::from_name("postgres").ok().flatten())?
}

pub(super) fn program(name: &str) -> Command {
    let mut command = Command::new(binaries().join(name));
    command.current_dir("/").env("LC_ALL", "C");
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

pub(super) fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("Debian's PostgreSQL");
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let newest = versions.pop().expect("Debian's PostgreSQL");
    Path::new(&newest).join("bin")
}

pub(super) fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
