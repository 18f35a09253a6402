//! A way to PostgreSQL that counts what is written, and kills a process at a
//! chosen point of it: transactions that wrote something when they are
//! committed, and statements that write outside of one. Whether a transaction wrote
//! something, the server is asked itself, on the same connection.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use url::Url;

use super::database::TestDatabase;

/// Longest message of the protocol that a test sends.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Whether the transaction has a number: only one that writes, or locks rows, gets one.
const HAS_WRITTEN: &str = "select pg_current_xact_id_if_assigned()";

/// Where the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The server never hears of the commit.
    Before,
    /// The server has committed, and the process never hears of it.
    After,
}

struct Watched {
    edge: Edge,
    place: u64,
    count: AtomicU64,
    hit: AtomicBool,
    process: watch::Receiver<Option<u32>>,
}

impl Watched {
    /// Kills the process. What it was about to hear or say is lost with it.
    fn strike(&self) {
        let pid = self.process.borrow().expect("connections wait for it");
        let pid = i32::try_from(pid).expect("a process number");
        // It may be dead already: two connections can come to the place at once.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        self.hit.store(true, Ordering::SeqCst);
    }
}

/// Listens on a port of its own until it is dropped.
pub struct Gateway {
    /// For the program under test.
    pub url: String,
    watched: Arc<Watched>,
    process: watch::Sender<Option<u32>>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// In front of a database; the process is killed at the edge of the
    /// `place`-th commit.
    pub async fn to(database: &TestDatabase, place: u64, edge: Edge) -> Self {
        let url = Url::parse(&database.url).expect("the database's address");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let socket = PathBuf::from(&query["host"]).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (process, receiver) = watch::channel(None);
        let watched = Arc::new(Watched {
            edge,
            place,
            count: AtomicU64::new(0),
            hit: AtomicBool::new(false),
            process: receiver,
        });
        let shared = Arc::clone(&watched);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.expect("the server");
                tokio::spawn(pass_on(client, server, Arc::clone(&shared)));
            }
        });
        Self {
            url: format!(
                "postgres://{}@127.0.0.1:{port}/{}?sslmode=disable",
                query["user"], database.name
            ),
            watched,
            process,
            serving,
        }
    }

    /// Says which process is to be killed; until then it waits for its first answer.
    pub fn watch(&self, pid: u32) {
        self.process.send_replace(Some(pid));
    }

    /// Whether the place was reached.
    pub fn has_struck(&self) -> bool {
        self.watched.hit.load(Ordering::SeqCst)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What is known of one connection.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Conversation {
    /// Prepared statements that write, by name.
    writes: HashMap<String, bool>,
    /// Those that are about the request budget.
    of_the_budget: HashSet<String>,
    /// Whether the transaction is about the request budget, and nothing else.
    is_budget: bool,
    is_in_transaction: bool,
    statement_writes: bool,
    /// Number of the commit that is under way.
    commit: Option<u64>,
    /// Who waits for the answer to a question of the gateway's own.
    question: Option<oneshot::Sender<bool>>,
    is_yes: bool,
}

impl Conversation {
    /// Notes what a message asks for.
    fn asked(&mut self, kind: u8, body: &[u8]) -> Asked {
        let mut texts = body
            .split(|byte| *byte == 0)
            .map(|text| String::from_utf8_lossy(text).to_lowercase());
        let mut text = || texts.next().unwrap_or_default();
        match kind {
            b'P' => {
                let (name, sql) = (text(), text());
                if is_of_the_budget(&sql) {
                    self.of_the_budget.insert(name.clone());
                } else {
                    self.of_the_budget.remove(&name);
                }
                self.writes.insert(name, writes(&sql));
                return Asked::Nothing;
            }
            b'B' => {
                let (_portal, name) = (text(), text());
                self.statement_writes = self.writes.get(&name).copied().unwrap_or(false);
                self.is_budget |= self.of_the_budget.contains(&name);
            }
            b'Q' => {
                let sql = text();
                if self.is_in_transaction && sql.trim() == "commit" {
                    let is_counted = !std::mem::take(&mut self.is_budget);
                    return if is_counted {
                        Asked::EndOfTransaction
                    } else {
                        Asked::Nothing
                    };
                }
                if sql.trim().starts_with("begin") {
                    self.is_budget = false;
                }
                self.statement_writes = writes(&sql);
            }
            _ => return Asked::Nothing,
        }
        if self.statement_writes && !self.is_in_transaction {
            Asked::Commit
        } else {
            Asked::Nothing
        }
    }

    /// Whether a message answers the gateway and not the process.
    fn answers_us(&mut self, kind: u8, body: &[u8]) -> bool {
        match (kind, self.question.is_some()) {
            (_, false) => return false,
            // One column, whose length is negative where it is null.
            (b'D', true) => self.is_yes = body.get(2).is_some_and(|byte| byte & 0x80 == 0),
            (b'Z', true) => {
                let asking = self.question.take().expect("somebody asks");
                // Whoever asked may have gone with the process.
                let _ = asking.send(std::mem::take(&mut self.is_yes));
            }
            (_, true) => {}
        }
        true
    }

    /// The number of the commit that this message says is done.
    fn answered(&mut self, kind: u8, body: &[u8]) -> Option<u64> {
        match kind {
            b'C' => self.commit.take(),
            b'Z' => {
                self.is_in_transaction = body != b"I";
                None
            }
            _ => None,
        }
    }
}

/// What a message asks for.
enum Asked {
    /// A statement that writes, outside of transactions.
    Commit,
    /// The commit of a transaction that may have written something.
    EndOfTransaction,
    Nothing,
}

/// A message with one statement.
fn query(sql: &str) -> Vec<u8> {
    let length = u32::try_from(sql.len() + 5).expect("a short statement");
    [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat()
}

/// The request budget is written when requests wait, by a task of its own: how often,
/// depends on the time.
fn is_of_the_budget(sql: &str) -> bool {
    sql.contains("advisoryd.budget")
}

fn writes(sql: &str) -> bool {
    if is_of_the_budget(sql) {
        return false;
    }
    let sql = sql.replace("for update", "");
    ["insert into ", "update ", "delete from ", "copy "]
        .iter()
        .any(|verb| sql.contains(verb))
}

async fn pass_on(client: TcpStream, server: UnixStream, watched: Arc<Watched>) {
    let mut process = watched.process.clone();
    if process.wait_for(Option::is_some).await.is_err() {
        return;
    }
    let conversation = Mutex::new(Conversation::default());
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        let startup = read(&mut from_client, false).await?;
        to_server.write_all(&startup).await?;
        loop {
            let message = read(&mut from_client, true).await?;
            let asked = lock(&conversation).asked(message[0], &message[5..]);
            let commits = match asked {
                Asked::Commit => true,
                Asked::EndOfTransaction => has_written(&conversation, &mut to_server).await?,
                Asked::Nothing => false,
            };
            if commits {
                let commit = watched.count.fetch_add(1, Ordering::SeqCst) + 1;
                lock(&conversation).commit = Some(commit);
                if commit == watched.place && watched.edge == Edge::Before {
                    watched.strike();
                    return std::io::Result::Ok(());
                }
            }
            to_server.write_all(&message).await?;
        }
    };
    let answering = async {
        loop {
            let message = read(&mut from_server, true).await?;
            let (kind, body) = (message[0], &message[5..]);
            if lock(&conversation).answers_us(kind, body) {
                continue;
            }
            let commit = lock(&conversation).answered(kind, body);
            if commit == Some(watched.place) && watched.edge == Edge::After {
                watched.strike();
                return std::io::Result::Ok(());
            }
            to_client.write_all(&message).await?;
        }
    };
    // Whichever side goes takes the other with it.
    tokio::select! {
        _ = asking => {}
        _ = answering => {}
    }
}

fn lock(conversation: &Mutex<Conversation>) -> MutexGuard<'_, Conversation> {
    conversation.lock().expect("the conversation")
}

/// Asks the server whether the transaction that is to be committed has written.
async fn has_written(
    conversation: &Mutex<Conversation>,
    to_server: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> std::io::Result<bool> {
    let (sender, answer) = oneshot::channel();
    lock(conversation).question = Some(sender);
    to_server.write_all(&query(HAS_WRITTEN)).await?;
    answer.await.map_err(std::io::Error::other)
}

/// One message of the protocol; the first has no letter for its kind.
async fn read(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    has_kind: bool,
) -> std::io::Result<Vec<u8>> {
    let head = if has_kind { 5 } else { 4 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).await?;
    let length: [u8; 4] = message[head - 4..].try_into().expect("four bytes");
    let length = u32::from_be_bytes(length) as usize - 4;
    assert!(length < MAX_MESSAGE, "a message of {length} bytes");
    message.resize(head + length, 0);
    from.read_exact(&mut message[head..]).await?;
    Ok(message)
}
