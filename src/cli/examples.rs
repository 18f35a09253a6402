//! Examples in the long help (`--help`) and the man page of each command.

use clap::Command;

/// Commands, and lines that can be typed as they are written. Other commands have examples
/// of their own.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "run",
        &[
            "advisoryd run",
            "advisoryd run --config ./config.toml --log-format pretty",
        ],
    ),
    (
        "sync",
        &[
            "advisoryd sync",
            "advisoryd sync tickets --full",
            "advisoryd sync feeds --watch-list 4 --days 90",
        ],
    ),
    (
        "check",
        &[
            "advisoryd check",
            "advisoryd check --offline --config ./config.toml",
            "advisoryd check --json | jq '.[] | select(.status == \"failed\")'",
        ],
    ),
    (
        "status",
        &[
            "advisoryd status",
            "advisoryd status --check --max-age 2h",
            "advisoryd status --json | jq '.sources[] | {name, state}'",
        ],
    ),
    ("migrate", &["advisoryd migrate"]),
    (
        "tickets",
        &[
            "advisoryd tickets --open-for 14d",
            "advisoryd tickets --status Open,Waiting --watch-list 'Linux servers'",
            "advisoryd tickets --since monday --csv --bom > tickets.csv",
        ],
    ),
    (
        "products",
        &[
            "advisoryd products openssl",
            "advisoryd products --watch-list 'Linux servers' --listed",
            "advisoryd products --gone --json",
        ],
    ),
    (
        "show",
        &[
            "advisoryd show SA87735 --history",
            "advisoryd show CVE-2026-1234",
            "advisoryd show '#1042' --json",
        ],
    ),
    (
        "changes",
        &[
            "advisoryd changes --since yesterday --severity high+",
            "advisoryd changes SA87735",
            "advisoryd changes --follow --limit 10",
            "advisoryd changes --what escalated,became_zero_day --state-file ./seq --json",
        ],
    ),
    (
        "alerts list",
        &[
            "advisoryd alerts list --since 7d",
            "advisoryd alerts list --key SA87735",
            "advisoryd alerts list --state dead_letter --json",
        ],
    ),
    ("alerts show", &["advisoryd alerts show 13a2e198"]),
    (
        "alerts resend",
        &[
            "advisoryd alerts resend 13a2e198 --sink soc-hook",
            "advisoryd alerts resend --state dead_letter --since 1d",
        ],
    ),
    (
        "alerts dismiss",
        &[
            "advisoryd alerts dismiss 13a2e198 --note 'the issue was created by hand'",
            "advisoryd alerts dismiss --state dead_letter --sink old-hook",
        ],
    ),
    ("alerts test", &["advisoryd alerts test soc-hook"]),
    ("rules list", &["advisoryd rules list"]),
    (
        "rules test",
        &[
            "advisoryd rules test --since 180d",
            "advisoryd rules test --rule soc --advisory SA87735",
            "advisoryd rules test --diff ./config.old.toml",
        ],
    ),
    (
        "explain",
        &[
            "advisoryd explain SA87735",
            "advisoryd explain 1042 --rule soc --json",
        ],
    ),
    (
        "ack",
        &[
            "advisoryd ack SA87735 --until 30d --note 'patched with the next window'",
            "advisoryd ack SA87735 --withdraw",
            "advisoryd ack --list --all",
        ],
    ),
    (
        "silence add",
        &[
            "advisoryd silence add rule=soc 'title=*printer*' --until 8h --reason 'maintenance'",
            "advisoryd silence add key=SA87735 --until 2026-12-24 --reason 'known'",
        ],
    ),
    ("silence list", &["advisoryd silence list --all"]),
    ("silence expire", &["advisoryd silence expire 3"]),
    (
        "verify",
        &["advisoryd verify", "advisoryd verify --since 7d --json"],
    ),
    ("quarantine list", &["advisoryd quarantine list"]),
    ("quarantine show", &["advisoryd quarantine show 12"]),
    ("quarantine retry", &["advisoryd quarantine retry 12"]),
    ("quarantine drop", &["advisoryd quarantine drop 12"]),
    (
        "replay",
        &[
            "advisoryd replay --dry-run",
            "advisoryd replay --since 30d --yes",
        ],
    ),
    (
        "enrich",
        &["advisoryd enrich known_exploited_vulnerabilities.json epss_scores-current.csv.gz"],
    ),
    (
        "import",
        &[
            "advisoryd import --watch-list 4 feed.xml",
            "advisoryd import ./bundle --key-file ./bundle.key",
        ],
    ),
    (
        "mirror",
        &["advisoryd mirror --out ./bundle --key-file ./bundle.key"],
    ),
    (
        "maintain",
        &["advisoryd maintain", "advisoryd maintain --json"],
    ),
    ("erase ticket", &["advisoryd erase ticket 1042"]),
    (
        "erase person",
        &["advisoryd erase person 'Jane Roe' jane.roe@example.org jroe"],
    ),
    (
        "capture",
        &["advisoryd capture --out ./samples --watch-list 4"],
    ),
    (
        "inspect",
        &[
            "advisoryd inspect feed.xml",
            "advisoryd inspect --json - < feed.xml | jq .",
        ],
    ),
    (
        "sinks list",
        &[
            "advisoryd sinks list",
            "advisoryd sinks list --json | jq 'select(.dead_letters > 0) | .name'",
        ],
    ),
    ("sinks presets", &["advisoryd sinks presets"]),
    (
        "sinks preset",
        &["advisoryd sinks preset slack >>/etc/advisoryd/config.toml"],
    ),
    ("budget take", &["advisoryd budget take 1 --no-wait"]),
    ("demo", &["advisoryd demo", "advisoryd demo --for 10m"]),
    (
        "simulate",
        &[
            "advisoryd simulate",
            "advisoryd simulate --listen 127.0.0.1:8081 --advisories 3000 --change-every 5s",
        ],
    ),
    (
        "man",
        &["advisoryd man | man -l -", "advisoryd man --out ./man1"],
    ),
];

