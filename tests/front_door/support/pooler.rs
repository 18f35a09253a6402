//! Debian's PgBouncer in front of a test's database.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use url::Url;

use super::alerts::servers;
use super::database::TestDatabase;
use super::process::Running;
use super::run_dir::state_dir;
use super::wait::{PATIENCE, eventually};
use super::web::free_port;

/// Runs until it is dropped.
pub struct PgBouncer {
    /// For the program under test.
    pub url: String,
    /// The address of the database behind it.
    pub direct: String,
    _process: Running,
    _dir: TempDir,
}

impl PgBouncer {
    /// With its defaults, in this mode: `session`, `transaction` or `statement`.
    pub async fn to(database: &TestDatabase, mode: &str) -> Self {
        let url = Url::parse(&database.url).expect("the database's address");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let (sockets, user) = (&query["host"], &query["user"]);
        let name = &database.name;
        let dir = state_dir();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("users"), format!("\"{user}\" \"\"\n")).expect("a file");
        let port = free_port();
        let mut settings = String::from("[databases]\n");
        let _ = writeln!(
            settings,
            "{name} = host={sockets} port=5432 dbname={name} pool_mode={mode}"
        );
        let users = path("users");
        let _ = writeln!(
            settings,
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}",
            users.display()
        );
        std::fs::write(path("pgbouncer.ini"), settings).expect("a file");
        let mut command = program();
        command.arg(path("pgbouncer.ini"));
        // It refuses to be root; and only the owner of the socket may use it.
        if nix::unistd::geteuid().is_root() {
            let socket = Path::new(sockets).join(".s.PGSQL.5432");
            let owner = std::fs::metadata(socket).expect("the server's socket");
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = Running::start(&mut command);
        eventually("PgBouncer's port", PATIENCE, async || {
            let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
            connecting.await.ok()
        })
        .await;
        Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable"),
            direct: database.url.clone(),
            _process: process,
            _dir: dir,
        }
    }
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
