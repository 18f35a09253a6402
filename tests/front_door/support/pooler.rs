//! Debian's PgBouncer in front of a test's database.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use url::Url;

use super::alerts::servers;
use super::database::TestDatabase;
use super::process::Running;
use super::run_dir::state_dir;
use super::wait::{PATIENCE, eventually};
use super::web::free_port;

/// What docs/databases.md asks clients for.
const PASSWORD: &str = "of-the-role";

/// Runs until it is dropped.
pub struct PgBouncer {
    /// For the program under test.
    pub url: String,
    /// The address of the database behind it.
    pub direct: String,
    line: String,
    port: u16,
    process: Running,
    dir: TempDir,
}

impl PgBouncer {
    /// With its defaults and the authentication of docs/databases.md, in this mode:
    /// `session`, `transaction` or `statement`.
    pub async fn to(database: &TestDatabase, mode: &str) -> Self {
        let url = Url::parse(&database.url).expect("the database's address");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let (sockets, user) = (&query["host"], &query["user"]);
        let name = &database.name;
        // Only the owner of the socket may use it.
        let socket = Path::new(sockets).join(".s.PGSQL.5432");
        let owner = std::fs::metadata(socket).expect("the server's socket");
        let line = format!("{name} = host={sockets} port=5432 dbname={name} pool_mode={mode}");
        let users = format!("\"{user}\" \"{PASSWORD}\"\n");
        let mut pooler = Self::start((owner.uid(), owner.gid()), line, &users).await;
        let port = pooler.port;
        pooler.url =
            format!("postgres://{user}:{PASSWORD}@127.0.0.1:{port}/{name}?sslmode=disable");
        pooler.direct.clone_from(&database.url);
        pooler
    }

    /// With a line of `[databases]` and the text of `userlist.txt`, as this user and group.
    pub async fn start(owner: (u32, u32), line: String, users: &str) -> Self {
        let dir = state_dir();
        std::fs::write(dir.path().join("userlist.txt"), users).expect("a file");
        let port = free_port();
        let path = dir.path().join("pgbouncer.ini");
        std::fs::write(&path, settings(&dir, port, &line)).expect("a file");
        let mut command = program();
        command.arg(path);
        // It refuses to be root.
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.0).gid(owner.1);
        }
        let process = Running::start(&mut command);
        eventually("PgBouncer's port", PATIENCE, async || {
            let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
            connecting.await.ok()
        })
        .await;
        let (url, direct) = (String::new(), String::new());
        Self {
            url,
            direct,
            line,
            port,
            process,
            dir,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the mode while it runs, as an administrator does.
    pub fn reload(&self, mode: &str) {
        let (line, _) = self.line.split_once(" pool_mode=").expect("its mode");
        let line = format!("{line} pool_mode={mode}");
        let path = self.dir.path().join("pgbouncer.ini");
        std::fs::write(path, settings(&self.dir, self.port, &line)).expect("a file");
        self.process.signal(Signal::SIGHUP);
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.stderr()
    }
}

fn settings(dir: &TempDir, port: u16, line: &str) -> String {
    let users = dir.path().join("userlist.txt");
    format!(
        "[databases]\n{line}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n",
        users.display()
    )
}

/// PgBouncer with the libraries that were unpacked with it.
fn program() -> Command {
    let root = servers();
    let program = root.join("usr/sbin/pgbouncer");
    assert!(program.exists(), "run `make servers` once");
    let libraries: Vec<String> = std::fs::read_dir(root.join("usr/lib"))
        .expect("its libraries")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("linux-gnu"))
        .map(|entry| entry.path().display().to_string())
        .collect();
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries.join(":"));
    command
}
