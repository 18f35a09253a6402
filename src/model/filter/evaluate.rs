//! Evaluation of a filter for a change.

use chrono::{DateTime, Utc};

use super::field::{Field, FlagField, ListField, NumberField, TextField, TimeField};
use super::text;
use super::tree::{Filter, Test, WatchListTest};
use crate::model::advisory::AttackVector;
use crate::model::severity::Severity;
use crate::model::subject::{AdvisorySubject, Subject};

/// Comparisons that an explanation lists; the rest is only counted.
const SHOWN: usize = 12;

/// Whether the filter is true for a change; `None` if that is unknown. Durations count
/// back from the time of the change. Of a fall it is true for the severity before it or for
/// that after it.
pub fn evaluate(filter: &Filter, subject: &Subject) -> Option<bool> {
    let severities = subject.compared_severities();
    let results = severities.map(|severity| with_severity(filter, subject, severity));
    together(results, true)
}

fn with_severity(filter: &Filter, subject: &Subject, severity: Option<Severity>) -> Option<bool> {
    let part = |part| with_severity(part, subject, severity);
    match filter {
        Filter::All(parts) => together(parts.iter().map(part), false),
        Filter::Any(parts) => together(parts.iter().map(part), true),
        Filter::Not(negated) => part(negated).map(|is| !is),
        Filter::Test(test) => is_true(test, subject, severity),
    }
}

impl Filter {
    /// Whether it compares a field.
    pub fn compares(&self, field: Field) -> bool {
        let tests = self.tests();
        tests.into_iter().any(|test| text::field(test) == field)
    }

    /// The watch lists that it names.
    pub fn watch_lists(&self) -> Vec<&WatchListTest> {
        let tests = self.tests().into_iter();
        let lists = tests.filter_map(|test| match test {
            Test::WatchList(list) => Some(list),
            _ => None,
        });
        lists.collect()
    }
}

/// `decisive` if one of them is, else unknown if one of them is, else the opposite.
fn together(parts: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match part {
            Some(part) if part == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// The fields whose lack makes a filter unknown; none if it is true or false.
pub fn unknown_fields(filter: &Filter, subject: &Subject) -> Vec<&'static str> {
    if evaluate(filter, subject).is_some() {
        return Vec::new();
    }
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            let parts = parts.iter().flat_map(|part| unknown_fields(part, subject));
            parts.collect()
        }
        Filter::Not(part) => unknown_fields(part, subject),
        Filter::Test(test) => vec![text::field(test).name()],
    }
}

/// Each comparison with its result and the actual value.
pub fn explained(filter: &Filter, subject: &Subject) -> String {
    let tests = filter.tests();
    let mut lines: Vec<String> = tests
        .iter()
        .take(SHOWN)
        .map(|test| {
            let severities = subject.compared_severities();
            let results = severities.map(|severity| is_true(test, subject, severity));
            let result = match together(results, true) {
                Some(true) => "true",
                Some(false) => "false",
                None => "unknown",
            };
            let (test, actual) = (text::of(test), actual(test, subject));
            format!("{test} is {result} ({actual})")
        })
        .collect();
    if tests.len() > SHOWN {
        lines.push(format!("and {} more", tests.len() - SHOWN));
    }
    lines.join("; ")
}

/// With the severity that is compared.
fn is_true(test: &Test, subject: &Subject, severity: Option<Severity>) -> Option<bool> {
    let advisory = subject.advisory.as_ref();
    match test {
        Test::Number {
            field,
            order,
            value,
        } => Some(order.is_true(&number(*field, subject, severity)?, value)),
        Test::Time {
            field,
            order,
            value,
        } => {
            let time = time(*field, advisory?)?;
            Some(order.is_true(&time, &value.at(subject.at)))
        }
        Test::Text {
            field,
            comparison,
            value,
        } => Some(comparison.is_true(string(*field, advisory?)?, value)),
        Test::List {
            field,
            comparison,
            value,
        } => {
            let values = list(*field, advisory?);
            if values.is_empty() {
                return None;
            }
            Some(values.iter().any(|one| comparison.is_true(one, value)))
        }
        Test::WatchList(test) => Some(watch_list(test, subject)),
        Test::Flag { field, value } => Some(flag(*field, subject, advisory?)? == *value),
        Test::Words(words) => {
            let advisory = advisory?;
            // The content is unknown where everything of it is.
            advisory.is_rejected?;
            Some(advisory.matched_words.iter().any(|one| one == words))
        }
        Test::IsNull(field) => Some(is_null(*field, subject, severity)),
    }
}

fn is_null(field: Field, subject: &Subject, severity: Option<Severity>) -> bool {
    let Some(advisory) = &subject.advisory else {
        return true;
    };
    match field {
        Field::Number(field) => number(field, subject, severity).is_none(),
        Field::Time(field) => time(field, advisory).is_none(),
        Field::Text(field) => string(field, advisory).is_none(),
        Field::List(field) => list(field, advisory).is_empty(),
        Field::Flag(field) => flag(field, subject, advisory).is_none(),
        Field::WatchList | Field::Words => false,
    }
}

