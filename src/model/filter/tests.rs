#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Filter, evaluate, explained, parse_filter};
use crate::model::{AdvisorySubject, AttackVector, ChangeKind, Severity, Subject};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn subject() -> Subject {
    Subject {
        seq: Some(1),
        what: ChangeKind::Appeared,
        is_ticket: false,
        key: "SA70001".to_owned(),
        version: 1,
        at: time("2026-11-10T12:00:00Z"),
        through: Some(3),
        is_baseline: false,
        is_new_in_source: false,
        is_followed: true,
        watch_lists: vec![3],
        watch_list_names: vec!["Office clients".to_owned()],
        is_acknowledged: false,
        returns: 0,
        all_returns: 0,
        has_ticket: false,
        title: None,
        advisory: Some(AdvisorySubject {
            said: "SA70001".to_owned(),
            title: Some("OpenSSL \"Heart\" Łódka".to_owned()),
            severity: Some(Severity::HighlyCritical),
            attack_vector: Some(AttackVector::Remote),
            solution_status: Some("Vendor Patched".to_owned()),
            cves: vec!["CVE-2026-1234".to_owned()],
            products: vec![
                "OpenSSL 3.x".to_owned(),
                "cpe:2.3:a:openssl:openssl:3".to_owned(),
            ],
            cvss2: Some(5.0),
            cvss3: Some(9.1),
            is_zero_day: None,
            is_rejected: Some(false),
            is_repaired: Some(false),
            released_at: Some(time("2026-11-08T23:59:59Z")),
            first_seen_at: Some(time("2026-11-09T00:00:00Z")),
            matched_words: vec!["remote -local".to_owned()],
            ..AdvisorySubject::default()
        }),
        former_severity: None,
        former_solution_status: None,
        ticket: None,
        former_ticket: None,
    }
}

fn result(text: &str) -> Option<bool> {
    let filter = parse_filter(text).unwrap_or_else(|error| panic!("{error}"));
    evaluate(&filter, &subject())
}

#[test]
fn true_are() {
    for text in [
        "severity >= high and (product ~ \"openssl\" or cve = CVE-2026-1) and not list = \"Linux\"",
        "severity = 'Highly critical'",
        "severity<critical AND severity_rank=4",
        "severity in (high, critical)",
        "severity not in (low, medium)",
        "said = sa70001",
        "title ~ '\"heart\"'",
        "title ~ \"\\\"HEART\\\"\"",
        "title ~ łódka or title ~ Łódka",
        "cvss = 9.1 and cvss3 > 9 and cvss_score <= 9.1e0",
        "cvss4 is null and cvss4_score is null and cvss2 is not null",
        "attack_vector in (network) and solution_status = vendor_patched",
        "not is_rejected and repaired != true and is_rejected = no",
        "vendor = OpenSSL and product = 'openssl 3.x'",
        "list = 3 and list ~ office and list != 4 and not list = '3'",
        "released = 2026-11-08 and released <= 2026-11-08 and released < 2026-11-09",
        "released >= 3d and released < \"1d ago\" and released < 1d ago",
        "first_seen > 2026-11-08 and first_seen = 2026-11-09",
        "first_seen >= 2026-11-09T01:00:00+01:00",
        "text ~ \"remote -local\" and not text ~ other",
        "cvss > 9 or is_zero_day",
    ] {
        assert_eq!(result(text), Some(true), "{text}");
    }
}

/// Unknown is neither true nor false, whatever stands before it, unless another part
/// decides.
#[test]
fn what_upstream_did_not_send_is_unknown() {
    for unknown in [
        "is_zero_day",
        "is_zero_day = false",
        "cvss4 > 0",
        "threat_score != 5",
        "impact = DoS",
        "impact != DoS",
        "modified > 7d",
        "is_zero_day or is_rejected",
        "is_zero_day and severity = high",
    ] {
        assert_eq!(result(unknown), None, "{unknown}");
        assert_eq!(result(&format!("not ({unknown})")), None, "{unknown}");
        assert_eq!(result(&format!("({unknown}) or cvss > 9")), Some(true));
        assert_eq!(result(&format!("({unknown}) and cvss > 9.1")), Some(false));
    }
    let nothing = Subject {
        advisory: None,
        ..subject()
    };
    let known = |text: &str| evaluate(&parse_filter(text).unwrap(), &nothing);
    assert_eq!(known("text ~ a"), None);
    assert_eq!(known("said is null"), Some(true));
    assert_eq!(known("list = 3"), Some(true));
}

