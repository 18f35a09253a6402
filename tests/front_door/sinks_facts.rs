//! The same facts in every preset: whatever the JSON body says of one alert is in what each
//! preset sends of it.

use advisoryd::config::presets;
use advisoryd::model::{Alert, ChangedField};
use serde_json::Value;

use crate::sinks_presets::sent;
use crate::support::alerts::{alert, message};

/// Keys of the JSON body that are no facts for people, and why.
const NO_FACTS: [(&str, &str); 16] = [
    ("id", "of the alert; some presets have it"),
    ("what", "the summary says it in words"),
    ("kind", "the key shows it"),
    ("version", "of the stored record"),
    ("at", "messages have a time of their own"),
    ("resolved", "a mark, or a request of its own"),
    ("severity_rank", "the severity as a number"),
    ("cvss3_score", "the newest score is shown"),
    ("cvss_version", "part of the vector"),
    ("released_at", "on the page that is linked"),
    ("modified_at", "on the page that is linked"),
    ("watch_list_ids", "lists are shown by name"),
    ("raised_severities", "for receivers that store alerts"),
    ("said", "the key, or the advisory that is linked"),
    ("ticket_id", "people use the number"),
    ("further_events", "the summary says them in words"),
];

/// Where a fact may stand: as words, or as data.
const FACTS: [(&str, &[&str]); 25] = [
    ("key", &["SA4711"]),
    ("title", &["Bypass of the gate"]),
    ("summary", &["severity rose today"]),
    ("severity", &["highly critical", "highly_critical"]),
    ("severity_before", &["less critical", "less_critical"]),
    ("cvss_score", &["9.3"]),
    ("cvss_vector", &["CVSS:4.0/AV:N/AC:L/AT:N"]),
    ("threat_score", &["45.5"]),
    ("is_zero_day", &["zero day", "\"is_zero_day\":true"]),
    ("attack_vector", &["local network", "local_network"]),
    ("cves", &["CVE-2026-4711"]),
    ("more_cves", &["17"]),
    ("products", &["Example VPN 1"]),
    ("more_products", &["23"]),
    ("watch_list_names", &["Linux servers"]),
    ("solution_status", &["Vendor Patched"]),
    ("solution", &["Install release 2"]),
    ("ticket_number", &["1037"]),
    ("ticket_status", &["In progress"]),
    ("ticket_assignee", &["Mia Ray"]),
    ("more_tickets", &["6"]),
    ("changed", &["System access"]),
    ("advisory_url", &["https://svr.example.org/a/4711"]),
    ("ticket_url", &["https://svr.example.org/t/1037"]),
    ("kev_due", &["2026-03-22"]),
];
const EXPLOITATION: [(&str, &[&str]); 3] = [
    ("kev", &["known to be exploited", "\"kev\":true"]),
    ("ransomware", &["used in ransomware", "\"ransomware\":true"]),
    ("epss", &["0.93"]),
];

fn full() -> Alert {
    Alert {
        title: "Bypass of the gate".into(),
        summary: "severity rose today".into(),
        severity_rank: Some(4),
        severity_before: Some("less_critical".into()),
        cvss_version: Some("4".into()),
        cvss_score: Some(9.3),
        cvss_vector: Some("CVSS:4.0/AV:N/AC:L/AT:N".into()),
        threat_score: Some(45.5),
        is_zero_day: Some(true),
        attack_vector: Some("local_network".into()),
        cves: vec!["CVE-2026-4711".into()],
        more_cves: 17,
        products: vec!["Example VPN 1".into()],
        more_products: 23,
        watch_list_ids: vec![1],
        watch_list_names: vec!["Linux servers".into()],
        solution_status: Some("Vendor Patched".into()),
        solution: Some("Install release 2".into()),
        ticket_id: Some(37),
        ticket_number: Some(1037),
        ticket_status: Some("In progress".into()),
        ticket_assignee: Some("Mia Ray".into()),
        more_tickets: 6,
        changed: vec![ChangedField {
            field: "impacts".into(),
            old: Some("DoS".into()),
            new: Some("System access".into()),
        }],
        advisory_url: Some("https://svr.example.org/a/4711".into()),
        ticket_url: Some("https://svr.example.org/t/1037".into()),
        kev: Some(true),
        kev_due: chrono::NaiveDate::from_ymd_opt(2026, 3, 22),
        ransomware: Some(true),
        epss: Some(0.93),
        ..alert("SA4711", "highly_critical")
    }
}

#[test]
fn every_key_of_the_json_body_is_a_fact_or_has_a_reason() {
    let json = serde_json::to_value(full()).unwrap();
    let known = |key: &str| {
        NO_FACTS.iter().any(|(name, _)| *name == key)
            || FACTS
                .iter()
                .chain(&EXPLOITATION)
                .any(|(name, _)| *name == key)
    };
    for key in json.as_object().unwrap().keys() {
        assert!(known(key), "{key}");
    }
}

#[tokio::test]
async fn every_fact_of_one_alert_is_in_what_each_preset_sends() {
    let mut missing = Vec::new();
    for preset in presets() {
        let mut message = message(vec![full()]);
        message.title = "SA4711: Bypass of the gate".to_owned();
        let values = sent(preset, &message).await;
        let text = serde_json::to_string(&Value::Array(values)).unwrap();
        // Escapes of markup, and what breaks addresses, cannot be seen.
        let text = text.replace("\\\"", "\"").replace(['\\', '\u{200b}'], "");
        for (key, needles) in FACTS.iter().chain(&EXPLOITATION) {
            if !needles.iter().any(|needle| text.contains(needle)) {
                missing.push(format!("{}: {key}", preset.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
