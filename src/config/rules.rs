//! `[[alerts.rules]]`: alert rules and their clauses.

use std::collections::BTreeSet;
use std::time::Duration;

use super::health::advice;
use super::lists;
use super::mute::{MuteTime, schedule};
use super::rule_times::{PERIODS, check_clock, check_times, clock};
use super::section::{Section, configured_value};
use super::setting_error::{has_secret_word, may_be_secret};
use super::tree::{SettingNode, SettingValue};
use super::values::{boolean, duration, each_item, number, text, texts};
use crate::config::advice::{Advice, did_you_mean};
use crate::model::filter::{parse_filter, severity_from_name, vector_from_name};
use crate::model::{
    AttackVector, ChangeKind, Clause, Clauses, ClockClauses, Matcher, Missing, OWN_RULE, Rule,
    Severity, WorkState,
};

/// Evaluating a change against this many rules still takes microseconds.
const MAX_RULES: usize = 500;
/// Maximum number of patterns or values of one key.
const MAX_VALUES: usize = 200;
/// A longer time would delay alerts beyond the day.
const MAX_GROUP: Duration = Duration::from_hours(24);
/// The solution statuses of upstream (contract §7).
const SOLUTION_STATUSES: [&str; 5] = [
    "None",
    "No Fix",
    "Vendor Patched",
    "Vendor Workaround",
    "Partial Fix",
];
/// An empty list could mean all or nothing, so it is an error.
const EMPTY: &str = "expected at least one entry; remove the key to match all";
/// The default of `on`.
const USUAL_KINDS: [ChangeKind; 5] = [
    ChangeKind::Appeared,
    ChangeKind::JoinedWatchList,
    ChangeKind::Escalated,
    ChangeKind::BecameZeroDay,
    ChangeKind::SolutionAvailable,
];

/// Reads `[[alerts.rules]]`; `sinks` are the sink names that rules may use.
pub(super) fn rules(
    alerts: &mut Section<'_>,
    sinks: &BTreeSet<String>,
    mutes: &[MuteTime],
) -> Vec<Matcher> {
    let mut seen = BTreeSet::new();
    let mut rules = alerts.each("rules", |section| rule(section, (sinks, mutes), &mut seen));
    if rules.len() > MAX_RULES {
        let advice = format!("expected at most {MAX_RULES}");
        alerts.wrong("rules", &format!("{} entries", rules.len()), &advice);
        rules.truncate(MAX_RULES);
    }
    rules
}

fn rule(
    mut section: Section<'_>,
    (sinks, mutes): (&BTreeSet<String>, &[MuteTime]),
    seen: &mut BTreeSet<String>,
) -> Option<Matcher> {
    let has_name = section.has("name");
    let name = section.optional("name", lists::name);
    if let Some(name) = &name {
        section.call(format!("rule `{name}`"));
        if name == OWN_RULE {
            section.wrong("name", name, "expected another name; this one is reserved");
        } else if !seen.insert(name.clone()) {
            section.wrong("name", name, "expected a unique name");
        }
    } else if !has_name {
        section.missing("name", "add one, such as `name = \"soc\"`");
    }
    let has_on = section.has("on");
    let mut on = section.value("on", USUAL_KINDS.to_vec(), kinds);
    let clock = clock(&mut section);
    if !clock.is_empty() {
        check_clock(&mut section, &clock, has_on);
        on.clear();
    }
    let clauses = clauses(&mut section);
    let not = not(&mut section);
    let rule = Rule {
        name: name?,
        on,
        clauses,
        not,
        clock,
        missing: section.value("missing", Missing::default(), missing),
        sinks: section.value("sinks", Vec::new(), texts),
        group_seconds: section
            .value(
                "group",
                Duration::ZERO,
                duration(Duration::ZERO..=MAX_GROUP),
            )
            .as_secs(),
        shadow: section.value("shadow", false, boolean),
        digest: section.optional("digest", schedule),
        repeat_seconds: section
            .optional("repeat", duration(PERIODS))
            .map_or(0, |repeat| repeat.as_secs()),
        mute_times: section.value("mute_times", Vec::new(), texts),
    };
    check_times(&mut section, &rule, mutes);
    check_sinks(&mut section, &rule, sinks);
    let matcher = match Matcher::new(rule) {
        Ok(matcher) => Some(matcher),
        Err((clause, advice)) => {
            section.unusable(clause.name(), &format!("is invalid; {advice}"));
            None
        }
    };
    section.close();
    matcher
}

