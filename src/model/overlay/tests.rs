//! Tests of the merge of records and details.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Advisory, Product, sample};

fn overlay(record: &Advisory, detail: &Advisory) -> Advisory {
    super::overlay(record, detail, &[], at(24))
}

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn statement(hours: i64, title: Option<&str>, cves: &[&str]) -> Advisory {
    Advisory {
        said: "SA1".to_owned(),
        modified_at: Some(at(hours)),
        title: title.map(str::to_owned),
        cves: cves.iter().map(|cve| (*cve).to_owned()).collect(),
        ..Advisory::default()
    }
}

#[test]
fn the_newer_wins_where_it_has_a_value_and_json_where_neither_is() {
    let record = statement(2, Some("record"), &[]);
    let title = |hours| overlay(&record, &statement(hours, Some("detail"), &["CVE-1"]));
    assert_eq!(title(1).title.as_deref(), Some("record"));
    assert_eq!(title(2).title.as_deref(), Some("detail"));
    assert_eq!(title(3).title.as_deref(), Some("detail"));
    // Old details still fill what the feed never contains.
    assert_eq!(title(1).cves, ["CVE-1"]);
    assert_eq!(title(1).modified_at, Some(at(2)));
    let blank = overlay(&record, &statement(3, None, &[]));
    assert_eq!(blank.title.as_deref(), Some("record"));
}

#[test]
fn what_the_feed_has_corrected_wins_until_the_details_change_it() {
    let mut before = statement(2, Some("record"), &["CVE-1"]);
    before.description = Some("record".to_owned());
    let mut detail = statement(2, Some("detail"), &["CVE-1", "CVE-2"]);
    detail.description = Some("detail".to_owned());
    let mut after = statement(2, Some("corrected"), &["CVE-1"]);
    after.is_zero_day = Some(true);
    let corrected = super::corrected_fields(&before, &after);
    assert_eq!(corrected, ["title", "is_zero_day"], "one is only left out");
    let whole = super::overlay(&after, &detail, &corrected, at(24));
    assert_eq!(whole.title.as_deref(), Some("corrected"));
    assert_eq!(whole.is_zero_day, Some(true));
    assert_eq!(whole.cves, detail.cves, "the feed has not changed these");
    assert_eq!(whole.description.as_deref(), Some("detail"));
    // Details of another revision are compared by time alone.
    detail.modified_at = Some(at(3));
    let newer = super::overlay(&after, &detail, &corrected, at(24));
    assert_eq!(newer.title.as_deref(), Some("detail"));
}

#[test]
fn a_corrected_value_replaces_one_that_was_not_understood() {
    let mut record = statement(2, None, &[]);
    record.criticality = Some(4);
    record.cvss3.score = Some(9.8);
    let mut detail = statement(2, None, &[]);
    for key in ["criticality", "cvss3_score", "threat_score"] {
        detail.unrecognised.insert(key.into(), "purple".into());
    }
    let corrected = ["criticality".to_owned(), "cvss3".to_owned()];
    let whole = super::overlay(&record, &detail, &corrected, at(24));
    assert_eq!(whole.criticality, Some(4));
    assert!(whole.unrecognised.keys().eq(["threat_score"]));
}

#[test]
fn every_field_that_is_no_key_and_no_time_can_be_corrected() {
    let full = sample::full();
    let empty = Advisory {
        said: full.said.clone(),
        modified_at: full.modified_at,
        ..Advisory::default()
    };
    let mut expected: Vec<String> = serde_json::to_value(&full)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !["said", "modified_at", "unrecognised"].contains(&key.as_str()))
        .cloned()
        .collect();
    let mut found = super::corrected_fields(&empty, &full);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let detail = Advisory {
        title: Some("another".to_owned()),
        ..empty
    };
    assert_eq!(
        super::overlay(&full, &detail, &found, at(0)),
        overlay(&full, &full)
    );
}

#[test]
fn a_rejection_is_withdrawn_by_a_record_that_says_so() {
    let mut rejected = statement(2, None, &[]);
    rejected.is_rejected = true;
    let mut open = statement(2, None, &[]);
    assert!(super::corrected_fields(&rejected, &open).is_empty());
    open.criticality = Some(4);
    let corrected = super::corrected_fields(&rejected, &open);
    assert!(!super::overlay(&open, &rejected, &corrected, at(24)).is_rejected);
}

#[test]
fn every_field_comes_from_the_winner_and_where_it_is_open_from_the_other() {
    let full = sample::full().normalised();
    let empty = Advisory {
        said: full.said.clone(),
        ..Advisory::default()
    };
    assert_eq!(overlay(&empty, &full), full);
    let filled = Advisory {
        is_rejected: false,
        ..full.clone()
    };
    assert_eq!(overlay(&full, &empty), filled, "a flag always has a value");
}

#[test]
fn laying_the_same_detail_over_its_own_outcome_changes_nothing() {
    let record = statement(2, Some("record"), &["CVE-2"]);
    for hours in 1..4 {
        let mut detail = statement(hours, None, &["CVE-1"]);
        detail.products = vec![Product::default()];
        let whole = overlay(&record, &detail);
        assert_eq!(overlay(&whole, &detail), whole);
    }
}

#[test]
fn a_time_in_the_future_wins_over_nothing() {
    let (now, wrong) = (2, 24 * 365);
    let title = |record, detail| {
        let record = statement(record, Some("record"), &[]);
        overlay(&record, &statement(detail, Some("detail"), &[])).title
    };
    assert_eq!(title(now, wrong).as_deref(), Some("record"));
    assert_eq!(title(wrong, now).as_deref(), Some("detail"));
    assert_eq!(title(wrong, wrong).as_deref(), Some("detail"));
    // Clocks differ by less.
    assert_eq!(title(now, 40).as_deref(), Some("detail"));
}

#[test]
fn a_rejection_needs_only_one_of_two_that_speak_of_the_same_time() {
    let mut record = statement(2, None, &[]);
    record.is_rejected = true;
    assert!(overlay(&record, &statement(2, None, &[])).is_rejected);
    assert!(!overlay(&record, &statement(3, None, &[])).is_rejected);
    assert!(overlay(&record, &statement(1, None, &[])).is_rejected);
}

#[test]
fn what_was_not_understood_is_kept_unless_the_winner_says_it_better() {
    let mut record = statement(2, None, &[]);
    for field in ["criticality", "threat_score"] {
        record.unrecognised.insert(field.into(), "purple".into());
    }
    let mut detail = statement(2, None, &[]);
    detail.criticality = Some(4);
    let whole = overlay(&record, &detail);
    assert_eq!(whole.criticality, Some(4));
    assert!(whole.unrecognised.keys().eq(["threat_score"]));
}