/// A severity of before counts after a fall, as for the clause `severity`.
#[test]
fn a_rejected_advisory_was_severe() {
    let mut fallen = subject();
    fallen.what = ChangeKind::Rejected;
    fallen.former_severity = fallen.advisory.as_ref().unwrap().severity;
    fallen.advisory.as_mut().unwrap().severity = Some(Severity::Rejected);
    let is_true = |text: &str| evaluate(&parse_filter(text).unwrap(), &fallen);
    assert_eq!(is_true("severity >= high"), Some(true));
    assert_eq!(is_true("severity_rank >= 4"), Some(false));
}

#[test]
fn durations_count_from_the_time_of_the_change() {
    let mut later = subject();
    later.at += TimeDelta::days(30);
    let filter = parse_filter("released >= 3d").unwrap();
    assert_eq!(evaluate(&filter, &subject()), Some(true));
    assert_eq!(evaluate(&filter, &later), Some(false));
}

/// A subject of a Wednesday in UTC, 2026-11-11, which is a Thursday in Berlin already.
fn of_wednesday(released: &str) -> Subject {
    let mut subject = subject();
    subject.at = time("2026-11-11T23:30:00Z");
    subject.advisory.as_mut().unwrap().released_at = Some(time(released));
    subject
}

fn in_zone(text: &str, zone: Tz) -> Filter {
    let mut filter = parse_filter(text).unwrap();
    filter.set_zone(zone);
    filter
}

/// Each line is a filter, the time of release, and whether the filter is true.
#[test]
fn days_are_seen_from_the_time_of_the_change_and_in_a_time_zone() {
    let in_utc = "released >= today           | 2026-11-11T00:00:00Z | true
                  released >= today           | 2026-11-10T23:59:59Z | false
                  released = yesterday        | 2026-11-10T12:00:00Z | true
                  released != yesterday       | 2026-11-10T12:00:00Z | false
                  released < tomorrow         | 2026-11-11T23:59:59Z | true
                  released <= wednesday       | 2026-11-11T23:59:59Z | true
                  released > wednesday        | 2026-11-11T23:59:59Z | false
                  released >= wed             | 2026-11-11T00:00:00Z | true
                  released = thursday         | 2026-11-05T12:00:00Z | true
                  released = 2026-11-11       | 2026-11-10T23:00:00Z | false
                  released = 2026-11          | 2026-11-30T23:59:59Z | true
                  released <= 2026-10         | 2026-11-01T00:00:00Z | false
                  released > 2025             | 2026-01-01T00:00:00Z | true
                  released = 2025             | 2025-12-31T23:59:59Z | true";
    let in_berlin = "released >= today                | 2026-11-11T22:59:59Z | false
                     released >= TODAY                | 2026-11-11T23:00:00Z | true
                     released = yesterday             | 2026-11-10T12:00:00Z | false
                     released = thursday              | 2026-11-12T12:00:00Z | true
                     released = 2026-11-11            | 2026-11-10T23:00:00Z | true
                     released >= '2026-11-11 01:00'   | 2026-11-11T00:00:00Z | true
                     released >= 2026-11-11T01:00:00Z | 2026-11-11T00:00:00Z | false
                     released <= now                  | 2026-11-11T23:30:00Z | true";
    for (lines, zone) in [(in_utc, Tz::UTC), (in_berlin, Tz::Europe__Berlin)] {
        for line in lines.lines() {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let is_true = evaluate(&in_zone(parts[0], zone), &of_wednesday(parts[1]));
            assert_eq!(is_true, Some(parts[2] == "true"), "{zone}: {line}");
        }
    }
}

#[test]
fn days_are_explained_as_they_are_written() {
    let filter = in_zone("released = today or released > fri", Tz::Europe__Berlin);
    let text = explained(&filter, &of_wednesday("2026-11-08T23:59:59Z"));
    let wanted = "released >= today (Europe/Berlin) is false (2026-11-08 23:59:59 UTC); \
                  released < tomorrow (Europe/Berlin) is true (2026-11-08 23:59:59 UTC); \
                  released >= the day after friday (Europe/Berlin) is true (2026-11-08 23:59:59 UTC)";
    assert_eq!(text, wanted);
}