/// The command line with its examples.
pub(super) fn add(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, lines)| {
        let path: Vec<&str> = path.split(' ').collect();
        of(command, &path, lines)
    })
}

fn of(command: Command, path: &[&'static str], lines: &[&str]) -> Command {
    match path {
        [] => command.after_long_help(text(lines)),
        [name, rest @ ..] => {
            let rest = rest.to_vec();
            command.mut_subcommand(name, |command| of(command, &rest, lines))
        }
    }
}

fn text(lines: &[&str]) -> String {
    let heading = if lines.len() == 1 {
        "Example"
    } else {
        "Examples"
    };
    format!("{heading}:\n  {}", lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

    use clap::{Command, CommandFactory as _};

    use super::add;
    use crate::cli::args::Arguments;

    /// The words of a line up to what the shell does with it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for character in line.chars() {
            match (character, quote) {
                ('|' | '>' | '<' | '&' | '(', None) => break,
                (' ', None) => words.push(std::mem::take(&mut word)),
                ('\'' | '"', None) => quote = Some(character),
                (character, Some(open)) if character == open => quote = None,
                (character, _) => word.push(character),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    fn each(command: &Command, path: &str, seen: &mut Vec<String>) {
        let inner: Vec<&Command> = command.get_subcommands().collect();
        for one in &inner {
            each(one, &format!("{path} {}", one.get_name()), seen);
        }
        let is_leaf = inner.is_empty() && path != "advisoryd completions";
        let help = command.get_after_long_help().or(command.get_after_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        if is_leaf {
            assert!(help.contains("Example"), "{path} has no example");
        }
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        seen.extend(
            lines
                .filter(|line| line.starts_with("advisoryd "))
                .map(str::to_owned),
        );
    }

    #[test]
    fn every_command_has_examples_and_each_is_understood() {
        let command = add(Arguments::command());
        let mut lines = Vec::new();
        each(&command, "advisoryd", &mut lines);
        assert!(lines.len() > 60, "{lines:?}");
        for line in lines {
            let parsed = command.clone().try_get_matches_from(words(&line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
        }
    }
}
