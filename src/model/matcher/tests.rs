#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::DateTime;

use chrono_tz::Tz;

use super::Matcher;
use crate::model::{
    AdvisorySubject, AttackVector, ChangeKind, Clause, Clauses, Missing, Rule, Severity, Subject,
    TicketSubject, Verdict,
};

fn rule(clauses: Clauses) -> Rule {
    Rule {
        name: "r".to_owned(),
        on: ChangeKind::ALL.to_vec(),
        clauses,
        not: Vec::new(),
        missing: Missing::Match,
        sinks: Vec::new(),
        group_seconds: 0,
        clock: crate::model::ClockClauses::default(),
        shadow: false,
        digest: None,
        repeat_seconds: 0,
        mute_times: Vec::new(),
    }
}

fn subject() -> Subject {
    Subject {
        seq: Some(1),
        what: ChangeKind::Appeared,
        is_ticket: false,
        key: "SA1".to_owned(),
        version: 1,
        at: DateTime::UNIX_EPOCH,
        through: Some(4),
        is_baseline: false,
        is_new_in_source: false,
        is_followed: true,
        is_acknowledged: false,
        returns: 0,
        all_returns: 0,
        has_ticket: false,
        watch_lists: vec![4],
        watch_list_names: vec!["Linux servers".to_owned()],
        title: Some("OpenSSL VPN bypass".to_owned()),
        advisory: Some(AdvisorySubject {
            said: "SA1".to_owned(),
            severity: Some(Severity::HighlyCritical),
            attack_vector: Some(AttackVector::Remote),
            solution_status: Some("Vendor Patched".to_owned()),
            cves: vec!["CVE-2026-7".to_owned()],
            products: vec![
                "OpenSSL 3".to_owned(),
                "cpe:/a:openssl:openssl:3".to_owned(),
            ],
            cvss2: Some(5.0),
            cvss3: Some(9.1),
            cvss4: Some(8.0),
            threat_score: Some(50.0),
            is_zero_day: Some(true),
            ..AdvisorySubject::default()
        }),
        former_severity: None,
        former_solution_status: None,
        ticket: None,
        former_ticket: None,
    }
}

/// The verdict of a rule with these clauses.
fn found(clauses: Clauses, subject: &Subject) -> Verdict {
    Matcher::new(rule(clauses)).unwrap().judge(subject)
}

/// For each clause: clauses that match [`subject`], and clauses that do not.
#[expect(clippy::too_many_lines, reason = "a table, a line per clause")]
fn pairs() -> Vec<(Clause, Clauses, Clauses)> {
    let with = |change: fn(&mut Clauses)| {
        let mut clauses = Clauses::default();
        change(&mut clauses);
        clauses
    };
    let text = |text: &str| vec![text.to_owned()];
    let mut pairs = vec![
        (
            Clause::Severity,
            with(|c| c.severity = Some(Severity::HighlyCritical)),
            with(|c| c.severity = Some(Severity::ExtremelyCritical)),
        ),
        (
            Clause::WatchLists,
            with(|c| c.watch_lists = vec![3, 4]),
            with(|c| c.watch_lists = vec![3]),
        ),
        (
            Clause::Cvss2,
            with(|c| c.cvss2 = Some(5.0)),
            with(|c| c.cvss2 = Some(5.1)),
        ),
        (
            Clause::Cvss3,
            with(|c| c.cvss3 = Some(9.1)),
            with(|c| c.cvss3 = Some(9.2)),
        ),
        (
            Clause::Cvss4,
            with(|c| c.cvss4 = Some(8.0)),
            with(|c| c.cvss4 = Some(8.1)),
        ),
        (
            Clause::ThreatScore,
            with(|c| c.threat_score = Some(50.0)),
            with(|c| c.threat_score = Some(50.5)),
        ),
        (
            Clause::ZeroDay,
            with(|c| c.zero_day = Some(true)),
            with(|c| c.zero_day = Some(false)),
        ),
        (
            Clause::AttackVector,
            with(|c| c.attack_vector = vec![AttackVector::Local, AttackVector::Remote]),
            with(|c| c.attack_vector = vec![AttackVector::Local]),
        ),
        (
            Clause::Title,
            with(|c| c.title = Some("(?i)vpn".to_owned())),
            with(|c| c.title = Some("^VPN".to_owned())),
        ),
    ];
    let listed = |change: fn(&mut Clauses, Vec<String>), holds: &str, fails: &str| {
        let (mut good, mut bad) = (Clauses::default(), Clauses::default());
        change(&mut good, text(holds));
        change(&mut bad, text(fails));
        (good, bad)
    };
    let (good, bad) = listed(|c, v| c.cve = v, "cve-2026-*", "CVE-2025-*");
    pairs.push((Clause::Cve, good, bad));
    let (good, bad) = listed(|c, v| c.product = v, "cpe:*:openssl:3", "*windows*");
    pairs.push((Clause::Product, good, bad));
    let (good, bad) = listed(|c, v| c.solution_status = v, "vendor patched", "No Fix");
    pairs.push((Clause::SolutionStatus, good, bad));
    pairs
}

