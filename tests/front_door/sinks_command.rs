//! Commands of the operator's, and the log.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use advisoryd::model::Message;
use advisoryd::sink::{ANSWER_BYTES, DeliveryReceipt, Refused, Sink};
use serde_json::Value;

use crate::support::alerts::{alert, file, message, sink, try_sink};
use crate::support::{PATIENCE, assert_reads, eventually, is_alive, state_dir};

fn script(dir: &Path, text: &str) -> String {
    let path = file(dir, "script", &format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn command(dir: &Path, text: &str) -> Sink {
    let program = script(dir, text);
    sink(&format!(
        "kind = \"command\"\nprogram = [\"{program}\", \"a b\", \"$HOME\"]\ntimeout = \"20s\"\n"
    ))
}

async fn send(sink: &Sink) -> Result<DeliveryReceipt, Refused> {
    let now = "2026-03-01T13:37:00Z".parse().unwrap();
    sink.send(&message(vec![alert("SA1", "highly_critical")]), now)
        .await
}

#[tokio::test]
async fn a_command_reads_the_message_and_knows_nothing_else() {
    let dir = state_dir();
    let kept = dir.path().join("kept");
    let text = format!(
        "cat > {0}.json; env | sort > {0}.env; printf '%s\\n' \"$@\" > {0}.args; echo paged",
        kept.display()
    );
    let receipt = send(&command(dir.path(), &text)).await.unwrap();
    assert_eq!(
        (receipt.status, receipt.answer.as_str()),
        (Some(0), "paged")
    );
    let read = |end: &str| std::fs::read_to_string(kept.with_extension(end)).unwrap();
    let result: Message = serde_json::from_str(&read("json")).unwrap();
    assert_eq!(result, message(vec![alert("SA1", "highly_critical")]));
    assert_eq!(read("args"), "a b\n$HOME\n", "no shell reads them");
    let environment = read("env");
    let names: Vec<&str> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        // What the shell itself sets.
        .filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"))
        .collect();
    assert_eq!(names, ["ADVISORYD_MESSAGE_ID", "PATH"]);
    assert!(environment.contains(&format!("ADVISORYD_MESSAGE_ID={}", result.id)));
}

#[tokio::test]
async fn how_a_command_ends_tells_whether_trying_again_helps() {
    let dir = state_dir();
    for (text, status, can_repeat) in [
        ("exit 75", Some(75), true),
        ("exit 1", Some(1), true),
        ("exit 65", Some(65), false),
        ("kill -9 $$", None, true),
    ] {
        let text = format!("echo why >&2; {text}");
        let refused = send(&command(dir.path(), &text)).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.can_repeat),
            (status, can_repeat),
            "{text}"
        );
        assert_eq!(refused.answer, "why");
    }
    let program = script(dir.path(), "exit 0");
    let gone = sink(&format!("kind = \"command\"\nprogram = [\"{program}\"]\n"));
    std::fs::remove_file(&program).unwrap();
    assert!(send(&gone).await.unwrap_err().can_repeat);
    let text = format!("kind = \"command\"\nprogram = [\"{program}\"]\n");
    assert_reads!(try_sink(&text).unwrap_err());
}

