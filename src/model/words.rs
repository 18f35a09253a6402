//! Rule explanations: text for what a clause requires and for the actual value.

use chrono_tz::Tz;

use super::filter::{explained, parse_filter, says_critical};
use super::{
    Clause, Clauses, Matcher, Missing, Rule, Severity, Subject, TicketSubject, Verdict, WorkState,
    shortened,
};

/// Number of values that are listed; the rest is only counted.
const SHOWN: usize = 5;
/// Length of the values that are stored with a verdict.
const MAX_VALUE_CHARS: usize = 2000;

/// What a clause requires.
pub fn requirement(clauses: &Clauses, clause: Clause) -> String {
    let least = |value: Option<f64>| format!(">= {}", number(value));
    match clause {
        Clause::Severity => {
            let least = clauses.severity.map_or("anything", Severity::name);
            format!(">= {least}")
        }
        Clause::WatchLists => {
            let ids = clauses.watch_lists.iter().map(ToString::to_string);
            list(ids.chain(clauses.watch_list_names.iter().cloned()))
        }
        Clause::Cvss2 => least(clauses.cvss2),
        Clause::Cvss3 => least(clauses.cvss3),
        Clause::Cvss4 => least(clauses.cvss4),
        Clause::ThreatScore => least(clauses.threat_score),
        Clause::ZeroDay => clauses
            .zero_day
            .map_or_else(String::new, |wanted| wanted.to_string()),
        Clause::Kev => yes_or_no(clauses.kev),
        Clause::Ransomware => yes_or_no(clauses.ransomware),
        Clause::Epss => least(clauses.epss),
        Clause::AttackVector => {
            let names = clauses.attack_vector.iter();
            list(names.map(|vector| vector.name().to_owned()))
        }
        Clause::Cve => list(clauses.cve.iter().cloned()),
        Clause::Product => list(clauses.product.iter().cloned()),
        Clause::Title => clauses.title.clone().unwrap_or_default(),
        Clause::SolutionStatus => list(clauses.solution_status.iter().cloned()),
        Clause::TicketStatus => list(clauses.ticket_status.iter().cloned()),
        Clause::TicketAssignee => list(clauses.ticket_assignee.iter().cloned()),
        Clause::TicketPriority => list(clauses.ticket_priority.iter().cloned()),
        Clause::TicketQueue => list(clauses.ticket_queue.iter().cloned()),
        Clause::Not => "no match for `not`".to_owned(),
        Clause::State => clauses
            .state
            .map_or_else(String::new, |state| state.name().to_owned()),
        Clause::Where => clauses.filter.as_deref().map_or_else(String::new, meant),
    }
}

/// A filter as it was written, and what it means where that is easily mistaken.
fn meant(filter: &str) -> String {
    if says_critical(filter) {
        format!(
            "{filter} (`critical` is {})",
            Severity::ExtremelyCritical.name()
        )
    } else {
        filter.to_owned()
    }
}

/// The actual value that a clause was compared with.
pub fn actual_value(clauses: &Clauses, subject: &Subject, clause: Clause) -> String {
    let advisory = subject.advisory.as_ref();
    let ticket = |value: fn(&TicketSubject) -> &Option<String>| {
        let value = subject.ticket.as_ref().and_then(|one| value(one).clone());
        value.unwrap_or_else(none)
    };
    let text = |value: Option<&String>| value.cloned().unwrap_or_else(none);
    match clause {
        Clause::Severity => severity(subject),
        Clause::WatchLists => {
            let with_names = !clauses.watch_list_names.is_empty();
            let ids = subject.compared_lists().iter();
            list(ids.map(|id| match subject.name_of_list(*id) {
                Some(name) if with_names => format!("{name} ({id})"),
                _ => id.to_string(),
            }))
        }
        Clause::Cvss2 => number(advisory.and_then(|one| one.cvss2)),
        Clause::Cvss3 => number(advisory.and_then(|one| one.cvss3)),
        Clause::Cvss4 => number(advisory.and_then(|one| one.cvss4)),
        Clause::ThreatScore => number(advisory.and_then(|one| one.threat_score)),
        Clause::ZeroDay => advisory
            .and_then(|one| one.is_zero_day)
            .map_or_else(none, |is| is.to_string()),
        Clause::Kev => yes_or_no(advisory.and_then(|one| one.kev)),
        Clause::Ransomware => yes_or_no(advisory.and_then(|one| one.ransomware)),
        Clause::Epss => number(advisory.and_then(|one| one.epss)),
        Clause::AttackVector => advisory
            .and_then(|one| one.attack_vector)
            .map_or_else(none, |vector| vector.name().to_owned()),
        Clause::Cve => list(advisory.into_iter().flat_map(|one| one.cves.clone())),
        Clause::Product => list(advisory.into_iter().flat_map(|one| one.products.clone())),
        Clause::Title => text(subject.title.as_ref()),
        Clause::SolutionStatus => text(advisory.and_then(|one| one.solution_status.as_ref())),
        Clause::TicketStatus => ticket(|one| &one.status),
        Clause::TicketAssignee => ticket(|one| &one.assignee),
        Clause::TicketPriority => ticket(|one| &one.priority),
        Clause::TicketQueue => ticket(|one| &one.queue),
        Clause::Not => "a match for `not`".to_owned(),
        Clause::State => WorkState::of(subject.is_acknowledged).name().to_owned(),
        Clause::Where => clauses
            .filter
            .as_deref()
            .and_then(|text| parse_filter(text).ok())
            .map_or_else(none, |mut filter| {
                filter.set_zone(clauses.zone.unwrap_or(Tz::UTC));
                explained(&filter, subject)
            }),
    }
}

