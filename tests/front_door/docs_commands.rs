//! The command lines and configurations of the documentation, each used as a reader would.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use advisoryd::config::Config;

use crate::support::docs::{Line, blocks, command_lines, pages};
use crate::support::settings::Rule;
use crate::support::{CommandResult, Receiver, Shell, World, demo};

/// Programs that a test cannot run, and why. A new one must be added here.
const OTHER_PROGRAMS: &[(&str, &str)] = &[
    ("(umask", "makes secrets in /etc"),
    (
        "/usr/local/bin/advisoryd-mail",
        "changes_command.rs runs the script",
    ),
    ("apt-get", "changes this machine"),
    ("cat", "writes into a server's data directory"),
    ("cargo", "measures; `make bench` runs it"),
    ("chgrp", "changes this machine"),
    ("chown", "changes this machine"),
    ("dnf", "changes this machine"),
    ("docker", "needs a container engine"),
    ("echo", "makes secrets in /etc"),
    ("groupadd", "changes this machine"),
    (
        "helm",
        "needs Kubernetes; monitoring.rs and container.rs test the chart's files",
    ),
    ("install", "changes this machine"),
    ("journalctl", "needs systemd; tests/systemd boots it"),
    ("jsonnet", "monitoring.rs runs it"),
    ("kubectl", "needs Kubernetes"),
    ("make", "builds"),
    ("mkdir", "makes secrets"),
    ("pg_basebackup", "copies a server"),
    ("psql", "changes a server; docs_sql.rs runs statements"),
    ("reprepro", "needs a signing key"),
    ("rm", "removes an installation"),
    (
        "runuser",
        "needs a server's superuser; transfer.rs and databases.rs create roles and databases",
    ),
    ("skopeo", "needs a registry"),
    ("ssh", "needs another machine"),
    ("systemctl", "needs systemd; tests/systemd boots it"),
    ("systemd-run", "needs systemd"),
    ("touch", "writes into a server's data directory"),
    ("tar", "changes this machine"),
    ("usermod", "changes this machine"),
];

/// Command lines of advisoryd that are only parsed here, by their beginning, and why.
const ONLY_PARSED: &[(&str, &str)] = &[
    (
        "advisoryd alerts test apprise",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test elastic",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test jira",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test pagerduty",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test sentinel",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test servicenow",
        "sinks_integrations.rs sends to it",
    ),
    ("advisoryd alerts test siem", "sinks_syslog.rs sends to it"),
    (
        "advisoryd alerts test slack",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd alerts test soc-mail",
        "sinks_email.rs sends to it",
    ),
    (
        "advisoryd alerts test splunk",
        "sinks_integrations.rs sends to it",
    ),
    (
        "advisoryd --config /etc/advisoryd/NAME.toml",
        "an instance of this machine",
    ),
    ("advisoryd budget take 1 && curl", "asks the vendor"),
    (
        "advisoryd capture",
        "asks on the terminal; capture.rs answers with --yes",
    ),
    ("advisoryd database", "transfer.rs runs it"),
    ("advisoryd enrich", "enrichment_files.rs reads such files"),
    (
        "advisoryd erase",
        "asks on the terminal; erase.rs answers with --yes",
    ),
    ("advisoryd import", "import.rs reads such files"),
    (
        "advisoryd inspect samples",
        "capture.rs inspects such a folder",
    ),
    ("advisoryd mirror", "bundles.rs makes and imports them"),
    (
        "advisoryd rules test --since 90d --diff",
        "explain.rs compares two files",
    ),
    (
        "advisoryd quarantine drop",
        "asks on the terminal; quarantine.rs answers with --yes",
    ),
    (
        "advisoryd quarantine show",
        "quarantine.rs shows such a record",
    ),
];

/// Commands that find something in the demo.
const QUESTIONS: &[&str] = &[
    "advisoryd advisories",
    "advisoryd changes",
    "advisoryd explain",
    "advisoryd products",
    "advisoryd show",
    "advisoryd tickets",
];

/// Questions that have no answer, by their beginning, and why.
const EMPTY: &[(&str, &str)] = &[(
    "advisoryd changes --what escalated,became_zero_day --state-file",
    "begins at the end",
)];

/// Exit statuses that are not 0, by what the page shows.
const OTHER_STATUS: &[(&str, i32)] = &[
    ("solution != \"Vendor Patched\"", 2), // the page shows the error
];

/// A world with what the documentation names, and a shell whose `advisoryd` asks it.
struct Reader {
    world: World,
    shell: Shell,
}

impl Reader {
    async fn new() -> (Self, Receiver) {
        let receiver = Receiver::start().await;
        let mut world = demo::unread().await;
        world.add_webhook("soc-hook", &receiver);
        world.settings.alerts.rules.push(Rule {
            severity: Some("highly_critical"),
            sinks: &["soc-hook"],
            ..Rule::to_hook("soc", &["appeared", "escalated"])
        });
        demo::read(&world).await;
        // The documentation's silence is the third.
        for _ in 0..2 {
            let silence = [
                "silence", "add", "rule=soc", "--reason", "x", "--until", "1h",
            ];
            let result = world.cli(&silence);
            assert_eq!(result.code, 0, "{result}");
        }
        let shell = Shell::new();
        (Self { world, shell }, receiver)
    }

