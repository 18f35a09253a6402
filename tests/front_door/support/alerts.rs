//! Sinks and messages for tests of them.

use std::path::{Path, PathBuf};

use advisoryd::config::Config;
use advisoryd::model::{Alert, MESSAGE_VERSION, Message, MessagePurpose};
use advisoryd::sink::{OpenError, Sink};

/// A sink `s` as the configuration says it.
pub fn sink(text: &str) -> Sink {
    try_sink(text).expect("a sink")
}

/// As [`sink`], or why it cannot be used.
pub fn try_sink(text: &str) -> Result<Sink, OpenError> {
    let text = format!("[[alerts.sinks]]\nname = \"s\"\n{text}\n");
    let config = Config::from_text("c.toml", &text).expect("a configuration");
    Sink::open(&config.alerts.sinks[0])
}

/// A file of a secret, or a script.
pub fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// One alert, appeared with the given severity.
pub fn alert(key: &str, severity: &str) -> Alert {
    Alert {
        id: format!(
            "00000000-0000-5000-8000-{:0>12}",
            key.trim_start_matches("SA")
        ),
        what: "appeared".to_owned(),
        kind: "advisory".to_owned(),
        key: key.to_owned(),
        version: 1,
        at: "2026-03-01T13:35:05Z".parse().expect("a time"),
        title: format!("Grüße von {key} <i>& \"Söhne\""),
        summary: format!("first seen, {severity}"),
        severity: Some(severity.to_owned()),
        ..Alert::default()
    }
}

/// A message of these.
pub fn message(alerts: Vec<Alert>) -> Message {
    Message {
        schema: MESSAGE_VERSION,
        id: "7c9d1e62-0000-5000-8000-000000000000".to_owned(),
        purpose: MessagePurpose::Alert,
        at: "2026-03-01T13:36:00Z".parse().expect("a time"),
        rule: "soc".to_owned(),
        title: format!("{} new", alerts.len()),
        alerts,
    }
}

/// What `make servers` unpacks.
pub fn servers() -> PathBuf {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-servers");
    assert!(
        servers.join("complete").exists(),
        "this test talks to servers of Debian's; run `make servers` once"
    );
    servers
}
