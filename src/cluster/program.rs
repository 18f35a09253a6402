//! Runs a helper program (initdb, `sh`) to its end: time limit, cancellation,
//! bounded output.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process::signal_on_our_death;
use crate::model::one_line;

/// How much of what a program printed is kept: enough for an error message.
const OUTPUT_LIMIT_BYTES: u64 = 4 * 1024;

/// How long the output may take to arrive after the program's end.
const OUTPUT_WITHIN: Duration = Duration::from_secs(1);

/// First pause between two checks whether a program has ended.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Longest such pause; each is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Set once by whoever wants a start to be given up; read by the threads that
/// do its blocking work.
#[derive(Debug, Clone, Default)]
pub(super) struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Which of its outputs is kept; the other is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Stdout,
    Stderr,
}

/// How a program ended.
pub(super) enum Finished {
    /// With a status of its own.
    Exited {
        status: ExitStatus,
        /// The beginning of what it printed as one line, lines joined by `; `.
        output: String,
    },
    /// It was killed, because cancelled.
    Cancelled,
    /// It was killed, because it took longer than the limit.
    TimedOut,
}

/// Runs `command` to its end, giving it `input`. It is killed when this process
/// dies, after `limit`, and when `cancel` is set.
pub(super) fn run(
    command: &mut Command,
    input: &str,
    keep: Keep,
    limit: Duration,
    cancel: &CancelFlag,
) -> io::Result<Finished> {
    signal_on_our_death(command, Signal::SIGKILL);
    let (stdout, stderr) = match keep {
        Keep::Stdout => (Stdio::piped(), Stdio::null()),
        Keep::Stderr => (Stdio::null(), Stdio::piped()),
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading explains itself by its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let printed = keep_beginning(&mut child);
    let Some(status) = wait(&mut child, limit, cancel)? else {
        return Ok(if cancel.is_set() {
            Finished::Cancelled
        } else {
            Finished::TimedOut
        });
    };
    // Empty if a child of its own still holds the pipe.
    let output = printed.recv_timeout(OUTPUT_WITHIN).unwrap_or_default();
    Ok(Finished::Exited { status, output })
}

/// Receives the beginning of what `child` prints, once it has printed all.
fn keep_beginning(child: &mut Child) -> Receiver<String> {
    let (sender, printed) = channel();
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Pipe);
    let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Pipe);
    if let Some(pipe) = stdout.or(stderr) {
        // Nobody receives from a program that was killed.
        thread::spawn(move || drop(sender.send(read_limited(pipe))));
    }
    printed
}

type Pipe = Box<dyn Read + Send>;

/// The status of `child`, or `None` when it had to be killed.
fn wait(child: &mut Child, limit: Duration, cancel: &CancelFlag) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if cancel.is_set() || began.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads the beginning and discards the rest, so that the writer never blocks.
fn read_limited(mut from: impl Read) -> String {
    let mut beginning = Vec::new();
    let read = from
        .by_ref()
        .take(OUTPUT_LIMIT_BYTES)
        .read_to_end(&mut beginning)
        .and_then(|_| io::copy(&mut from, &mut io::sink()));
    if let Err(error) = read {
        tracing::debug!(%error, "a program's output was not read to its end");
    }
    let text = String::from_utf8_lossy(&beginning);
    let lines: Vec<String> = text.lines().map(one_line).collect();
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}
