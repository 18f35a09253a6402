//! Help: the overview of the commands, in groups, and examples of each command before the
//! options that all commands have.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use clap::{Command, CommandFactory as _};

use super::args::Arguments;
use super::wrap::wrapped;
use super::{examples, table};

/// The commands by what they are for.
const GROUPS: [(&str, &[&str]); 7] = [
    (
        "Daemon",
        &["run", "sync", "check", "config", "status", "migrate"],
    ),
    (
        "Queries",
        &["advisories", "tickets", "products", "show", "changes"],
    ),
    (
        "Alerts",
        &["alerts", "rules", "explain", "ack", "silence", "sinks"],
    ),
    (
        "Data",
        &[
            "verify",
            "quarantine",
            "replay",
            "enrich",
            "import",
            "mirror",
            "database",
            "maintain",
            "erase",
        ],
    ),
    ("Several daemons", &["budget", "fleet"]),
    ("Unknown feed formats", &["capture", "inspect"]),
    ("Other", &["demo", "simulate", "completions", "man"]),
];

/// The heading of the options that all commands have.
const GLOBAL: &str = "Global options:";

/// All commands, with their examples.
pub(super) fn documented() -> Command {
    examples::add(Arguments::command())
}

/// A page of help whose examples stand before the options that all commands have.
pub(super) fn in_order(page: &str) -> String {
    let lines: Vec<&str> = page.split('\n').collect();
    let plain = |line: &str| console::strip_ansi_codes(line).into_owned();
    let Some(start) = lines.iter().position(|line| plain(line) == GLOBAL) else {
        return page.to_owned();
    };
    let (before, rest) = lines.split_at(start);
    let is_after = |line: &&str| !line.is_empty() && !plain(line).starts_with(' ');
    let Some(end) = rest.iter().skip(1).position(is_after).map(|at| at + 1) else {
        return page.to_owned();
    };
    let (global, after) = rest.split_at(end);
    let part = |lines: &[&str]| lines.join("\n").trim_end().to_owned();
    format!("{}\n\n{}\n\n{}\n", part(before), part(after), part(global))
}

/// A page of help as it is printed.
pub(super) fn shown(page: &str) -> String {
    in_order(&copied(page))
}

/// A page whose examples can be copied.
pub(super) fn copied(page: &str) -> String {
    page.replace(KEPT, " ")
}

/// A blank at which no line ends.
const KEPT: char = '\u{a0}';

/// The command line for a terminal of a width. Examples stay whole, so that they can be
/// copied.
pub(super) fn within(command: Command, width: usize) -> Command {
    /// Longer lines are hard to read.
    const WIDEST: usize = 100;
    kept_examples(command.term_width(width.min(WIDEST)))
}

fn kept_examples(mut command: Command) -> Command {
    let kept = |help: &StyledStr| {
        let lines = help.to_string();
        let lines = lines.split('\n').map(|line| match line.strip_prefix("  ") {
            Some(_) => line.replace(' ', &KEPT.to_string()),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    if let Some(help) = command.get_after_help().map(kept) {
        command = command.after_help(help);
    }
    if let Some(help) = command.get_after_long_help().map(kept) {
        command = command.after_long_help(help);
    }
    command.mut_subcommands(kept_examples)
}

/// Columns before what a command does.
const INDENT: usize = 15;

/// The command line, with an overview in groups.
pub(super) fn command() -> Command {
    let command = documented();
    let styles = Styles::styled();
    let (heading, name) = (styles.get_header(), styles.get_literal());
    let mut groups = String::new();
    // Writing to a string cannot fail.
    for (group, members) in GROUPS {
        let _ = writeln!(groups, "\n{heading}{group}:{heading:#}");
        for member in members {
            let about = command.find_subcommand(member).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let line = format!("  {name}{member:<12}{name:#} {about}");
            let _ = writeln!(groups, "{}", wrapped(&line, INDENT, table::width()));
        }
    }
    let after = "`advisoryd COMMAND -h` lists the options of a command; `--help` describes them, with the global options and examples.";
    let after = wrapped(after, 0, table::width());
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{heading}Global options:{heading:#}\n{{options}}\n\n{after}{{after-help}}\n"
    ))
}

/// What could have been written in place of an unknown command of a command. All commands
/// are in `--help`, which is named already.
pub(super) fn commands_expected() -> Option<String> {
    let mut current = command();
    for argument in std::env::args().skip(1) {
        if let Some(inner) = current.find_subcommand(&argument) {
            current = inner.clone();
        }
    }
    let inner = current.get_subcommands().filter(|one| !one.is_hide_set());
    let names: Vec<&str> = inner.map(Command::get_name).collect();
    (current.get_name() != command().get_name()).then(|| format!("commands: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Arguments, GROUPS, in_order};
    use clap::CommandFactory as _;

    #[test]
    fn examples_stand_before_the_options_of_all_commands() {
        let page = "Does it\n\nUsage: x\n\nOptions:\n  --a  A\n\nGlobal options:\n  --b\n          B\n\n  --c  C\n\nExamples:\n  x --a\n";
        assert_eq!(
            in_order(page),
            "Does it\n\nUsage: x\n\nOptions:\n  --a  A\n\nExamples:\n  x --a\n\nGlobal options:\n  --b\n          B\n\n  --c  C\n"
        );
        assert_eq!(in_order("Usage: x\n"), "Usage: x\n");
    }

    #[test]
    fn every_command_is_in_one_group() {
        let members: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, members)| *members)
            .copied()
            .collect();
        let in_groups: BTreeSet<&str> = members.iter().copied().collect();
        assert_eq!(members.len(), in_groups.len());
        let command = Arguments::command();
        let all: BTreeSet<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert_eq!(in_groups, all);
    }
}
