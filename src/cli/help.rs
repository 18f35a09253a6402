//! Help: the overview of the commands, in groups, and examples of each command before the
//! options that all commands have.

use std::fmt::Write as _;

use clap::builder::styling::Styles;
use clap::{Command, CommandFactory as _};

use super::args::Arguments;

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

/// Examples of commands, by the path of the command; those of others stand with their options.
const EXAMPLES: [(&[&str], &str); 22] = [
    (
        &["run"],
        "advisoryd run\nadvisoryd --config /etc/advisoryd/other.toml run",
    ),
    (
        &["sync"],
        "advisoryd sync\nadvisoryd sync feeds --watch-list 4 --days 30\nadvisoryd sync tickets --full",
    ),
    (&["check"], "advisoryd check\nadvisoryd check --offline"),
    (
        &["status"],
        "advisoryd status\nadvisoryd status --check --max-age 2h",
    ),
    (
        &["tickets"],
        "advisoryd tickets --assignee ada\nadvisoryd tickets --advisory SA87735\nadvisoryd tickets --since 2026-10 --until 2026-10 --csv --bom",
    ),
    (
        &["show"],
        "advisoryd show SA87735\nadvisoryd show SA87735 --history\nadvisoryd show CVE-2026-1234\nadvisoryd show '#1203'",
    ),
    (
        &["changes"],
        "advisoryd changes --since yesterday --severity high+\nadvisoryd changes --what escalated,became_zero_day --follow\nadvisoryd changes --since 2026-10 --until 2026-10 --csv",
    ),
    (
        &["verify"],
        "advisoryd verify\nadvisoryd verify --since 30d",
    ),
    (
        &["quarantine"],
        "advisoryd quarantine list\nadvisoryd quarantine show 7\nadvisoryd quarantine retry\nadvisoryd quarantine drop 7",
    ),
    (&["replay"], "advisoryd replay --dry-run\nadvisoryd replay"),
    (&["maintain"], "advisoryd maintain"),
    (
        &["erase"],
        "advisoryd erase ticket 203\nadvisoryd erase person 'Ada Lovelace'",
    ),
    (
        &["alerts"],
        "advisoryd alerts list --since 7d\nadvisoryd alerts show 0198c0de\nadvisoryd alerts test soc-hook\nadvisoryd alerts resend --state dead_letter",
    ),
    (
        &["rules"],
        "advisoryd rules list\nadvisoryd rules test --since 30d\nadvisoryd rules test --advisory SA87735",
    ),
    (
        &["explain"],
        "advisoryd explain SA87735\nadvisoryd explain SA87735 --rule zero-days",
    ),
    (
        &["ack"],
        "advisoryd ack SA87735 --note 'patched on all servers' --until 30d",
    ),
    (&["silence"], "advisoryd silence list"),
    (&["import"], "advisoryd import feed.xml --watch-list 4"),
    (&["migrate"], "advisoryd migrate"),
    (&["demo"], "advisoryd demo\nadvisoryd demo --for 2m"),
    (
        &["simulate"],
        "advisoryd simulate --listen 127.0.0.1:8080 --change-every 20s",
    ),
    (&["man"], "advisoryd man --out /usr/local/share/man/man1"),
];

/// The heading of the options that all commands have.
const GLOBAL: &str = "Global options:";

/// All commands, with their examples.
pub(super) fn documented() -> Command {
    EXAMPLES
        .into_iter()
        .fold(Arguments::command(), |all, (path, examples)| {
            let examples = examples.replace('\n', "\n  ");
            with_examples(all, path, &format!("Examples:\n  {examples}"))
        })
}

fn with_examples(command: Command, path: &[&str], examples: &str) -> Command {
    match path {
        [] => {
            let before = command.get_after_help().map(|text| format!("{text}\n\n"));
            command.after_help(before.unwrap_or_default() + examples)
        }
        [name, rest @ ..] => {
            let (name, rest) = ((*name).to_owned(), rest);
            command.mut_subcommand(name, |inner| with_examples(inner, rest, examples))
        }
    }
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

    use super::{Arguments, EXAMPLES, GROUPS, command, in_order};
    use clap::CommandFactory as _;

    #[test]
    fn every_example_is_a_command_line() {
        for (path, examples) in EXAMPLES {
            for example in examples.lines() {
                // Words in quotes are one argument.
                let words = example.split('\'').enumerate().flat_map(|(place, part)| {
                    if place % 2 == 1 {
                        vec![part.to_owned()]
                    } else {
                        part.split_whitespace().map(str::to_owned).collect()
                    }
                });
                let words: Vec<String> = words.collect();
                assert_eq!(words.get(1..=path.len()).map(<[_]>::len), Some(path.len()));
                let parsed = command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{example}: {:?}", parsed.err());
            }
        }
    }

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