#[test]
fn each_clause_is_true_or_is_named_as_the_one_that_does_not() {
    for (clause, good, bad) in pairs() {
        assert_eq!(found(good, &subject()), Verdict::Matched, "{clause:?}");
        assert_eq!(found(bad, &subject()), Verdict::False(clause));
    }
}

#[test]
fn a_missing_value_matches_unless_the_rule_says_to_skip() {
    let mut empty = subject();
    empty.title = None;
    empty.advisory = Some(AdvisorySubject::default());
    for (clause, good, bad) in pairs() {
        // The watch lists of an advisory are always known.
        if clause == Clause::WatchLists {
            continue;
        }
        assert_eq!(found(bad, &empty), Verdict::Matched, "{clause:?}");
        let skipping = Rule {
            missing: Missing::Skip,
            ..rule(good)
        };
        let verdict = Matcher::new(skipping).unwrap().judge(&empty);
        assert_eq!(verdict, Verdict::Missing(clause));
    }
}

#[test]
fn what_is_false_decides_before_what_is_missing() {
    let mut unscored = subject();
    if let Some(advisory) = &mut unscored.advisory {
        advisory.cvss3 = None;
    }
    let clauses = Clauses {
        cvss3: Some(9.0),
        watch_lists: vec![3],
        ..Clauses::default()
    };
    let verdict = found(clauses, &unscored);
    assert_eq!(verdict, Verdict::False(Clause::WatchLists));
}

#[test]
fn not_excludes_what_it_names_as_a_whole_only() {
    let not = |not: Vec<Clauses>, missing: Missing| {
        let rule = Rule {
            not,
            missing,
            ..rule(Clauses::default())
        };
        Matcher::new(rule).unwrap().judge(&subject())
    };
    let vpn = || Clauses {
        title: Some("VPN".to_owned()),
        ..Clauses::default()
    };
    let vpn_of_another_list = || Clauses {
        watch_lists: vec![3],
        ..vpn()
    };
    assert_eq!(
        not(vec![vpn()], Missing::Match),
        Verdict::False(Clause::Not)
    );
    assert_eq!(
        not(vec![vpn_of_another_list()], Missing::Match),
        Verdict::Matched
    );
    let either = vec![vpn_of_another_list(), vpn()];
    assert_eq!(not(either, Missing::Match), Verdict::False(Clause::Not));
}

#[test]
fn what_may_be_excluded_is_not_excluded_for_want_of_a_value() {
    let mut unnamed = subject();
    unnamed.title = None;
    let rule = |missing| Rule {
        not: vec![Clauses {
            title: Some("VPN".to_owned()),
            ..Clauses::default()
        }],
        missing,
        ..rule(Clauses::default())
    };
    let judge = |missing| Matcher::new(rule(missing)).unwrap().judge(&unnamed);
    assert_eq!(judge(Missing::Match), Verdict::Matched);
    assert_eq!(judge(Missing::Skip), Verdict::Missing(Clause::Not));
}