fn refused(text: &str) -> String {
    parse_filter(text).unwrap_err().to_string()
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let all: Vec<String> = [
        "",
        "sevrity >= high",
        "colour = red",
        "severity >= hihg",
        "severity high",
        "severity = high && cvss > 9",
        "(severity = high",
        "severity = high)",
        "severity ==  high",
        "title contains x",
        "title < 5",
        "cve = CVE-26-1",
        "cvss > nine",
        "released > soon",
        "released = 7d",
        "solution_status = patched",
        "attack_vector = unknown",
        "is_zero_day = maybe",
        "text = openssl",
        "list is null",
        "title ~ \"open",
        "title ~ \"a\\n\"",
        "title ~ \"a\u{1}\"",
        "title ~ \"\"",
        "cvss in (1 2)",
        "said and",
        "título ~ \"ü\" or  and",
        "cvss > inf",
        "released > 900000y",
    ]
    .map(refused)
    .into();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn length_depth_and_terms_are_limited() {
    let deep = |depth: usize| format!("{}said = a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse_filter(&deep(50)).is_ok());
    assert!(refused(&deep(51)).contains("at most 50 levels"));
    assert!(refused(&"(".repeat(10_000)).contains("at most 50 levels"));
    assert!(refused(&"not ".repeat(2_500)).contains("at most 50 levels"));
    let terms = |count: usize| vec!["said = a"; count].join(" or ");
    assert!(parse_filter(&terms(500)).is_ok());
    assert!(refused(&terms(501)).contains("at most 500"));
    let values = |count: usize| format!("said in ({})", vec!["a"; count].join(","));
    assert!(parse_filter(&values(500)).is_ok());
    assert!(refused(&values(501)).contains("at most 500"));
    let long = |length: usize| format!("said = {}", "a".repeat(length - 7));
    assert!(parse_filter(&long(10_000)).is_ok());
    assert!(refused(&long(10_001)).contains("at most 10000"));
}

#[test]
fn and_binds_closer_than_or() {
    let parse = |text: &str| parse_filter(text).unwrap();
    assert_eq!(
        parse("cvss > 1 or cvss > 2 and cvss > 3"),
        parse("cvss > 1 or (cvss > 2 and cvss > 3)")
    );
    assert_eq!(
        parse("not cvss > 1 and cvss > 2"),
        parse("(not cvss > 1) and cvss > 2")
    );
    assert!(matches!(parse("(((said = a)))"), Filter::Test(_)));
}

proptest::proptest! {
    /// Whatever is written, the parser ends with a filter or with an error inside it.
    #[test]
    fn any_text_is_parsed_or_refused(text in "(severity|cve|and|or|not|in|is|null|>=|=|~|\\(|\\)|,|\"|'|\\\\|[ a-z0-9é]){0,40}") {
        if let Err(error) = parse_filter(&text) {
            assert!(error.column() <= text.chars().count() + 1, "{error}");
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }
}

#[test]
fn of_an_advisory_that_joins_a_list_only_that_list_is_compared() {
    let joining = Subject {
        what: ChangeKind::JoinedWatchList,
        through: Some(3),
        watch_lists: vec![2, 3, 5],
        watch_list_names: ["Linux", "Office", ""].map(str::to_owned).to_vec(),
        ..subject()
    };
    let new = Subject {
        what: ChangeKind::Appeared,
        is_new_in_source: true,
        ..joining.clone()
    };
    let appeared = Subject {
        what: ChangeKind::Appeared,
        ..joining.clone()
    };
    let is_true = |text: &str, subject: &Subject| evaluate(&parse_filter(text).unwrap(), subject);
    for (filter, in_joined, in_any) in [
        ("list = 2", false, true),
        ("list = 3", true, true),
        ("list = Linux", false, true),
        ("list = Office", true, true),
        ("not list = 2", true, false),
        ("list ~ li", false, true),
    ] {
        assert_eq!(is_true(filter, &joining), Some(in_joined), "{filter}");
        assert_eq!(is_true(filter, &new), Some(in_joined), "{filter}");
        assert_eq!(is_true(filter, &appeared), Some(in_any), "{filter}");
    }
}