    /// Runs a line as a shell does.
    fn run(&self, line: &str, config: &Path) -> CommandResult {
        self.shell.run(line, config)
    }

    /// Whether the program accepts a command line. It finds no configuration and so does
    /// nothing; the two commands that need none only print their help.
    fn assert_parses(&self, line: &str, place: &str) {
        let mut line = line.to_owned();
        if line.starts_with("advisoryd demo") || line.starts_with("advisoryd simulate") {
            line.push_str(" --help");
        }
        let result = self.run(&line, Path::new("/nonexistent/config.toml"));
        let is_refused = result.code == 2 || result.stderr.contains("rror: unrecognized");
        assert!(!is_refused, "{place}: {line}\n{result}");
    }
}

/// Every command line of the documentation.
fn all_lines() -> Vec<Line> {
    let blocks = blocks();
    let scripts = |lines: &[String]| lines.first().is_some_and(|line| line.starts_with("#!"));
    let lines = blocks.iter().filter(|block| !scripts(&block.lines));
    let lines: Vec<Line> = lines.flat_map(command_lines).collect();
    assert!(lines.len() > 100, "{}", lines.len());
    lines
}

/// Programs that call advisoryd somewhere else.
const THROUGH: &[&str] = &["docker", "kubectl", "ssh", "systemd-run"];

/// The part of a line that calls advisoryd, also through another program.
fn call(line: &str) -> Option<&str> {
    let without_comment = line.split(" # ").next().unwrap_or(line).trim_end();
    if without_comment.starts_with("advisoryd ") {
        return Some(without_comment);
    }
    let (_, rest) = without_comment.rsplit_once(" advisoryd ")?;
    let start = without_comment.len() - rest.len() - "advisoryd ".len();
    // Of `pg_dump -U advisoryd --file x`, nothing is a command.
    let is_command = rest.starts_with(|first: char| first.is_ascii_lowercase());
    is_command.then(|| &without_comment[start..])
}

fn entry<T>(list: &'static [(&'static str, T)], line: &str) -> Option<&'static (&'static str, T)> {
    list.iter().find(|(start, _)| line.starts_with(start))
}

#[tokio::test]
async fn every_command_line_of_the_documentation_works() {
    let (reader, _receiver) = Reader::new().await;
    let config = reader.world.config_file();
    let (mut used, mut ran) = (BTreeSet::new(), 0);
    for line in all_lines() {
        let Line {
            place,
            text,
            output,
        } = &line;
        // Settings in the environment come first.
        let is_setting = |word: &&str| word.starts_with("ADVISORYD_");
        let mut words = text.split_whitespace().skip_while(is_setting);
        let program = words.next().unwrap_or_default();
        if program != "advisoryd" {
            let listed = OTHER_PROGRAMS.iter().find(|(name, _)| *name == program);
            let (name, _) = listed.unwrap_or_else(|| panic!("{place}: {text}: why is it not run?"));
            used.insert(*name);
            let call = call(text).filter(|_| THROUGH.contains(&program));
            if let Some(call) = call {
                reader.assert_parses(call, place);
            }
            continue;
        }
        if let Some((start, _)) = entry(ONLY_PARSED, text) {
            used.insert(*start);
            reader.assert_parses(call(text).unwrap(), place);
            continue;
        }
        // A folder of the system; everything else is typed as it is written.
        let folder = reader.shell.dir().display().to_string();
        let typed = text.replace("/var/lib/advisoryd-changes", &folder);
        let result = reader.run(&typed, &config);
        let expected = OTHER_STATUS.iter().find(|(part, _)| text.contains(part));
        let expected = expected.map_or(0, |(_, status)| *status);
        assert_eq!(result.code, expected, "{place}: {typed}\n{result}");
        assert_same_heading(place, output, &result);
        let is_question = QUESTIONS.iter().any(|name| text.contains(name));
        let may_be_empty = entry(EMPTY, text).inspect(|(start, _)| {
            used.insert(*start);
        });
        let is_in_file = text.contains(" > ");
        if is_question && expected == 0 && may_be_empty.is_none() && !is_in_file {
            assert!(
                !result.stdout.trim().is_empty(),
                "{place}: {typed}\n{result}"
            );
        }
        ran += 1;
    }
    assert!(ran >= 30, "{ran} were run");
    let listed = OTHER_PROGRAMS.iter().map(|(name, _)| *name);
    let listed = listed.chain(ONLY_PARSED.iter().map(|(start, _)| *start));
    let listed = listed.chain(EMPTY.iter().map(|(start, _)| *start));
    let unused: Vec<&str> = listed.filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "in no page any more: {unused:?}");
}

