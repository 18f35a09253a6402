//! docs/container: what compose.yaml and the Helm chart tell the program is accepted by it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use regex::{Captures, Regex};
use tempfile::TempDir;

use crate::support::binary;

const COMPOSE: &str = "compose.yaml";
const CHART: &str = "helm/advisoryd";
/// Where both mount the secrets.
const SECRETS: &str = "/run/secrets";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/container");
    fs::read_to_string(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The settings of the text with their values, by `pattern`; also those that are commented out.
fn settings(text: &str, pattern: &str) -> BTreeMap<String, String> {
    let pattern = Regex::new(pattern).unwrap();
    let setting = |found: Captures<'_>| {
        let value = found[2].trim_matches('"').to_owned();
        (found[1].to_owned(), value)
    };
    pattern.captures_iter(text).map(setting).collect()
}

/// Runs `check --offline` with these settings and configuration file, and with a secret in
/// each file that the settings name.
#[track_caller]
fn accepts(settings: &BTreeMap<String, String>, config: &str) {
    let directory = TempDir::new().unwrap();
    let secrets = directory.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let mut command = binary();
    command.arg("--config").arg(&file);
    command.args(["check", "--offline"]);
    for (name, value) in settings {
        if let Some(secret) = value.strip_prefix(SECRETS) {
            let path = secrets.join(secret.rsplit('/').next().unwrap());
            fs::write(&path, "0123456789012345678901234567890123456789\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            command.env(name, path);
        } else {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");
    for wrong in ["WARN", "warn", "unknown", "ignored"] {
        assert!(!stdout.contains(wrong), "{stdout}");
        assert!(!stderr.contains(wrong), "{stderr}");
    }
}

#[test]
fn compose_names_settings_that_the_program_accepts() {
    let named = settings(&read(COMPOSE), r"(?m)^ +(?:# )?(ADVISORYD_[A-Z_]+): (.+)$");
    assert!(named.len() >= 7, "{named:?}");
    accepts(&named, &read("config.toml"));
}

#[test]
fn the_chart_names_settings_that_the_program_accepts() {
    let deployment = read(&format!("{CHART}/templates/deployment.yaml"));
    let values = read(&format!("{CHART}/values.yaml"));
    let url = settings(&values, r"(?m)^  (url): (.+)$");
    let url = &url["url"];
    let deployment = deployment.replace("{{ .Values.database.url | quote }}", url);
    let named = settings(
        &deployment,
        r"(?m)^ +- name: (ADVISORYD_[A-Z_]+)\n +value: (.+)$",
    );
    assert_eq!(
        named.len(),
        deployment.matches("- name: ADVISORYD_").count(),
        "{named:?}"
    );
    assert!(named.len() >= 7, "{named:?}");
    let (_, config) = values.split_once("\nconfig: |\n").unwrap();
    let lines = config
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("  "));
    let lines = lines.map(|line| line.strip_prefix("  ").unwrap_or_default());
    let config = lines.collect::<Vec<_>>().join("\n");
    assert!(config.contains("[[watch_lists]]"), "{config}");
    accepts(&named, &config);
}

#[test]
fn compose_and_chart_use_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let image = format!("image: localhost/advisoryd:{version}\n");
    assert!(read(COMPOSE).contains(&image));
    let chart = read(&format!("{CHART}/Chart.yaml"));
    assert!(chart.contains(&format!("appVersion: {version}\n")));
}