#[test]
fn of_a_fall_the_severity_before_counts_too() {
    let serious = || Clauses {
        severity: Some(Severity::HighlyCritical),
        ..Clauses::default()
    };
    let mut rejected = subject();
    rejected.what = ChangeKind::Rejected;
    rejected.former_severity = Some(Severity::HighlyCritical);
    if let Some(advisory) = &mut rejected.advisory {
        advisory.severity = Some(Severity::Rejected);
    }
    assert_eq!(found(serious(), &rejected), Verdict::Matched);
    let of = |filter: &str| Clauses {
        filter: Some(filter.to_owned()),
        ..Clauses::default()
    };
    for filter in [
        "severity >= high",
        "severity = high",
        "severity = rejected",
        "severity < low",
        "severity in (rejected, low)",
        "severity != high",
        "not severity >= low",
        "severity >= low and severity <= high",
        "severity = high or severity = low",
    ] {
        assert_eq!(found(of(filter), &rejected), Verdict::Matched, "{filter}");
    }
    for filter in [
        "severity = moderate",
        "severity = high and severity = rejected",
    ] {
        let verdict = found(of(filter), &rejected);
        assert_eq!(verdict, Verdict::False(Clause::Where), "{filter}");
    }
    rejected.what = ChangeKind::Revised;
    let verdict = found(serious(), &rejected);
    assert_eq!(verdict, Verdict::False(Clause::Severity));
    let verdict = found(of("severity >= high"), &rejected);
    assert_eq!(verdict, Verdict::False(Clause::Where));
}

#[test]
fn tickets_are_asked_about_themselves_and_advisories_are_not() {
    let open = || Clauses {
        ticket_status: vec!["open*".to_owned()],
        ..Clauses::default()
    };
    assert_eq!(found(open(), &subject()), Verdict::Matched);
    let mut ticket = subject();
    ticket.what = ChangeKind::TicketStatus;
    ticket.is_ticket = true;
    ticket.ticket = Some(TicketSubject {
        status: Some("Open (new)".to_owned()),
        ..TicketSubject::default()
    });
    assert_eq!(found(open(), &ticket), Verdict::Matched);
    ticket.ticket = Some(TicketSubject {
        status: Some("Closed".to_owned()),
        ..TicketSubject::default()
    });
    let verdict = found(open(), &ticket);
    assert_eq!(verdict, Verdict::False(Clause::TicketStatus));
}

#[test]
fn kinds_first_loads_and_what_nobody_follows_are_distinguished() {
    let only = Rule {
        on: vec![ChangeKind::Escalated],
        ..rule(Clauses::default())
    };
    let matcher = Matcher::new(only).unwrap();
    assert_eq!(matcher.judge(&subject()), Verdict::NotAsked);
    let mut first = subject();
    first.is_baseline = true;
    assert_eq!(found(Clauses::default(), &first), Verdict::Baseline);
    let mut lost = subject();
    lost.is_followed = false;
    assert_eq!(found(Clauses::default(), &lost), Verdict::NotFollowed);
}

#[test]
fn a_rule_takes_the_time_zone_and_the_closed_statuses_of_the_configuration() {
    let days = || Clauses {
        filter: Some("released >= today".to_owned()),
        ..Clauses::default()
    };
    let zoned = |clauses: Clauses| {
        let rule = Rule {
            not: vec![days()],
            ..rule(clauses)
        };
        let matcher = Matcher::new(rule).unwrap();
        matcher.in_zone(Tz::Europe__Berlin)
    };
    let berlin = zoned(days());
    let clauses = &berlin.rule().clauses;
    assert_eq!(clauses.zone, Some(Tz::Europe__Berlin));
    assert_eq!(berlin.rule().not[0].zone, Some(Tz::Europe__Berlin));
    // It is stored, and read again the same.
    let stored = serde_json::to_string(berlin.rule()).unwrap();
    let read: Rule = serde_json::from_str(&stored).unwrap();
    assert_eq!(&read, berlin.rule());
    let plain = zoned(Clauses::default());
    assert_eq!(plain.rule().clauses.zone, None, "the same rule as before");

    let closed = ["Handled".to_owned()];
    let open = |clauses: Clauses| {
        let mut rule = rule(clauses);
        rule.clock.ticket_open_for = Some(60);
        Matcher::new(rule).unwrap().without_closed(&closed)
    };
    let not = &open(Clauses::default()).rule().not.clone();
    assert_eq!(not[0].ticket_status, closed);
    let named = Clauses {
        ticket_status: vec!["*".to_owned()],
        ..Clauses::default()
    };
    assert!(open(named).rule().not.is_empty(), "it says so itself");
    let of_changes = Matcher::new(rule(Clauses::default())).unwrap();
    assert!(of_changes.without_closed(&closed).rule().not.is_empty());
}