/// A heading that a page shows is the one that is printed.
fn assert_same_heading(place: &str, output: &[String], result: &CommandResult) {
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let Some(shown) = output.first().filter(|_| output.len() > 1) else {
        return;
    };
    let is_heading = !shown.contains([':', '`']) && !shown.chars().any(|one| one.is_ascii_digit());
    if is_heading {
        let printed = result.stdout.lines().next().unwrap_or_default();
        assert_eq!(words(printed), words(shown), "{place}");
    }
}

#[tokio::test]
async fn every_command_in_a_sentence_or_a_message_is_one() {
    let (reader, _receiver) = Reader::new().await;
    let quoted = regex::Regex::new("`(advisoryd [^`\\n]+)`").unwrap();
    let placeholder = regex::Regex::new(r"\{\{[^}]*\}\}|\{[^}]*\}|\bN\b|\bID\b|\bSEQ\b").unwrap();
    let preset = "sinks preset NAME";
    let mut texts = pages();
    for entry in walk(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path()) {
        texts.push((entry.clone(), fs::read_to_string(&entry).unwrap()));
    }
    let mut seen = BTreeSet::new();
    for (place, text) in &texts {
        for found in quoted.captures_iter(text) {
            let line = placeholder.replace_all(&found[1], "1234").into_owned();
            let line = line.replace(preset, "sinks preset jira");
            let is_whole = !line.contains(['…', '[', '=']) && !line.contains("COMMAND");
            if is_whole && seen.insert(line.clone()) {
                // Some of these would start something that does not end.
                let starts = ["advisoryd demo", "advisoryd simulate", "advisoryd run"];
                let starts = starts.iter().any(|start| line.starts_with(start));
                let typed = if starts || is_group(&line) {
                    format!("{line} --help")
                } else {
                    line
                };
                reader.assert_parses_loosely(&typed, place);
            }
        }
    }
    assert!(seen.len() > 60, "{}", seen.len());
}

/// Commands that have commands of their own or need an argument, which a sentence leaves out.
fn is_group(line: &str) -> bool {
    line.split_whitespace().count() <= 3 && !line.contains(" --")
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path.display().to_string());
        }
    }
    found
}

impl Reader {
    /// The same where required arguments may be left out.
    fn assert_parses_loosely(&self, line: &str, place: &str) {
        let line = match line.split_once(" || ") {
            Some((line, _)) => line,
            None => line,
        };
        let result = self.run(line, Path::new("/nonexistent/config.toml"));
        let is_incomplete = result
            .stderr
            .contains("required arguments were not provided")
            || result.stderr.contains("a value is required")
            || result.stderr.contains("Usage: advisoryd") && result.stderr.contains("Commands:");
        assert!(
            result.code != 2 || is_incomplete,
            "{place}: {line}\n{result}"
        );
    }
}

#[test]
fn every_configuration_of_the_documentation_is_accepted() {
    let mut accepted = 0;
    for block in blocks().iter().filter(|block| block.language == "toml") {
        let mut text = block.text();
        let table: toml::Table = text.parse().unwrap_or_else(|error| {
            panic!("{}:{}: {error}", block.page, block.line);
        });
        for sink in unknown_sinks(&table) {
            // Pages name sinks that another block defines.
            write!(
                text,
                "\n[[alerts.sinks]]\nname = \"{sink}\"\nkind = \"log\"\n"
            )
            .unwrap();
        }
        if let Err(error) = Config::from_text(&block.page, &text) {
            panic!("{}:{}: {error}", block.page, block.line);
        }
        accepted += 1;
    }
    assert!(accepted > 25, "{accepted}");
}

/// Sinks that rules name and no `[[alerts.sinks]]` of the block has.
fn unknown_sinks(config: &toml::Table) -> BTreeSet<String> {
    let all = |name: &str| -> Vec<toml::Value> {
        let list = config.get("alerts").and_then(|alerts| alerts.get(name));
        list.and_then(toml::Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    let known: BTreeSet<String> = all("sinks")
        .iter()
        .filter_map(|sink| text(&sink["name"]))
        .collect();
    let named = all("rules").into_iter().flat_map(|rule| {
        let sinks = rule.get("sinks").and_then(toml::Value::as_array);
        sinks.cloned().unwrap_or_default()
    });
    let health = config.get("alerts").and_then(|alerts| alerts.get("health"));
    let fallback = health.and_then(|health| health.get("fallback")).cloned();
    let named = named.chain(fallback);
    let named: BTreeSet<String> = named.filter_map(|sink| text(&sink)).collect();
    named.difference(&known).cloned().collect()
}

#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = walk(&root.join("src"));
    let source: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let broken = regex::Regex::new(r"\\\n\s*").unwrap();
    let source = broken.replace_all(&source, "");
    let page = fs::read_to_string(root.join("docs/tasks/troubleshooting.md")).unwrap();
    let message = regex::Regex::new(r"(?m)^\| `([^`]+)`").unwrap();
    let mut known = 0;
    for found in message.captures_iter(&page) {
        // Names and numbers stand between the parts.
        let parts = found[1].split('…').map(str::trim);
        for part in parts.filter(|part| part.len() > 3) {
            assert!(source.contains(part), "no message has `{part}`");
            known += 1;
        }
    }
    assert!(known > 30, "{known}");
}
