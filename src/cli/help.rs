//! The overview of the commands, in groups.

use std::fmt::Write as _;

use clap::builder::styling::Styles;
use clap::{Command, CommandFactory as _};

use super::args::Arguments;
use super::examples;

/// The commands by what they are for.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Daemon", &["run", "sync", "check", "status", "migrate"]),
    ("Queries", &["advisories", "tickets", "show", "changes"]),
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

/// The command line, with an overview in groups.
pub(super) fn command() -> Command {
    let command = examples::add(Arguments::command());
    let styles = Styles::styled();
    let (heading, name) = (styles.get_header(), styles.get_literal());
    let mut groups = String::new();
    // Writing to a string cannot fail.
    for (group, members) in GROUPS {
        let _ = writeln!(groups, "\n{heading}{group}:{heading:#}");
        for member in members {
            let about = command.find_subcommand(member).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(groups, "  {name}{member:<12}{name:#} {about}");
        }
    }
    let after = "`advisoryd COMMAND --help` describes a command.";
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{heading}Global options:{heading:#}\n{{options}}\n\n{after}{{after-help}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Arguments, GROUPS};
    use clap::CommandFactory as _;

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