/// A rule that is not in the configuration: this filter, and the defaults of everything else.
///
/// # Errors
/// The filter cannot be read.
pub fn rule_of_filter(name: &str, filter: &str) -> Result<Matcher, String> {
    let rule = Rule {
        name: name.to_owned(),
        on: USUAL_KINDS.to_vec(),
        clauses: Clauses {
            filter: Some(filter.to_owned()),
            ..Clauses::default()
        },
        not: Vec::new(),
        clock: ClockClauses::default(),
        missing: Missing::default(),
        sinks: Vec::new(),
        group_seconds: 0,
        shadow: false,
        digest: None,
        repeat_seconds: 0,
        mute_times: Vec::new(),
    };
    Matcher::new(rule).map_err(|(_, why)| why)
}

fn check_sinks(section: &mut Section<'_>, rule: &Rule, sinks: &BTreeSet<String>) {
    for name in rule.sinks.iter().filter(|name| !sinks.contains(*name)) {
        section.wrong("sinks", name, &advice(name, sinks));
    }
}

/// `not` as one table or several: all clauses of a table must match. A table without
/// clauses would match everything.
fn not(section: &mut Section<'_>) -> Vec<Clauses> {
    if !section.has("not") {
        return Vec::new();
    }
    let mut is_met_by_all = false;
    let mut read = |mut table: Section<'_>| {
        is_met_by_all |= table.is_empty();
        let clauses = clauses(&mut table);
        table.close();
        clauses
    };
    let not = if section.is_list("not") {
        section.each("not", |table| Some(read(table)))
    } else {
        vec![read(section.section("not"))]
    };
    if is_met_by_all {
        let why = "is empty and would exclude everything; add at least one clause, or remove it";
        section.unusable("not", why);
    }
    not
}

fn clauses(section: &mut Section<'_>) -> Clauses {
    let mut globs = |clause: Clause| section.value(clause.name(), Vec::new(), bounded_texts);
    let (cve, product) = (globs(Clause::Cve), globs(Clause::Product));
    let (ticket_status, ticket_assignee) =
        (globs(Clause::TicketStatus), globs(Clause::TicketAssignee));
    let (ticket_priority, ticket_queue) =
        (globs(Clause::TicketPriority), globs(Clause::TicketQueue));
    let epss = section.optional(Clause::Epss.name(), at_least(1.0));
    let lists = section.value(Clause::WatchLists.name(), Vec::new(), named_lists);
    let (watch_lists, watch_list_names) = parted(lists);
    let mut least = |clause: Clause, most: f64| section.optional(clause.name(), at_least(most));
    Clauses {
        cvss2: least(Clause::Cvss2, 10.0),
        cvss3: least(Clause::Cvss3, 10.0),
        cvss4: least(Clause::Cvss4, 10.0),
        threat_score: least(Clause::ThreatScore, 1000.0),
        severity: section.optional("severity", severity),
        watch_lists,
        watch_list_names,
        zero_day: section.optional("zero_day", boolean),
        attack_vector: section.value("attack_vector", Vec::new(), attack_vectors),
        cve,
        product,
        kev: section.optional("kev", boolean),
        ransomware: section.optional("ransomware", boolean),
        epss,
        title: section.optional("title", text),
        solution_status: section.value("solution_status", Vec::new(), solution_statuses),
        ticket_status,
        ticket_assignee,
        ticket_priority,
        ticket_queue,
        state: section.optional("state", state),
        filter: section.optional("where", filter),
        // Known when all is read.
        zone: None,
    }
}

/// A filter. Its errors show it, which a secret in the wrong place must not be.
fn filter(node: &SettingNode) -> Result<String, Advice> {
    let text = text(node)?;
    match parse_filter(&text) {
        Ok(_) => Ok(text),
        // A single word is no filter, and may be anything.
        Err(_)
            if has_secret_word(&text)
                || !text.trim().contains(char::is_whitespace) && may_be_secret(&text) =>
        {
            Err("expected a filter (docs/filter.md)".into())
        }
        Err(error) => Err(error.to_string().into()),
    }
}

fn state(node: &SettingNode) -> Result<WorkState, Advice> {
    let text = text(node).unwrap_or_default();
    let mut known = WorkState::ALL.into_iter();
    known
        .find(|state| state.name() == text)
        .ok_or_else(|| Advice::one_of(&text, &WorkState::ALL.map(WorkState::name)))
}

fn kinds(node: &SettingNode) -> Result<Vec<ChangeKind>, Advice> {
    let all = || ChangeKind::ALL.map(ChangeKind::name).join(", ");
    if texts(node).is_ok_and(|kinds| kinds.is_empty()) {
        return Err(format!("expected at least one of {}", all()).into());
    }
    each_of(node, ChangeKind::from_name, all)
}