fn number(field: NumberField, subject: &Subject, severity: Option<Severity>) -> Option<f64> {
    let advisory = subject.advisory.as_ref()?;
    match field {
        NumberField::Severity => severity.map(|one| one.rank().into()),
        NumberField::SeverityRank => advisory.severity.map(|one| one.rank().into()),
        NumberField::Cvss => advisory.cvss4.or(advisory.cvss3).or(advisory.cvss2),
        NumberField::Cvss2 => advisory.cvss2,
        NumberField::Cvss3 => advisory.cvss3,
        NumberField::Cvss4 => advisory.cvss4,
        NumberField::ThreatScore => advisory.threat_score,
        NumberField::Epss => advisory.epss,
    }
}

fn time(field: TimeField, advisory: &AdvisorySubject) -> Option<DateTime<Utc>> {
    match field {
        TimeField::Released => advisory.released_at,
        TimeField::Modified => advisory.modified_at,
        TimeField::FirstSeen => advisory.first_seen_at,
    }
}

fn string(field: TextField, advisory: &AdvisorySubject) -> Option<&str> {
    match field {
        TextField::Said => Some(&advisory.said),
        TextField::Title => advisory.title.as_deref(),
        TextField::AttackVector => advisory.attack_vector.map(AttackVector::name),
        TextField::SolutionStatus => advisory.solution_status.as_deref(),
        TextField::AssignedTo => Some(&advisory.assigned_to),
    }
}

fn list(field: ListField, advisory: &AdvisorySubject) -> Vec<&str> {
    match field {
        ListField::Cve => advisory.cves.iter().map(String::as_str).collect(),
        ListField::Product => advisory.products.iter().map(String::as_str).collect(),
        ListField::Impact => advisory.impacts.iter().map(String::as_str).collect(),
        ListField::Vendor => {
            let products = advisory.products.iter();
            products.filter_map(|product| vendor(product)).collect()
        }
    }
}

/// The vendor in a CPE of either version.
fn vendor(product: &str) -> Option<&str> {
    let index = if product.starts_with("cpe:2.3:") {
        3
    } else {
        2
    };
    if !product.starts_with("cpe:") {
        return None;
    }
    let vendor = product.split(':').nth(index)?;
    (!vendor.is_empty()).then_some(vendor)
}

fn flag(field: FlagField, subject: &Subject, advisory: &AdvisorySubject) -> Option<bool> {
    match field {
        FlagField::IsZeroDay => advisory.is_zero_day,
        FlagField::IsRejected => advisory.is_rejected,
        FlagField::Repaired => advisory.is_repaired,
        FlagField::Kev => advisory.kev,
        FlagField::Ransomware => advisory.ransomware,
        FlagField::Acknowledged => Some(subject.is_acknowledged),
        FlagField::Assigned => Some(!advisory.assigned_to.is_empty()),
        FlagField::HasTicket => Some(subject.has_ticket),
    }
}

fn watch_list(test: &WatchListTest, subject: &Subject) -> bool {
    match test {
        WatchListTest::Id(id) => subject.compared_lists().contains(id),
        WatchListTest::Name(comparison, name) => {
            let mut names = subject.compared_names();
            names.any(|one| comparison.is_true(one, name))
        }
    }
}

/// The actual value that a comparison was made with.
fn actual(test: &Test, subject: &Subject) -> String {
    let field = text::field(test);
    let unknown = || "unknown".to_owned();
    if field == Field::WatchList {
        let ids = subject.compared_lists().iter().map(ToString::to_string);
        let names = subject.compared_names().map(str::to_owned);
        return text::listed(ids.chain(names));
    }
    let Some(advisory) = &subject.advisory else {
        return unknown();
    };
    match field {
        Field::Number(NumberField::Severity) => {
            let name = |one: Option<Severity>| one.map_or("unknown", Severity::name);
            let severities: Vec<&str> = subject.compared_severities().map(name).collect();
            severities.join(" before, now ")
        }
        Field::Number(field) => {
            number(field, subject, None).map_or_else(unknown, |number| number.to_string())
        }
        Field::Time(field) => time(field, advisory).map_or_else(unknown, |time| {
            time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
        }),
        Field::Text(field) => string(field, advisory).map_or_else(unknown, str::to_owned),
        Field::List(field) => {
            let values = list(field, advisory).into_iter().map(str::to_owned);
            text::listed(values)
        }
        Field::Flag(field) => {
            flag(field, subject, advisory).map_or_else(unknown, |is| is.to_string())
        }
        Field::WatchList | Field::Words => "title, description and solution".to_owned(),
    }
}
