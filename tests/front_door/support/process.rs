use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::wait::{PATIENCE, eventually};

/// A command for the built `advisoryd`, knowing no configuration of ours.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_advisoryd"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ADVISORYD_") {
            command.env_remove(name);
        }
    }
    command
}

/// A process of a test: what it says is kept, and it is killed with the value.
pub struct Running {
    child: Child,
    stdout: Kept,
    stderr: Kept,
}

impl Running {
    /// Starts `command`.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let stdout = keep(child.stdout.take().expect("its stdout"));
        let stderr = keep(child.stderr.take().expect("its stderr"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// What it wrote to its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The lines of its log so far, each an event with its fields.
    pub fn events(&self) -> Vec<Value> {
        let log = self.stderr();
        let events = log.lines().map(serde_json::from_str);
        events.filter_map(Result::ok).collect()
    }

    /// Waits for an event of its log by its fields.
    pub async fn event(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        eventually(what, PATIENCE, async || {
            self.events().into_iter().find(&is_it)
        })
        .await
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `part` on either output: for data, not for wording.
    pub async fn line(&mut self, part: &str) -> String {
        let what = format!("a line with `{part}`");
        let found = eventually(&what, PATIENCE, async || {
            // First the end, then the lines: a last line is not missed.
            let ended = self.child.try_wait().expect("its state");
            let (stdout, stderr) = (self.stdout(), self.stderr());
            let line = stdout
                .lines()
                .chain(stderr.lines())
                .find(|line| line.contains(part));
            match (line, ended) {
                (Some(line), _) => Some(Ok(line.to_owned())),
                (None, Some(status)) => Some(Err(format!(
                    "{status} before {part:?} was said:\n{stdout}\n{stderr}"
                ))),
                (None, None) => None,
            }
        })
        .await;
        found.unwrap_or_else(|said| panic!("{said}"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("the signal is sent");
    }

    /// Ends it as `kill -9` does, and collects it.
    pub fn kill9(&mut self) {
        self.child.kill().expect("the process is killed");
        self.child.wait().expect("the process is collected");
    }

    /// Waits for its own end without a runtime.
    pub fn wait(&mut self) {
        self.child.wait().expect("the process is collected");
    }

    /// Waits for its own end, and until all that it said is kept.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the end of the process", PATIENCE, async || {
            let status = self.child.try_wait().expect("its state")?;
            (self.stdout.is_whole() && self.stderr.is_whole()).then_some(status)
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process with this number exists and is not merely waiting to be collected.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

/// What a process says, as it comes.
struct Kept {
    text: Arc<Mutex<String>>,
    keeper: thread::JoinHandle<()>,
}

impl Kept {
    fn text(&self) -> String {
        self.text.lock().expect("the kept lines").clone()
    }

    fn is_whole(&self) -> bool {
        self.keeper.is_finished()
    }
}

fn keep(from: impl Read + Send + 'static) -> Kept {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&text);
    let keeper = thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            kept.lock()
                .expect("the kept lines")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    Kept { text, keeper }
}