/// What a clause that is false requires, and the actual value. Of `not`, the table that
/// matches.
pub fn falsehood(matcher: &Matcher, subject: &Subject, clause: Clause) -> (String, String) {
    let clauses = &matcher.rule().clauses;
    let excluding = (clause == Clause::Not).then(|| matcher.excluding(subject));
    let Some(not) = excluding.flatten() else {
        return (
            requirement(clauses, clause),
            actual_value(clauses, subject, clause),
        );
    };
    let actual = not.set().into_iter().map(|clause| {
        let value = actual_value(not, subject, clause);
        format!("{} {value}", clause.name())
    });
    let actual = actual.collect::<Vec<_>>().join(" and ");
    (format!("no match for ({})", required(not)), actual)
}

/// What a verdict was made with, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedValue {
    /// Of `not`: what the table requires that matched.
    pub required: Option<String>,
    /// The values.
    pub actual: String,
}

/// The values that a verdict was made with, where they may be others later: names of lists,
/// EPSS scores, and whatever a filter compares. Those of a first load are not kept.
pub fn judged_value(matcher: &Matcher, subject: &Subject, verdict: Verdict) -> Option<JudgedValue> {
    if subject.is_baseline {
        return None;
    }
    let (required, actual) = match verdict {
        Verdict::False(clause) | Verdict::Missing(clause) if may_change(clause) => {
            let actual = actual_value(&matcher.rule().clauses, subject, clause);
            (None, actual)
        }
        Verdict::False(Clause::Not) => {
            let table = matcher.excluding(subject)?;
            let set = table.set();
            let is_of_ticket = set.iter().any(|clause| clause.is_of_tickets());
            let has_names = !table.watch_list_names.is_empty();
            let may_change = has_names || set.iter().any(|clause| may_change(*clause));
            let is_kept = may_change && !is_of_ticket;
            let (required, actual) = is_kept.then(|| falsehood(matcher, subject, Clause::Not))?;
            (Some(required), actual)
        }
        _ => return None,
    };
    Some(JudgedValue {
        required: required.map(|required| shortened(&required, MAX_VALUE_CHARS)),
        actual: shortened(&actual, MAX_VALUE_CHARS),
    })
}

/// What a table of `not` requires, although none matches any more: that of the tables whose
/// clauses are those of the stored values, in words.
pub fn former_exclusion(not: &[Clauses], judged: Option<&str>) -> String {
    let is_of = |table: &&Clauses| {
        judged.is_none_or(|judged| {
            let mut parts = judged.split(" and ");
            let set = table.set().into_iter();
            let mut names = set.map(|clause| format!("{} ", clause.name()));
            names.all(|name| parts.any(|part| part.starts_with(&name)))
        })
    };
    let mut fitting: Vec<&Clauses> = not.iter().filter(is_of).collect();
    if fitting.is_empty() {
        fitting = not.iter().collect();
    }
    let tables = fitting.iter().map(|table| format!("({})", required(table)));
    let tables: Vec<String> = tables.collect();
    format!("no match for {}", tables.join(" or "))
}

fn may_change(clause: Clause) -> bool {
    matches!(
        clause,
        Clause::Where | Clause::Kev | Clause::Ransomware | Clause::Epss
    )
}

fn required(clauses: &Clauses) -> String {
    let named = clauses.set().into_iter();
    let named = named.map(|clause| format!("{} {}", clause.name(), requirement(clauses, clause)));
    named.collect::<Vec<_>>().join(" and ")
}

/// What a rule requires, in one line.
pub fn described(rule: &Rule) -> String {
    let mut parts: Vec<String> = rule
        .clauses
        .set()
        .into_iter()
        .map(|clause| format!("{} {}", clause.name(), requirement(&rule.clauses, clause)))
        .collect();
    parts.extend(rule.clock.described());
    for not in &rule.not {
        parts.push(format!("not ({})", required(not)));
    }
    if rule.missing == Missing::Skip {
        parts.push("skip if a value is missing".to_owned());
    }
    if parts.is_empty() {
        parts.push("any".to_owned());
    }
    if !rule.clock.is_empty() {
        return format!("{}; by the clock", parts.join("; "));
    }
    let on: Vec<&str> = rule.on.iter().map(|kind| kind.name()).collect();
    format!("{}; on {}", parts.join("; "), on.join(", "))
}

fn severity(subject: &Subject) -> String {
    let now = subject.advisory.as_ref().and_then(|one| one.severity);
    let name = |severity: Option<Severity>| severity.map_or("unknown", Severity::name);
    if subject.what.is_fall() {
        return format!("{}, before: {}", name(now), name(subject.former_severity));
    }
    name(now).to_owned()
}

fn yes_or_no(value: Option<bool>) -> String {
    value.map_or_else(none, |is| is.to_string())
}

fn none() -> String {
    "none".to_owned()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    if values.is_empty() {
        return none();
    }
    let mut text = values[..values.len().min(SHOWN)].join(", ");
    if values.len() > SHOWN {
        text.push_str(" and ");
        text.push_str(&(values.len() - SHOWN).to_string());
        text.push_str(" more");
    }
    text
}