#[tokio::test]
async fn a_message_that_is_larger_than_the_input_of_a_command_may_be_is_divided() {
    let dir = state_dir();
    let program = script(
        dir.path(),
        &format!(
            "wc -c >> {0}/sizes; echo \"$ADVISORYD_MESSAGE_ID\" >> {0}/ids",
            dir.path().display()
        ),
    );
    let now = "2026-03-01T13:37:00Z".parse().unwrap();
    let alerts: Vec<_> = (1..=5)
        .map(|number| alert(&format!("SA{number}"), "unknown"))
        .collect();
    let two = serde_json::to_vec(&message(alerts[..2].to_vec()))
        .unwrap()
        .len()
        + 300;
    let sink = sink(&format!(
        "kind = \"command\"\nprogram = [\"{program}\"]\nmax_bytes = {two}\n"
    ));
    sink.send(&message(alerts), now).await.unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let ends: Vec<String> = read("ids")
        .lines()
        .map(|id| id.splitn(6, '-').nth(5).unwrap().to_owned())
        .collect();
    assert_eq!(ends, ["1-2", "3-4", "5-5"]);
    for size in read("sizes").lines() {
        assert!(size.trim().parse::<usize>().unwrap() <= two, "{size}");
    }
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_that_it_started() {
    let dir = state_dir();
    let pids = dir.path().join("pids");
    let text = format!("sleep 1000 & echo $! $$ > {}; wait", pids.display());
    let program = script(dir.path(), &text);
    let sink = sink(&format!(
        "kind = \"command\"\nprogram = [\"{program}\"]\ntimeout = \"500ms\"\n"
    ));
    let refused = send(&sink).await.unwrap_err();
    assert!(refused.can_repeat);
    assert_reads!(refused.reason);
    let pids = std::fs::read_to_string(pids).unwrap();
    let pids: Vec<u32> = pids
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 2);
    eventually("their end", PATIENCE, async || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_leaves_its_group_ends_with_the_command_too() {
    let dir = state_dir();
    let pids = dir.path().join("pids");
    let text = format!(
        "setsid sh -c 'echo $$ >> {0}; sleep 1000 & echo $! >> {0}; exec sleep 1000' \
         </dev/null >/dev/null 2>&1 &\nwhile [ \"$(wc -l < {0})\" != 2 ]; do sleep 0.01; done; echo paged",
        pids.display()
    );
    std::fs::write(&pids, "").unwrap();
    let receipt = send(&command(dir.path(), &text)).await.unwrap();
    assert_eq!(receipt.answer, "paged");
    let pids = std::fs::read_to_string(pids).unwrap();
    let pids: Vec<u32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    eventually("their end", PATIENCE, async || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

/// As root, whom nothing is denied, the command runs as another user.
fn unprivileged(program: &Path) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program);
    command
}

#[test]
fn a_command_cannot_read_the_token_of_its_parent() {
    let dir = state_dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("advisoryd");
    std::fs::copy(env!("CARGO_BIN_EXE_advisoryd"), &program).unwrap();
    let text = "cat /proc/$PPID/environ /proc/$PPID/mem 2>&1; id -u; cat /proc/$$/environ";
    let script = script(dir.path(), text);
    let config = file(
        dir.path(),
        "config.toml",
        &format!("[[alerts.sinks]]\nname = \"it\"\nkind = \"command\"\nprogram = [\"{script}\"]\n"),
    );
    let output = unprivileged(&program)
        .env("ADVISORYD_UPSTREAM__TOKEN", "c0ffee5ecre7c0ffee5ecre7")
        .arg("--config")
        .arg(&config)
        .args(["alerts", "test", "it", "--json"])
        .output()
        .unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = result["answer"].as_str().unwrap();
    assert_eq!(result["status"], 0, "{result}");
    assert_eq!(answer.matches("Permission denied").count(), 2, "{answer}");
    assert!(answer.contains("ADVISORYD_MESSAGE_ID="), "{answer}");
    assert!(!answer.contains("UPSTREAM__TOKEN"), "{answer}");
}

#[tokio::test]
async fn a_command_of_a_daemon_of_roots_runs_as_the_user_of_its_own() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = state_dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = script(
        dir.path(),
        "id -u; id -G; cat /proc/$PPID/environ 2>&1; exit 0",
    );
    let settings = |user: &str| {
        format!(
            "[[alerts.sinks]]\nname = \"it\"\nkind = \"command\"\nprogram = [\"{program}\"]\n{user}"
        )
    };
    let config = file(dir.path(), "config.toml", &settings("user = \"nobody\""));
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_advisoryd"))
            .env("ADVISORYD_UPSTREAM__TOKEN", "c0ffee5ecre7c0ffee5ecre7")
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .output()
            .unwrap()
    };
    let result: Value =
        serde_json::from_slice(&run(&["alerts", "test", "it", "--json"]).stdout).unwrap();
    assert_eq!(result["status"], 0, "{result}");
    let answer = result["answer"].as_str().unwrap();
    assert!(answer.starts_with("65534 65534 "), "{answer}");
    assert!(answer.contains("Permission denied"), "{answer}");
    let warning = "its program runs as root";
    let check = || String::from_utf8(run(&["check", "--offline"]).stdout).unwrap();
    assert!(!check().contains(warning), "{}", check());
    file(dir.path(), "config.toml", &settings(""));
    assert!(check().contains(warning), "{}", check());
    file(
        dir.path(),
        "config.toml",
        &settings("user = \"no-such-user\""),
    );
    assert_eq!(run(&["check", "--offline"]).status.code(), Some(78));
}

#[tokio::test]
async fn a_command_that_reads_nothing_and_writes_without_end_does_no_harm() {
    let dir = state_dir();
    let text = "head -c 5000000 /dev/zero | tr '\\0' x; head -c 5000000 /dev/zero | tr '\\0' y >&2";
    let sink = command(dir.path(), text);
    let mut many = message(vec![alert("SA1", "highly_critical"); 20_000]);
    many.title = "more than a pipe holds".to_owned();
    let now = "2026-03-01T13:37:00Z".parse().unwrap();
    let receipt = sink.send(&many, now).await.unwrap();
    assert_eq!(receipt.answer, "x".repeat(ANSWER_BYTES));
}

#[tokio::test]
async fn what_a_command_leaves_behind_holds_nobody_up_and_undoes_nothing() {
    let dir = state_dir();
    let pid = dir.path().join("pid");
    let program = script(
        dir.path(),
        &format!("sleep 1000 & echo $! > {}", pid.display()),
    );
    let sink = sink(&format!(
        "kind = \"command\"\nprogram = [\"{program}\"]\ntimeout = \"900ms\"\n"
    ));
    assert_eq!(send(&sink).await.unwrap().status, Some(0));
    let pid = std::fs::read_to_string(pid)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    eventually("its end", PATIENCE, async || (!is_alive(pid)).then_some(())).await;
}

/// Where log lines of a test go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_one_line_for_each_alert_with_its_fields() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let sink = sink("kind = \"log\"");
    let mut alerts = vec![alert("SA1", "highly_critical"), alert("SA2", "rejected")];
    alerts[1].resolved = true;
    let now = "2026-03-01T13:37:00Z".parse().unwrap();
    sink.send(&message(alerts), now).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["alert.key"], "SA1");
    assert_eq!(lines[0]["rule.name"], "soc");
    assert_eq!(lines[0]["alert.severity"], "highly_critical");
    let messages = lines.iter().map(|line| line["message"].as_str().unwrap());
    assert_reads!(messages.collect::<Vec<_>>().join("\n"));
}
