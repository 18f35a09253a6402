//! docs/integrations: every block to copy is accepted, and sends what it says.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use advisoryd::config::{Config, SinkKind};
use advisoryd::sink::Sink;
use chrono::{DateTime, Utc};

use crate::support::alerts::{alert, file, message};
use crate::support::{Authority, Receiver, Reply, state_dir};

fn now() -> DateTime<Utc> {
    "2026-03-01T13:37:00Z".parse().unwrap()
}

/// Every fenced block of a language in the pages: page and text.
fn blocks(language: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/integrations");
    let mut found = Vec::new();
    for page in std::fs::read_dir(dir).unwrap() {
        let path = page.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let fence = format!("```{language}\n");
        for part in text.split(&fence).skip(1) {
            let block = part.split("```").next().unwrap();
            found.push((name.clone(), block.to_owned()));
        }
    }
    found
}

#[test]
fn every_block_of_every_page_is_a_configuration() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 12, "{}", blocks.len());
    let mut pages: Vec<&str> = blocks.iter().map(|(page, _)| page.as_str()).collect();
    pages.dedup();
    for (page, block) in &blocks {
        let config = Config::from_text(page, block).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.alerts.sinks.len(), 1, "{page}");
    }
    // All blocks in one file: names are unique.
    let all: Vec<&str> = blocks.iter().map(|(_, block)| block.as_str()).collect();
    Config::from_text("all", &all.join("\n")).unwrap();
}

#[test]
fn every_page_names_its_sink_in_the_test_command() {
    for (page, block) in blocks("sh") {
        let Some(name) = block.split("advisoryd alerts test ").nth(1) else {
            continue;
        };
        let name = name.lines().next().unwrap();
        let is_there = blocks("toml")
            .iter()
            .any(|(other, block)| *other == page && block.contains(&format!("name = \"{name}\"")));
        assert!(is_there, "{page}: {name}");
    }
}

/// The blocks of hooks, with files for their secrets, at a receiver.
#[tokio::test]
async fn every_block_over_http_sends_a_message() {
    let authority = Authority::new();
    let mut sent = 0;
    let host = regex::Regex::new("https://[^/\"]+").unwrap();
    for (page, block) in blocks("toml") {
        let (dir, receiver) = (state_dir(), Receiver::start().await);
        let answer = r#"{"ok": true, "status": "success", "code": 0, "errors": false, "key": "SEC-1",
            "result": {"sys_id": "abc"}, "access_token": "a-token", "issues": []}"#;
        receiver.usually(Reply::With(200, Vec::new(), answer.to_owned()));
        let mut text = block.clone();
        let secret = file(dir.path(), "secret", &receiver.url)
            .display()
            .to_string();
        for name in [
            "slack-url",
            "jira-token",
            "servicenow-login",
            "servicenow-oauth",
            "pagerduty-routing-key",
            "splunk-token",
            "sentinel-client",
            "elastic-api-key",
        ] {
            text = text.replace(&format!("\"{name}\""), &format!("\"{secret}\""));
        }
        let authority = authority.file().display().to_string();
        text = text.replace("/etc/ssl/certs/our-own.pem", &authority);
        // Each host is the receiver.
        text = host.replace_all(&text, receiver.url.as_str()).into_owned();
        let kind = text
            .lines()
            .find(|line| line.starts_with("kind = "))
            .unwrap()
            .to_owned();
        if ["syslog", "email", "command"]
            .iter()
            .any(|other| kind.contains(other))
        {
            continue;
        }
        let mut more = String::new();
        if !text.contains("allow_private") {
            more.push_str("\nallow_private = true");
        }
        if kind.contains("pagerduty") && !text.contains("url = ") {
            let _ = write!(more, "\nurl = \"{}\"", receiver.url);
        }
        text = text.replace(&kind, &format!("{kind}{more}"));
        let config = Config::from_text(&page, &text).unwrap_or_else(|error| panic!("{error}"));
        let settings = &config.alerts.sinks[0];
        assert!(matches!(settings.kind, SinkKind::Hook(_)), "{page}");
        let sink = Sink::open(settings).unwrap_or_else(|error| panic!("{page}: {error}"));
        let message = message(vec![alert("SA1", "highly_critical")]);
        sink.send(&message, now())
            .await
            .unwrap_or_else(|refused| panic!("{page}: {refused}"));
        let bytes = receiver.last();
        assert!(!bytes.bytes.is_empty(), "{page}");
        sent += 1;
    }
    assert!(sent >= 8, "{sent}");
}

/// The script runs with programs that play `apprise` and `jq`, which need not be installed.
#[test]
fn the_script_for_apprise_passes_title_and_body() {
    let (_, script) = blocks("sh")
        .into_iter()
        .find(|(_, block)| block.starts_with("#!"))
        .unwrap();
    let dir = state_dir();
    let script = program(dir.path(), "advisoryd-apprise", &script);
    program(
        dir.path(),
        "apprise",
        "#!/bin/sh\nprintf '%s\\n' \"$@\"\n[ ! -e fail ]\n",
    );
    // What jq does with the two filters of the script.
    program(
        dir.path(),
        "jq",
        "#!/usr/bin/python3\nimport json, sys\nm = json.load(sys.stdin)\n\
         if sys.argv[2] == '.title':\n    print(m['title'])\nelse:\n    [print(a['key'], a['title']) for a in m['alerts'][:10]]\n",
    );
    let run = || {
        let mut child = Command::new(&script)
            .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let message = serde_json::to_vec(&message(vec![alert("SA1", "unknown")])).unwrap();
        child.stdin.take().unwrap().write_all(&message).unwrap();
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (child.wait().unwrap().code(), said)
    };
    let (code, said) = run();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("--title=1 new") && said.contains("SA1 Grüße"),
        "{said}"
    );
    file(dir.path(), "fail", "");
    assert_eq!(run().0, Some(75));
}

fn program(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = file(dir, name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
