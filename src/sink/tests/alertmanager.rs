//! Alertmanager sink: labels, start and end of alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::super::alertmanager::AlertmanagerSink;
use super::super::secrets::Secrets;
use super::{message, time};
use crate::config::{self, Address, PostTarget};
use crate::model::Alert;

fn sink() -> AlertmanagerSink {
    let settings = config::AlertmanagerSettings {
        target: PostTarget {
            address: Address::Url("https://alerts.example.org/".parse().unwrap()),
            auth: None,
            headers: BTreeMap::new(),
            headers_file: None,
            allow_private: false,
            proxy: None,
            ca_file: None,
            client_cert: None,
        },
        labels: BTreeMap::from([("team".to_owned(), "soc".to_owned())]),
        active_for: Duration::from_hours(24),
    };
    AlertmanagerSink::open(&settings, Duration::from_secs(1), &mut Secrets::default()).unwrap()
}

#[test]
fn what_ends_has_exactly_the_labels_of_what_began() {
    let (sink, now) = (sink(), time("2026-03-02T00:00:00Z"));
    let mut message = message();
    let [began, over] = &message.alerts[..] else {
        unreachable!("there are two");
    };
    let mut labels = BTreeSet::new();
    for severity in &over.raised_severities {
        let mut earlier = began.clone();
        earlier.key.clone_from(&over.key);
        earlier.severity = Some(severity.clone());
        let posted = sink.posted(&message, &earlier, now);
        assert_eq!(posted.len(), 1);
        labels.insert(serde_json::to_value(&posted[0]).unwrap()["labels"].to_string());
    }
    let ended = serde_json::to_value(sink.posted(&message, over, now)).unwrap();
    let ended: Vec<&Value> = ended.as_array().unwrap().iter().collect();
    let ended_labels: BTreeSet<String> = ended
        .iter()
        .map(|alert| alert["labels"].to_string())
        .collect();
    assert_eq!(ended_labels, labels);
    assert!(
        ended
            .iter()
            .all(|alert| alert["endsAt"] == "2026-03-01T13:36:00.000Z")
    );
    assert!(ended.iter().all(|alert| alert.get("startsAt").is_none()));

    message.alerts[0].raised_severities = vec!["less_critical".into(), "highly_critical".into()];
    let posted = sink.posted(&message, &message.alerts[0], now);
    assert_eq!(
        posted.len(),
        2,
        "an escalation ends the alert with the previous severity"
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&posted).unwrap());
}

#[test]
fn two_things_that_are_wrong_with_one_source_are_two_alerts() {
    let (sink, now) = (sink(), time("2026-03-02T00:00:00Z"));
    let message = message();
    let labels = |what: &str, resolved| {
        let alert = Alert {
            what: what.to_owned(),
            kind: "advisoryd".to_owned(),
            key: "watch list 4".to_owned(),
            resolved,
            ..Alert::default()
        };
        let posted = sink.posted(&message, &alert, now);
        serde_json::to_value(&posted).unwrap()[0]["labels"].clone()
    };
    assert_ne!(labels("data_stale", false), labels("coverage_hole", false));
    assert_eq!(labels("data_stale", false), labels("data_stale", true));
}
