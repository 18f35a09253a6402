//! Alert rules: reading, defaults and errors.

use super::super::{Config, ListNames};
use super::errors;
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
fn a_rule_of_a_name_alone_asks_for_what_is_usual_and_notifies_nobody() {
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
watch_lists = [4.5]
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
    insta::assert_snapshot!(errors(&text).join("\n"));
}

/// The error lines for a single rule `r`.
fn wrong(text: &str) -> String {
    errors(&format!("[[alerts.rules]]\nname = \"r\"\n{text}")).join("\n")
}

#[test]
fn a_clause_that_could_mean_all_or_nothing_is_refused() {
    for clause in [
        "watch_lists",
        "cve",
        "product",
        "attack_vector",
        "solution_status",
    ] {
        let message = wrong(&format!("{clause} = []"));
        let advice = format!(
            "rule `r` has {clause} `[…]`; expected at least one entry; remove the key to match all"
        );
        assert!(message.contains(&advice), "{clause} says: {message}");
    }
    for not in ["{}", "[{}]", "[{ title = \"x\" }, {}]"] {
        let message = wrong(&format!("not = {not}"));
        let advice = "rule `r` has a not that is empty and would exclude everything; add";
        assert!(message.contains(advice), "{not} says: {message}");
    }
    assert!(wrong("on = []").contains("expected at least one of appeared, "));
}

#[test]
fn a_title_that_is_no_regular_expression_says_so() {
    let message = wrong("title = \"(\"");
    let advice = "`alerts.rules[1].title`: rule `r` has a title that is invalid; \
                  expected a regular expression such as `(?i)vpn` (unclosed group)";
    assert!(message.contains(advice), "{message}");
}

#[test]
fn a_rule_that_can_notify_nobody_is_a_warning() {
    let warned = |text: &str| {
        let config = Config::from_text("c", text).unwrap();
        let mut warnings = config.rules_of_unknown_lists(&ListNames::default());
        warnings.extend(config.warnings());
        warnings.join("\n")
    };
    let lists = "[[watch_lists]]\nid = 4\n[[alerts.rules]]\nname = \"r\"\n";
    let message = warned(lists);
    assert!(message.contains("rule `r` has no sinks"), "{message}");
    let message = warned(&format!("{lists}shadow = true\nwatch_lists = [4, 9]"));
    assert!(
        message.starts_with("rule `r` names watch list 9, which is not followed"),
        "{message}"
    );
    let named = "[[watch_lists]]\nid = 4\nname = \"Linux servers\"\n[[alerts.rules]]\nname = \"r\"\nshadow = true\n";
    let filtered = |text: &str| warned(&format!("{named}where = '{text}'"));
    for fine in ["list = \"linux Servers\"", "list ~ serv", "list = 4"] {
        assert_eq!(filtered(fine), "", "{fine}");
    }
    assert_eq!(
        filtered("list = \"Linxu servers\" or list = 9"),
        "rule `r` names watch list 9, which is not followed: this part of `where` can never match; add it under `[[watch_lists]]`, or remove it from the rule\n\
         rule `r` names the watch list `linxu servers`, but no followed list has this name: this part of `where` can never match; known: Linux servers"
    );
    let of_tickets = warned(&format!("{named}not = {{ ticket_status = [\"Closed\"] }}"));
    assert!(
        of_tickets.starts_with("rule `r` has `ticket_status`, but no event of tickets in `on`"),
        "{of_tickets}"
    );
    let both = format!("{named}on = [\"appeared\", \"ticket_status\"]\nticket_status = [\"Open\"]");
    assert_eq!(warned(&both), "");
    let found = "[discovery]\nwatch_lists = true\n[[alerts.rules]]\nname = \"r\"\n";
    assert_eq!(
        warned(&format!("{found}shadow = true\nwatch_lists = [9]")),
        ""
    );
}
