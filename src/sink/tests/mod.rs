//! Tests of the alert sinks.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod alertmanager;
mod mail;
mod templates;

use chrono::{DateTime, Utc};

use crate::model::{Alert, ChangedField, MESSAGE_VERSION, Message, MessagePurpose};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An alert with all fields, and a resolved one.
#[expect(clippy::too_many_lines, reason = "an alert with all fields")]
fn message() -> Message {
    let alert = Alert {
        id: "5c2b1e8a-0000-5000-8000-000000000001".into(),
        what: "appeared".into(),
        kind: "advisory".into(),
        key: "SA87735".into(),
        version: 1,
        at: time("2026-03-01T13:35:05Z"),
        title: "Example <b>VPN</b> & \"Gateway\" @channel *multiple* vulnerabilities".into(),
        summary: "first seen, highly critical".into(),
        severity: Some("highly_critical".into()),
        severity_rank: Some(4),
        cvss3_score: Some(9.8),
        attack_vector: Some("remote".into()),
        threat_score: Some(45.0),
        is_zero_day: Some(true),
        cves: (1..=5).map(|n| format!("CVE-2026-{n}")).collect(),
        solution_status: Some("Vendor Patched".into()),
        released_at: Some(time("2026-03-01T12:00:00Z")),
        modified_at: Some(time("2026-03-01T13:00:00Z")),
        watch_list_ids: vec![4, 7],
        severity_before: Some("less_critical".into()),
        changed: vec![ChangedField {
            field: "cvss3_score".into(),
            old: Some("5.0".into()),
            new: Some("9.8".into()),
        }],
        cvss_version: Some("3".into()),
        cvss_score: Some(9.8),
        cvss_vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".into()),
        products: (1..=10).map(|n| format!("Example VPN {n}.x")).collect(),
        more_products: 2,
        watch_list_names: vec!["Linux <servers>".into(), "7".into()],
        solution: Some("Update to version 2.0.1 or later.".into()),
        ticket_id: Some(37),
        ticket_number: Some(1037),
        ticket_status: Some("Open".into()),
        advisory_url: Some("https://svr.example.org/a/SA87735?x=1&y=2".into()),
        ticket_url: Some("https://svr.example.org/t/37".into()),
        ..Alert::default()
    };
    let over = Alert {
        id: "5c2b1e8a-0000-5000-8000-000000000002".into(),
        what: "rejected".into(),
        kind: "advisory".into(),
        key: "SA87000".into(),
        version: 3,
        at: time("2026-03-01T13:36:00Z"),
        resolved: true,
        title: "Withdrawn".into(),
        summary: "rejected by the vendor".into(),
        severity: Some("rejected".into()),
        severity_rank: Some(0),
        raised_severities: vec!["less_critical".into(), "highly_critical".into()],
        ..Alert::default()
    };
    Message {
        schema: MESSAGE_VERSION,
        id: "5c2b1e8a-0000-5000-8000-000000000000".into(),
        purpose: MessagePurpose::Alert,
        at: time("2026-03-01T13:36:30Z"),
        rule: "soc".into(),
        title: "2 advisories: SA87735, SA87000".into(),
        alerts: vec![alert, over],
    }
}
