//! The server's log (its standard error): passed on to ours, and its last lines
//! kept for error messages.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{debug, error, warn};

use crate::model::one_line;

/// Longest line that is passed on; the rest of a longer one is dropped.
const LINE_LIMIT_BYTES: u64 = 2 * 1024;

/// How many of the last lines explain a server that ended.
const KEPT_LINES: usize = 8;

/// The last lines that the server logged.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerLog {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// Until then, what goes wrong is reported with the error of the start.
    serving: Arc<AtomicBool>,
}

impl ServerLog {
    /// Reads `from` to its end, passing each line on to our log.
    pub(super) fn follow(&self, from: impl Read) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match from
                .by_ref()
                .take(LINE_LIMIT_BYTES)
                .read_until(b'\n', &mut line)
            {
                Ok(0) | Err(_) => return,
                Ok(_) => self.add(&String::from_utf8_lossy(&line)),
            }
            if !line.ends_with(b"\n") && from.skip_until(b'\n').is_err() {
                return;
            }
        }
    }

    /// From now on severe messages are errors of ours.
    pub(super) fn is_serving(&self) {
        self.serving.store(true, Ordering::Release);
    }

    /// The last lines, oldest first, as one line.
    pub(super) fn last_lines(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return "its log is empty".to_owned();
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.join("; ")
    }

    /// The last line, without its severity; `None` when nothing was logged.
    pub(super) fn last_message(&self) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.back()?;
        let message = line
            .split_once(": ")
            .map_or(line.as_str(), |(_, rest)| rest);
        Some(message.trim().to_owned())
    }

    fn add(&self, line: &str) {
        // Names in messages may come from anywhere, and a terminal may read them.
        let line = one_line(line);
        if line.is_empty() {
            return;
        }
        let serving = self.serving.load(Ordering::Acquire);
        // What goes wrong for one connection is reported by its client.
        match line.split_once(':').map(|(word, _)| word) {
            Some("PANIC") if serving => error!("postgresql: {line}"),
            Some("WARNING") if serving => warn!("postgresql: {line}"),
            _ => debug!("postgresql: {line}"),
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_LINES, LINE_LIMIT_BYTES, ServerLog};

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_read() {
        let log = ServerLog::default();
        let endless = "x".repeat(3 * usize::try_from(LINE_LIMIT_BYTES).unwrap_or(0));
        log.follow(format!("{endless}\nLOG:  next\n").as_bytes());
        let lines = log.last_lines();
        assert!(lines.ends_with("x; LOG: next"), "{lines}");
        assert!(lines.len() < endless.len());
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = ServerLog::default();
        let lines: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
        log.follow(lines.join("\n").as_bytes());
        assert_eq!(log.last_lines().split("; ").count(), KEPT_LINES);
        assert!(log.last_lines().ends_with("line 999"));
    }
}