fn severity(node: &SettingNode) -> Result<Severity, Advice> {
    let names = || {
        let names = Severity::ALL.iter().rev().map(|severity| severity.name());
        names.collect::<Vec<_>>().join(", ")
    };
    let text = text(node).map_err(|_| Advice::choice(format!("expected one of {}", names())))?;
    severity_from_name(&text).ok_or_else(|| {
        let close = did_you_mean(&text, &Severity::ALL.map(Severity::name));
        Advice::choice(format!("expected one of {}{close}", names()))
    })
}

fn attack_vectors(node: &SettingNode) -> Result<Vec<AttackVector>, Advice> {
    const KNOWN: [AttackVector; 4] = [
        AttackVector::Remote,
        AttackVector::LocalNetwork,
        AttackVector::Local,
        AttackVector::None,
    ];
    each_of(node, vector_from_name, || {
        KNOWN.map(AttackVector::name).join(", ")
    })
}

fn solution_statuses(node: &SettingNode) -> Result<Vec<String>, Advice> {
    // As filters have it, too: `vendor_patched`.
    let named = |name: &str| {
        let name = name.trim().replace(['_', '-'], " ");
        let known = SOLUTION_STATUSES.into_iter();
        known
            .map(str::to_owned)
            .find(|known| known.eq_ignore_ascii_case(&name))
    };
    each_of(node, named, || SOLUTION_STATUSES.join(", "))
}

fn missing(node: &SettingNode) -> Result<Missing, Advice> {
    match text(node).unwrap_or_default().as_str() {
        "match" => Ok(Missing::Match),
        "skip" => Ok(Missing::Skip),
        other => Err(Advice::one_of(other, &["match", "skip"])),
    }
}

fn each_of<T>(
    node: &SettingNode,
    known: impl Fn(&str) -> Option<T>,
    all: impl Fn() -> String,
) -> Result<Vec<T>, Advice> {
    let names = bounded_texts(node)?;
    each_item(node, &names, |name| {
        known(name).ok_or_else(|| {
            let all = all();
            let close = did_you_mean(name, &all.split(", ").collect::<Vec<_>>());
            format!("unknown value `{name}`; expected one or more of {all}{close}").into()
        })
    })
}

fn bounded_texts(node: &SettingNode) -> Result<Vec<String>, Advice> {
    let texts = texts(node)?;
    if texts.is_empty() {
        return Err(EMPTY.into());
    }
    if texts.len() > MAX_VALUES {
        return Err(format!("expected at most {MAX_VALUES} values").into());
    }
    Ok(texts)
}

/// A watch list, as rules name it.
enum ListName {
    Id(i64),
    Name(String),
}

/// The ids and the names.
fn parted(lists: Vec<ListName>) -> (Vec<i64>, Vec<String>) {
    let (mut ids, mut names) = (Vec::new(), Vec::new());
    for list in lists {
        match list {
            ListName::Id(id) => ids.push(id),
            ListName::Name(name) => names.push(name),
        }
    }
    (ids, names)
}

/// A number is an id, in quotes, too, as on the command line.
fn named_lists(node: &SettingNode) -> Result<Vec<ListName>, Advice> {
    let advice = || "expected a list of the IDs or names of watch lists such as `[4, \"Linux\"]`";
    let Some(SettingValue::List(list)) = node.expanded().map(|node| node.value) else {
        return Err(advice().into());
    };
    if list.is_empty() {
        return Err(EMPTY.into());
    }
    if list.len() > MAX_VALUES {
        return Err(format!("expected at most {MAX_VALUES} values").into());
    }
    let id = number(1..=i64::MAX);
    let list_name = |node: &SettingNode| {
        if let Ok(id) = id(node) {
            return Ok(ListName::Id(id));
        }
        let name = lists::name(node).map_err(|_| Advice::from(advice()).of_item(node))?;
        Ok(match name.parse() {
            Ok(id) => ListName::Id(id),
            Err(_) => ListName::Name(name),
        })
    };
    list.iter().map(list_name).collect()
}

fn at_least(most: f64) -> impl FnOnce(&SettingNode) -> Result<f64, Advice> {
    move |node| {
        let value = match &node.value {
            SettingValue::Plain(toml::Value::Float(value)) => Some(*value),
            SettingValue::Plain(toml::Value::Integer(_)) | SettingValue::Raw(_) => {
                configured_value(node).trim().parse().ok()
            }
            _ => None,
        };
        value
            .filter(|value| (0.0..=most).contains(value))
            .ok_or_else(|| Advice::bare(format!("expected a number from 0.0 to {most:.1}")))
    }
}
