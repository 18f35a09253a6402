//! A pager for long output on a terminal, as git has one.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::mem;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::{Term, measure_text_width};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::hyperlink::without_links;

/// The pager where none is named.
const USUAL: &str = "less";
/// Characters that only a shell understands.
const OF_SHELL: [char; 16] = [
    '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '=', '~',
];

/// Where output for people goes.
enum Paging {
    /// To stdout.
    Off,
    /// Held back until it is known whether it fits the terminal.
    Held(Held),
    /// To the pager.
    Running(Child),
}

struct Held {
    text: String,
    /// Rows that `text` takes.
    taken: usize,
    /// Rows and columns of the terminal.
    rows: usize,
    columns: usize,
}

static PAGING: Mutex<Paging> = Mutex::new(Paging::Off);
/// What goes to stderr when the pager has ended: it would appear in the middle of the page.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn paging() -> MutexGuard<'static, Paging> {
    PAGING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, output that does not fit the terminal goes to a pager; without a terminal
/// nothing changes.
pub(super) fn begin() {
    let terminal = Term::stdout();
    if let Some((rows, columns)) = terminal.size_checked().filter(|_| terminal.is_term())
        && command().is_some()
    {
        *paging() = Paging::Held(Held {
            text: String::new(),
            taken: 0,
            // One row is for the prompt of the shell.
            rows: usize::from(rows.saturating_sub(1)),
            columns: usize::from(columns.max(1)),
        });
    }
}

/// Writes a line to the pager, or holds it back for one. `None` if it belongs on stdout.
pub(super) fn write(line: &str) -> Option<io::Result<()>> {
    let mut paging = paging();
    match &mut *paging {
        Paging::Off => None,
        Paging::Running(child) => Some(feed(child, line, "\n")),
        Paging::Held(held) => {
            held.text.push_str(line);
            held.text.push('\n');
            held.taken += rows_of(line, held.columns);
            if held.taken <= held.rows {
                return Some(Ok(()));
            }
            let text = mem::take(&mut held.text);
            let Some(mut child) = command().as_ref().and_then(|command| spawn(command)) else {
                *paging = Paging::Off;
                return Some(io::stdout().write_all(text.as_bytes()));
            };
            let fed = feed(&mut child, &text, "");
            *paging = Paging::Running(child);
            Some(fed)
        }
    }
}

/// Holds a line for stderr back until the pager has ended. False if there is none.
pub(super) fn keep_note(line: &str) -> bool {
    if matches!(*paging(), Paging::Off) {
        return false;
    }
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.push(line.to_owned());
    true
}

/// Writes what was held back, or waits until the user leaves the pager. Returns what
/// belongs on stderr now.
pub(super) fn end() -> (io::Result<()>, Vec<String>) {
    let ended = match mem::replace(&mut *paging(), Paging::Off) {
        Paging::Off => Ok(()),
        Paging::Held(held) => io::stdout().write_all(held.text.as_bytes()),
        Paging::Running(mut child) => {
            drop(child.stdin.take());
            child.wait().map(drop)
        }
    };
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    (ended, mem::take(&mut *notes))
}

fn feed(child: &mut Child, text: &str, end: &str) -> io::Result<()> {
    let Some(stdin) = &mut child.stdin else {
        return Ok(());
    };
    // Other pagers would show the bytes of a link.
    if command().is_some_and(|command| command.starts_with(USUAL)) {
        stdin.write_all(text.as_bytes())?;
    } else {
        stdin.write_all(without_links(text).as_bytes())?;
    }
    stdin.write_all(end.as_bytes())
}

/// Rows that lines take on a terminal, which breaks those that are too long.
fn rows_of(lines: &str, columns: usize) -> usize {
    let rows = |line: &str| measure_text_width(line).div_ceil(columns).max(1);
    without_links(lines).split('\n').map(rows).sum()
}

/// The pager that was chosen; `None` if it is none.
fn command() -> Option<String> {
    choose(std::env::var_os("ADVISORYD_PAGER").or_else(|| std::env::var_os("PAGER")))
}

fn choose(named: Option<OsString>) -> Option<String> {
    let named = named.map(|name| name.to_string_lossy().trim().to_owned());
    let command = named.unwrap_or_else(|| USUAL.to_owned());
    (!command.is_empty() && command != "cat").then_some(command)
}

/// Starts the pager. `None` if that is not possible: then the terminal has to do.
fn spawn(command: &str) -> Option<Child> {
    let mut pager = if command.contains(OF_SHELL) {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        shell
    } else {
        let mut words = command.split_whitespace();
        let mut program = Command::new(words.next()?);
        program.args(words);
        program
    };
    for (name, _) in std::env::vars_os() {
        // Of what is ours, some is secret.
        if name.to_string_lossy().starts_with("ADVISORYD_") {
            pager.env_remove(name);
        }
    }
    for (name, options) in [("LESS", "FRX"), ("LV", "-c")] {
        if std::env::var_os(name).is_none() {
            pager.env(name, options);
        }
    }
    let child = pager.stdin(Stdio::piped()).spawn().ok()?;
    if Handle::try_current().is_ok() {
        // Ctrl-C is meant for the pager: this process must not leave it alone with the
        // terminal. The handler stays when this is dropped.
        let _ = signal(SignalKind::interrupt());
    }
    Some(child)
}

#[cfg(test)]
mod tests {
    use super::{choose, rows_of};

    #[test]
    fn rows_are_those_of_the_terminal() {
        assert_eq!(rows_of("", 80), 1);
        assert_eq!(rows_of(&"x".repeat(80), 80), 1);
        assert_eq!(rows_of(&format!("{}\nx", "ä".repeat(81)), 80), 3);
        assert_eq!(rows_of("\u{1b}[31mred\u{1b}[0m", 3), 1);
    }

    #[test]
    fn nothing_and_cat_are_no_pager() {
        assert_eq!(choose(None).as_deref(), Some("less"));
        assert_eq!(choose(Some("more -d".into())).as_deref(), Some("more -d"));
        assert_eq!(choose(Some(" ".into())), None);
        assert_eq!(choose(Some("cat".into())), None);
    }
}
