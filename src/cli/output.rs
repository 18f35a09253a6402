//! Words and data for people and programs.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::model::{is_unsafe, legible, one_line, outgoing_page};

/// Why some of the data did not reach stdout.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Text for stdout, without control sequences, whatever it quotes.
pub(crate) fn print_line(line: &str) {
    write_line(&legible(line));
}

/// A reader that went away is no failure of ours; a full disk is.
fn write_line(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first failure is the one that explains the others.
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// What kept data from being written, if anything did: then not all is done.
pub(super) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Waits until nobody reads stdout any more: whoever has nothing to write would
/// never learn of it.
pub(super) async fn reader_gone() {
    /// Nobody announces it.
    const LOOK_EVERY: Duration = Duration::from_millis(250);
    let stdout = std::io::stdout();
    let gone = || {
        let mut looked = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let [looked] = match poll(&mut looked, PollTimeout::ZERO) {
            Ok(_) => looked.map(|fd| fd.revents()),
            Err(_) => return false,
        };
        looked.is_some_and(|events| events.contains(PollFlags::POLLERR))
    };
    while !gone() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A failure for stderr, without secrets and control sequences.
pub(crate) fn print_error(text: &str) {
    let mut stderr = std::io::stderr().lock();
    for line in outgoing_page(text).lines() {
        let _ = writeln!(stderr, "advisoryd: {line}");
    }
}

/// Data as one line of JSON. Characters that a terminal could obey, or that could
/// mislead a reader, are escaped.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    write_line(&escaped(&serde_json::to_string(value)?));
    Ok(())
}

/// JSON with such characters as `\u009b`: they can only be within its strings.
fn escaped(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_unsafe(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// A text for a cell of CSV: a spreadsheet takes what begins like a formula for one, so
/// that gets an apostrophe in front.
pub(crate) fn csv_cell(text: &str) -> String {
    const FORMULAS: [char; 10] = [
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    let is_formula = text.starts_with(FORMULAS);
    let text = legible(text);
    if is_formula { format!("'{text}") } else { text }
}

/// Rows under a heading, in columns as wide as their widest cell.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
    columns(&heading.map(str::to_owned), &rows)
}

/// The same with any number of columns.
pub(crate) fn columns(heading: &[String], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(cell);
            let padding = width + 2 - cell.chars().count();
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.trim_end().to_owned()
    };
    let mut text = line(heading);
    for row in &rows {
        text.push('\n');
        text.push_str(&line(row));
    }
    text
}

/// A length of time as people say it: `3 h`, `12 min`.
pub(crate) fn rough(time: chrono::TimeDelta) -> String {
    let seconds = time.num_seconds();
    match seconds.abs() {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{csv_cell, escaped, rough, table};

    #[test]
    fn tables_line_up_and_times_are_rough() {
        let text = table(["a", "long"], &[["wide cell".into(), "x".into()]]);
        assert_eq!(text, "a          long\nwide cell  x");
        let text = table(["a"], &[["\u{1b}[2Jb\nc".into()]]);
        assert_eq!(text, "a\n[2Jb c", "no terminal obeys a title");
        assert_eq!(
            escaped("\"a\u{9b}2J\u{7f}\u{202e}\u{e0041}ä\""),
            r#""a\u009b2J\u007f\u202e\udb40\udc41ä""#
        );
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("\r@x", "'\u{fffd}@x"),
            ("-1.5", "'-1.5"),
            ("a=1\u{9b}", "a=1\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
        assert_eq!(rough(chrono::TimeDelta::seconds(90)), "90 s");
        assert_eq!(rough(chrono::TimeDelta::minutes(90)), "90 min");
        assert_eq!(rough(chrono::TimeDelta::hours(90)), "3 days");
    }
}
