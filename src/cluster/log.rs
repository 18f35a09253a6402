use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{debug, error, warn};

/// Longest line that is passed on; the rest of a longer one is dropped.
const LINE_LIMIT_BYTES: u64 = 2 * 1024;

/// How many of the last lines explain a server that ended.
const REMEMBERED_LINES: usize = 8;

/// The last lines that the server logged.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
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
                Ok(_) => self.tell(String::from_utf8_lossy(&line).trim_end()),
            }
            if !line.ends_with(b"\n") && from.skip_until(b'\n').is_err() {
                return;
            }
        }
    }

    /// The last lines, oldest first, as one line.
    pub(super) fn said(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return "it said nothing".to_owned();
        }
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn tell(&self, line: &str) {
        if line.is_empty() {
            return;
        }
        // What goes wrong for one connection reaches its client, which says it.
        match line.split_once(':').map(|(word, _)| word) {
            Some("PANIC") => error!("postgresql: {line}"),
            Some("WARNING") => warn!("postgresql: {line}"),
            _ => debug!("postgresql: {line}"),
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == REMEMBERED_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT_BYTES, REMEMBERED_LINES, Tail};

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_read() {
        let tail = Tail::default();
        let long = "x".repeat(3 * usize::try_from(LINE_LIMIT_BYTES).unwrap_or(0));
        tail.follow(format!("{long}\nLOG:  next\n").as_bytes());
        let said = tail.said();
        assert!(said.ends_with("x; LOG:  next"), "{said}");
        assert!(said.len() < long.len());
    }

    #[test]
    fn only_the_last_lines_are_remembered() {
        let tail = Tail::default();
        let lines: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
        tail.follow(lines.join("\n").as_bytes());
        assert_eq!(tail.said().split("; ").count(), REMEMBERED_LINES);
        assert!(tail.said().ends_with("line 999"));
    }
}
