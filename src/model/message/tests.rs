#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Alert, MESSAGE_VERSION, Message, MessagePurpose};

#[test]
fn texts_and_lists_of_an_alert_are_bounded() {
    let alert = Alert {
        title: "x\r\nSA9999  forged,".repeat(10_000),
        ticket_status: Some("y".repeat(2000)),
        cves: (0..250).map(|n| format!("CVE-2026-{n}")).collect(),
        products: vec!["p".repeat(500); 13],
        solution: Some("Update\nto 2.0. ".repeat(100)),
        ..Alert::default()
    };
    let bounded = alert.bounded();
    assert_eq!((bounded.products.len(), bounded.more_products), (10, 3));
    assert_eq!(bounded.products[0].chars().count(), 200);
    assert!(bounded.solution.as_deref().is_some_and(|text| {
        text.starts_with("Update to 2.0. Update") && text.chars().count() <= 400
    }));
    assert!((990..=1000).contains(&bounded.title.chars().count()));
    assert!(bounded.title.starts_with("x SA9999 forged,x SA9999"));
    assert_eq!(bounded.ticket_status.as_deref().map(str::len), Some(1002));
    assert_eq!((bounded.cves.len(), bounded.more_cves), (100, 150));
    assert_eq!(bounded.clone().bounded(), bounded);
}

#[test]
fn a_title_says_how_many_alerts_there_are_of_which_severity() {
    let of = |key: &str, severity: Option<&str>, resolved| Alert {
        key: key.into(),
        kind: "advisory".into(),
        title: "VPN".into(),
        summary: "revised".into(),
        severity: severity.map(str::to_owned),
        resolved,
        ..Alert::default()
    };
    let high = of("SA1", Some("highly_critical"), false);
    let one = Message::title_of("soc", std::slice::from_ref(&high));
    assert_eq!(one, "SA1: VPN (revised, highly critical)");
    let all = [
        high.clone(),
        of("SA2", None, false),
        of("SA3", Some("rejected"), true),
        of("SA4", Some("extremely_critical"), false),
        of("SA5", Some("less_critical"), false),
        of("SA5", Some("highly_critical"), false),
    ];
    assert_eq!(
        Message::title_of("soc", &all),
        "soc: 5 advisories: 1 extremely critical, 2 highly critical, 1 of unknown severity, 1 resolved"
    );
}

#[test]
fn a_title_counts_an_advisory_once() {
    let of = |version, severity: &str| Alert {
        key: "SA1".into(),
        kind: "advisory".into(),
        title: "VPN".into(),
        summary: format!("revised, now version {version}"),
        severity: Some(severity.to_owned()),
        ..Alert::default()
    };
    let alerts = [of(2, "highly_critical"), of(3, "extremely_critical")];
    assert_eq!(
        Message::title_of("soc", &alerts),
        "SA1: VPN (revised, now version 3, extremely critical), 2 alerts"
    );
    let ticket = Alert {
        key: "37".into(),
        kind: "ticket".into(),
        ticket_number: Some(1037),
        title: "Patch it".into(),
        summary: "status changed from Open to Closed".into(),
        ..Alert::default()
    };
    assert_eq!(
        Message::title_of("tickets", &[ticket]),
        "#1037: Patch it (status changed from Open to Closed)"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of all keys")]
fn the_json_form_of_version_1_keeps_its_keys() {
    let message = Message {
        schema: MESSAGE_VERSION,
        id: "0".into(),
        purpose: MessagePurpose::Alert,
        at: DateTime::UNIX_EPOCH,
        rule: "soc".into(),
        title: "one".into(),
        alerts: vec![Alert::default()],
    };
    let json = serde_json::to_value(&message).unwrap();
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let mut whole = keys(&json);
    whole.sort();
    assert_eq!(
        whole,
        ["alerts", "at", "id", "purpose", "rule", "schema", "title"]
    );
    let alert = keys(&json["alerts"][0]);
    for key in [
        "id",
        "what",
        "kind",
        "key",
        "version",
        "at",
        "resolved",
        "title",
        "summary",
        "severity",
        "severity_rank",
        "cvss3_score",
        "attack_vector",
        "threat_score",
        "is_zero_day",
        "cves",
        "more_cves",
        "solution_status",
        "released_at",
        "modified_at",
        "watch_list_ids",
        "ticket_status",
        "ticket_assignee",
        "raised_severities",
        "said",
        "severity_before",
        "changed",
        "cvss_version",
        "cvss_score",
        "cvss_vector",
        "products",
        "more_products",
        "watch_list_names",
        "solution",
        "ticket_id",
        "ticket_number",
        "more_tickets",
        "advisory_url",
        "ticket_url",
        "kev",
        "kev_due",
        "ransomware",
        "epss",
        "further_events",
    ] {
        assert!(
            alert.iter().any(|name| name == key),
            "{key} is always there"
        );
    }
    assert_eq!(alert.len(), 44, "document a new key and list it here");
    assert_eq!(json["purpose"], json!(MessagePurpose::Alert.name()));
    let back: Message = serde_json::from_value(json).unwrap();
    assert_eq!(back, message);
}
