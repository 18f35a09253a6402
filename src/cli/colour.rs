//! Colours and links on a terminal: `--color`, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`.

use std::env;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ColorChoice, ValueEnum};
use console::{Style, Term};

/// Whether links may be written to stdout.
static HAS_LINKS: AtomicBool = AtomicBool::new(false);

/// When output has colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Also in pipes
    Always,
    /// Never, and no links
    Never,
}

impl When {
    /// The choice of a command line that is not parsed yet: errors and help have colours too.
    pub(super) fn early(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut found = Self::default();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let argument = argument.to_string_lossy().into_owned();
            let value = match argument.strip_prefix("--color=") {
                Some(value) => Some(value.to_owned()),
                None if argument == "--color" => {
                    let next = arguments.peek();
                    next.map(|value| value.to_string_lossy().into_owned())
                }
                None => None,
            };
            let value = value.and_then(|value| Self::from_str(&value, false).ok());
            found = value.unwrap_or(found);
        }
        found
    }

    /// The same for help and for errors of the command line.
    pub(super) fn of_parser(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }

    /// Makes it hold for all that is printed from now on, the log included.
    pub(super) fn begin(self) {
        let (stdout, stderr) = (Term::stdout().is_term(), Term::stderr().is_term());
        let is_dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
        console::set_colors_enabled(self.is_coloured(stdout && !is_dumb));
        console::set_colors_enabled_stderr(self.is_coloured(stderr && !is_dumb));
        let has_links = stdout && !is_dumb && self != Self::Never;
        HAS_LINKS.store(has_links, Ordering::Relaxed);
    }

    fn is_coloured(self, is_terminal: bool) -> bool {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto if env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0") => {
                is_terminal
            }
            Self::Auto => is_terminal || is_set("CLICOLOR_FORCE"),
        }
    }
}

/// Whether links may be written.
pub(super) fn has_links() -> bool {
    HAS_LINKS.load(Ordering::Relaxed)
}

/// The style of a cell, by the heading of its column.
pub(super) fn of_cell(heading: &str, cell: &str) -> Style {
    let plain = Style::new();
    match (heading, cell) {
        ("severity", "extremely_critical" | "extreme") => plain.red().bold(),
        ("severity", "highly_critical" | "high")
        | ("state", "failing" | "failed" | "missing" | "dead_letter") => plain.red(),
        ("severity", "moderately_critical" | "moderate")
        | ("state", "stale" | "degraded" | "pending") => plain.yellow(),
        ("severity", "rejected" | "not_critical" | "not crit.") => plain.dim(),
        ("state", "ok" | "active" | "delivered") => plain.green(),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::When;

    #[test]
    fn the_choice_is_known_before_the_command_line_is_parsed() {
        let early = |arguments: &[&str]| When::early(arguments.iter().map(Into::into));
        assert_eq!(early(&["advisoryd", "status"]), When::Auto);
        assert_eq!(early(&["advisoryd", "--color=never", "x"]), When::Never);
        assert_eq!(
            early(&["advisoryd", "x", "--color", "always"]),
            When::Always
        );
        assert_eq!(early(&["advisoryd", "--color"]), When::Auto);
        assert_eq!(early(&["advisoryd", "--color=pink"]), When::Auto);
    }
}
