use super::super::Config;
use super::mistakes;
use crate::model::{AttackVector, ChangeKind, Clause, Missing, Severity};

const SINK: &str = "[[alerts.sinks]]\nname = \"soc-hook\"\nkind = \"log\"\n";

#[test]
fn a_rule_says_what_it_asks_for() {
    let text = format!(
        r#"{SINK}
[[alerts.rules]]
name = "soc"
on = ["appeared", "ticket_status"]
severity = "Highly critical"
watch_lists = [4, 7]
cvss3 = 9
threat_score = 45.5
zero_day = true
attack_vector = ["remote", "local_network"]
cve = ["CVE-2026-*"]
product = ["*openssl*"]
title = "(?i)vpn"
solution_status = ["no fix"]
ticket_status = ["Open*"]
not = [{{ title = "spooler" }}, {{ watch_lists = [9], severity = "not_critical" }}]
missing = "skip"
sinks = ["soc-hook"]
group = "5m"
shadow = true
"#
    );
    let config = Config::from_text("c.toml", &text).unwrap();
    let matcher = &config.alerts.rules[0];
    let rule = matcher.rule();
    assert_eq!(rule.on, [ChangeKind::Appeared, ChangeKind::TicketStatus]);
    assert_eq!(rule.clauses.severity, Some(Severity::HighlyCritical));
    assert_eq!(rule.clauses.watch_lists, [4, 7]);
    assert_eq!(rule.clauses.cvss3, Some(9.0));
    assert_eq!(
        rule.clauses.attack_vector,
        [AttackVector::Remote, AttackVector::LocalNetwork]
    );
    assert_eq!(
        rule.clauses.solution_status,
        ["No Fix"],
        "as upstream says it"
    );
    assert_eq!(rule.not.len(), 2);
    assert_eq!((rule.missing, rule.group_seconds), (Missing::Skip, 300));
    assert!(rule.shadow && matcher.asks_for(Clause::Product));
    let stored = serde_json::to_value(rule).unwrap();
    let read: crate::model::Rule = serde_json::from_value(stored).unwrap();
    assert_eq!(&read, rule, "what is stored reads back");
}

#[test]
fn a_rule_of_a_name_alone_asks_for_what_is_usual_and_tells_nobody() {
    let config = Config::from_text("c.toml", "[[alerts.rules]]\nname = \"x\"").unwrap();
    let rule = config.alerts.rules[0].rule();
    let kinds: Vec<&str> = rule.on.iter().map(|kind| kind.name()).collect();
    assert_eq!(
        kinds,
        [
            "appeared",
            "joined_watch_list",
            "escalated",
            "became_zero_day",
            "solution_available"
        ]
    );
    assert_eq!((rule.missing, rule.group_seconds), (Missing::Match, 0));
    assert!(rule.sinks.is_empty() && !rule.shadow);
}

#[test]
fn every_mistake_in_a_rule_says_what_to_write_instead() {
    let text = format!(
        r#"{SINK}
[[alerts.rules]]
name = "soc"
on = ["apeared"]
severity = "bad"
watch_lists = ["4"]
cvss3 = 11.0
zero_day = "yes"
attack_vector = ["unknown"]
title = "(("
solution_status = ["Patched"]
not = {{ sverity = "x" }}
missing = "ignore"
sinks = ["soc-hok"]
group = "2d"
cvss = 9
[[alerts.rules]]
name = "soc"
[[alerts.rules]]
name = "advisoryd"
on = []
[[alerts.rules]]
sinks = []
"#
    );
    insta::assert_snapshot!(mistakes(&text).join("\n"));
}
