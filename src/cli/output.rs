//! Words and data for people and programs.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use console::Term;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use serde_json::Value;
use unicode_normalization::char::is_combining_mark;

pub(crate) use super::table::{columns, table};
use super::table::{width, width_of};
use super::wrap::wrapped;
use super::{drawn, pager, wrap};
use crate::model::{is_unsafe, legible, outgoing_page, without_secrets};

/// Why some of the data did not reach stdout.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Whether a part of the output was lost, also because its reader went away.
static IS_CUT: AtomicBool = AtomicBool::new(false);

/// Whether only data and failures are printed (`--quiet`).
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on only data and failures are printed.
pub(super) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

pub(super) fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Text for people, without secrets and control sequences, whatever it quotes.
pub(crate) fn print_line(line: &str) {
    write_line(&outgoing_page(line));
}

/// What was done, for stdout; nothing with `--quiet`.
pub(super) fn print_done(line: &str) {
    if !is_quiet() {
        print_line(line);
    }
}

/// Lines that are legible already, and may have colours of this program.
pub(super) fn print_styled(lines: &str) {
    write_line(&without_secrets(lines));
}

/// Data for programs: no pager gets it.
pub(super) fn print_data(lines: &str) {
    record(writeln!(std::io::stdout(), "{lines}"));
}

fn write_line(line: &str) {
    let line = wrap::page(line, width());
    match pager::write(&line) {
        Some(written) => record(written),
        None => print_data(&line),
    }
}

/// A reader that went away is no failure of ours; a full disk is.
fn record(written: std::io::Result<()>) {
    if let Err(error) = written {
        IS_CUT.store(true, Ordering::Relaxed);
        if error.kind() != ErrorKind::BrokenPipe {
            // The first failure is the one that explains the others.
            let _ = UNWRITTEN.set(error.to_string());
        }
    }
}

/// Writes what was held back for a pager, and waits until the user leaves it.
pub(super) fn finish() {
    let (written, notes) = pager::end();
    record(written);
    for line in notes {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// Whether all that was printed was also written, to a reader that was there.
pub(super) fn is_whole() -> bool {
    std::io::stdout().flush().is_ok() && !IS_CUT.load(Ordering::Relaxed)
}

/// What kept data from being written, if anything did: then not all is done.
pub(super) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Waits until nobody reads stdout any more: whoever has nothing to write would
/// never learn of it.
pub(super) async fn reader_gone() {
    /// Nobody announces it.
    const POLL_INTERVAL: Duration = Duration::from_millis(250);
    let stdout = std::io::stdout();
    let gone = || {
        // The pager was left.
        if IS_CUT.load(Ordering::Relaxed) {
            return true;
        }
        let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let [polled] = match poll(&mut polled, PollTimeout::ZERO) {
            Ok(_) => polled.map(|fd| fd.revents()),
            Err(_) => return false,
        };
        polled.is_some_and(|events| events.contains(PollFlags::POLLERR))
    };
    while !gone() {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Before each line on stderr.
const NAME: &str = "advisoryd: ";

/// A failure for stderr, without secrets and control sequences.
pub(crate) fn print_error(text: &str) {
    let width = width_of(&Term::stderr());
    for line in outgoing_page(text).lines() {
        let line = wrapped(&format!("{NAME}{line}"), NAME.len(), width);
        if !pager::keep_note(&line) {
            drawn::above(|| {
                let _ = writeln!(std::io::stderr(), "{line}");
            });
        }
    }
}

/// A hint for stderr; nothing with `--quiet`.
pub(super) fn print_note(text: &str) {
    if !is_quiet() {
        print_error(text);
    }
}

/// Data as one line of JSON. Characters that a terminal could obey, or that could
/// mislead a reader, are escaped.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_data(&escaped(&serde_json::to_string(value)?));
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
    // Also in full width, and in small forms.
    const FORMULAS: [char; 14] = [
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}',
        '\u{fe62}', '\u{fe63}', '\u{fe6b}',
    ];
    // A mark without a letter may be dropped.
    let is_formula = text
        .trim_start_matches(is_combining_mark)
        .starts_with(FORMULAS);
    let text = legible(text);
    if is_formula { format!("'{text}") } else { text }
}

/// A value as people read it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
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
    use super::{csv_cell, escaped, rough};

    #[test]
    fn texts_are_safe_and_times_are_rough() {
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
            ("\u{fe66}1+1", "'\u{fe66}1+1"),
            ("\u{fe62}1", "'\u{fe62}1"),
            ("\u{fe63}1", "'\u{fe63}1"),
            ("\u{fe6b}SUM(1)", "'\u{fe6b}SUM(1)"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{301}\u{fe0f}=1+1", "'\u{301}\u{fe0f}=1+1"),
            ("e\u{301}=1", "e\u{301}=1"),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
        assert_eq!(rough(chrono::TimeDelta::seconds(90)), "90 s");
        assert_eq!(rough(chrono::TimeDelta::minutes(90)), "90 min");
        assert_eq!(rough(chrono::TimeDelta::hours(90)), "3 days");
    }
}
