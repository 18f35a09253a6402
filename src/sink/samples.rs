//! Sample messages that every template must be able to render.

use chrono::DateTime;

use crate::model::{Alert, ChangedField, MESSAGE_VERSION, Message, MessagePurpose};

/// Sample messages that every template must be able to render.
#[expect(clippy::too_many_lines, reason = "one alert with all fields")]
pub(super) fn samples() -> [Message; 3] {
    let sample = |purpose, alerts| Message {
        schema: MESSAGE_VERSION,
        id: "0b5e3a54-0000-5000-8000-000000000000".into(),
        purpose,
        at: DateTime::UNIX_EPOCH,
        rule: "sample".into(),
        title: "A \"sample\" of 1".into(),
        alerts,
    };
    let full = Alert {
        id: "0b5e3a54-0000-5000-8000-000000000001".into(),
        what: "appeared".into(),
        kind: "advisory".into(),
        key: "SA1".into(),
        version: 1,
        at: DateTime::UNIX_EPOCH,
        resolved: false,
        title: "A <sample>\nof \"two\" lines \\".into(),
        summary: "first seen".into(),
        severity: Some("highly_critical".into()),
        severity_rank: Some(4),
        cvss3_score: Some(9.8),
        attack_vector: Some("remote".into()),
        threat_score: Some(45.0),
        is_zero_day: Some(true),
        cves: vec!["CVE-2026-1".into()],
        more_cves: 1,
        solution_status: Some("Vendor Patched".into()),
        released_at: Some(DateTime::UNIX_EPOCH),
        modified_at: Some(DateTime::UNIX_EPOCH),
        watch_list_ids: vec![4],
        ticket_status: Some("Open".into()),
        ticket_assignee: Some("somebody".into()),
        raised_severities: Vec::new(),
        said: Some("SA1".into()),
        severity_before: Some("less_critical".into()),
        changed: vec![ChangedField {
            field: "title".into(),
            old: None,
            new: Some("A".into()),
        }],
        cvss_version: Some("4".into()),
        cvss_score: Some(9.3),
        cvss_vector: Some("CVSS:4.0/AV:N".into()),
        products: vec!["Example VPN 1".into()],
        more_products: 1,
        watch_list_names: vec!["Linux".into()],
        solution: Some("Update.".into()),
        ticket_id: Some(37),
        ticket_number: Some(1037),
        more_tickets: 1,
        advisory_url: Some("https://host.example/SA1".into()),
        ticket_url: Some("https://host.example/37".into()),
        kev: Some(true),
        kev_due: chrono::NaiveDate::from_ymd_opt(2026, 3, 22),
        ransomware: Some(true),
        epss: Some(0.93),
        further_events: vec!["became_zero_day".into()],
    };
    let over = Alert {
        resolved: true,
        ..Alert::default()
    };
    [
        sample(MessagePurpose::Alert, vec![full.clone(), over.clone()]),
        sample(MessagePurpose::Health, vec![over]),
        sample(MessagePurpose::Heartbeat, Vec::new()),
    ]
}
