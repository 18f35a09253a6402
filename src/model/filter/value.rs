//! Which values and operators a field takes.

use super::error::FilterFault;
use super::field::{Field, FlagField, ListField, NumberField, TextField};
use super::operator::{Operator, Value};
use super::times::time;
use super::tree::{Filter, OrderComparison, StringComparison, Test, WatchListTest};
use crate::model::advisory::AttackVector;
use crate::model::severity::Severity;

/// Names of severities besides upstream's.
const SEVERITY_ALIASES: [(&str, Severity); 12] = [
    ("critical", Severity::ExtremelyCritical),
    ("extreme", Severity::ExtremelyCritical),
    ("extremely", Severity::ExtremelyCritical),
    ("high", Severity::HighlyCritical),
    ("highly", Severity::HighlyCritical),
    ("medium", Severity::ModeratelyCritical),
    ("moderate", Severity::ModeratelyCritical),
    ("moderately", Severity::ModeratelyCritical),
    ("low", Severity::LessCritical),
    ("less", Severity::LessCritical),
    ("informational", Severity::NotCritical),
    ("not", Severity::NotCritical),
];
/// Names of attack vectors: those in SQL, those of CVSS, and upstream's words.
const VECTORS: [(&str, AttackVector); 10] = [
    ("remote", AttackVector::Remote),
    ("local_network", AttackVector::LocalNetwork),
    ("local", AttackVector::Local),
    ("none", AttackVector::None),
    ("network", AttackVector::Remote),
    ("adjacent", AttackVector::LocalNetwork),
    ("adjacent_network", AttackVector::LocalNetwork),
    ("from_remote", AttackVector::Remote),
    ("from_local_network", AttackVector::LocalNetwork),
    ("local_system", AttackVector::Local),
];
/// The solution statuses of upstream (contract §7).
const SOLUTION_STATUSES: [(&str, &str); 5] = [
    ("none", "none"),
    ("no_fix", "no fix"),
    ("vendor_patched", "vendor patched"),
    ("vendor_workaround", "vendor workaround"),
    ("partial_fix", "partial fix"),
];

/// A comparison that is not part of a filter's text, such as the value of an option.
///
/// # Errors
/// The field does not take this operator or value.
pub fn comparison(field: Field, how: StringComparison, text: &str) -> Result<Filter, String> {
    let value = Value {
        text: text.trim().to_owned(),
        start: 0,
        length: 0,
        is_quoted: false,
    };
    let operator = match how {
        StringComparison::Equal => Operator::Equal,
        StringComparison::Contains => Operator::Contains,
    };
    compare(field, (operator, 0), &value).map_err(|fault| fault.message)
}

/// The comparison; the operator comes with its position.
pub(super) fn compare(
    field: Field,
    (operator, start): (Operator, usize),
    value: &Value,
) -> Result<Filter, FilterFault> {
    if operator == Operator::NotEqual {
        // `!=` is the opposite of `=`, and unknown where that is unknown.
        let equal = compare(field, (Operator::Equal, start), value)?;
        return Ok(Filter::Not(Box::new(equal)));
    }
    let refused = |expected: &str| {
        let (name, sign) = (field.name(), operator.sign());
        let message = format!("`{name}` cannot be compared with `{sign}`; expected {expected}");
        FilterFault::new(start, sign.len(), message)
    };
    let how = || {
        let comparison = operator.comparison();
        comparison.ok_or_else(|| refused("=, !=, ~ or in (…)"))
    };
    let order = || {
        let order = operator.order();
        order.ok_or_else(|| refused("=, !=, <, <=, >, >= or in (…)"))
    };
    let test = match field {
        Field::Number(field) => number(field, order()?, value)?,
        Field::Time(field) => return time(field, order()?, value),
        Field::Text(TextField::AttackVector) if how()? == StringComparison::Contains => {
            return vectors_with(value);
        }
        Field::Text(field) => string(field, how()?, value)?,
        Field::List(field) => one_of_list(field, how()?, value)?,
        Field::WatchList => Test::WatchList(watch_list(how()?, value)?),
        Field::Flag(field) if operator == Operator::Equal => flag(field, value)?,
        Field::Flag(_) => return Err(refused("= true, = false, or nothing")),
        Field::Words if operator == Operator::Contains => words(value)?,
        Field::Words => return Err(refused("~")),
    };
    Ok(Filter::Test(test))
}

fn number(field: NumberField, order: OrderComparison, value: &Value) -> Result<Test, FilterFault> {
    let number = if field == NumberField::Severity {
        f64::from(severity(value)?.rank())
    } else {
        let highest = highest(field);
        let number = value.text.parse().ok();
        let number = number.filter(|number: &f64| (0.0..=highest).contains(number));
        number.ok_or_else(|| {
            let name = Field::Number(field).name();
            let range = if highest < f64::MAX {
                format!(" from 0 to {highest}")
            } else {
                " from 0".to_owned()
            };
            value.wrong(format!(
                "expected a number{range} for `{name}`, got `{}`",
                value.text
            ))
        })?
    };
    Ok(Test::Number {
        field,
        order,
        value: number,
    })
}

/// The highest value of a field. A comparison with a higher one cannot be meant.
fn highest(field: NumberField) -> f64 {
    match field {
        NumberField::Severity | NumberField::SeverityRank => {
            f64::from(Severity::ExtremelyCritical.rank())
        }
        NumberField::Cvss | NumberField::Cvss2 | NumberField::Cvss3 | NumberField::Cvss4 => 10.0,
        NumberField::Epss => 1.0,
        NumberField::ThreatScore => f64::MAX,
    }
}

/// A severity by upstream's name or by one of the usual names of others.
pub fn severity_from_name(name: &str) -> Option<Severity> {
    let mut aliases = SEVERITY_ALIASES.iter();
    let alias = aliases.find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    Severity::from_name(name).or(alias.map(|(_, severity)| *severity))
}

fn severity(value: &Value) -> Result<Severity, FilterFault> {
    severity_from_name(&value.text).ok_or_else(|| {
        let names = Severity::ALL.map(Severity::name);
        let mut known = SEVERITY_ALIASES.map(|(alias, _)| alias).to_vec();
        known.extend(names);
        let all = names.join(", ");
        let message = format!("unknown severity `{}`; expected one of {all}", value.text);
        value.wrong(message).suggest(&value.text, &known)
    })
}

fn string(
    field: TextField,
    comparison: StringComparison,
    value: &Value,
) -> Result<Test, FilterFault> {
    let text = match field {
        TextField::Said | TextField::Title | TextField::AssignedTo => some_text(value)?,
        TextField::AttackVector => known(
            value,
            comparison,
            VECTORS.map(|(name, vector)| (name, vector.name())),
        )?,
        TextField::SolutionStatus => known(value, comparison, SOLUTION_STATUSES)?,
    };
    Ok(Test::Text {
        field,
        comparison,
        value: text,
    })
}

/// An attack vector by one of its names.
pub fn vector_from_name(name: &str) -> Option<AttackVector> {
    let name = plain_name(name);
    let mut all = VECTORS.iter();
    all.find(|(known, _)| *known == name)
        .map(|(_, vector)| *vector)
}

fn plain_name(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    lower.replace([' ', '-'], "_")
}

/// The attack vectors one of whose names contains a text, so that `~` never finds less than
/// `=` with the same text.
fn vectors_with(value: &Value) -> Result<Filter, FilterFault> {
    let text = plain_name(&some_text(value)?);
    let mut found: Vec<&str> = Vec::new();
    for (_, vector) in VECTORS.iter().filter(|(name, _)| name.contains(&text)) {
        if !found.contains(&vector.name()) {
            found.push(vector.name());
        }
    }
    if found.is_empty() {
        return Err(unknown(value, &text, &VECTORS.map(|(name, _)| name)));
    }
    let tests = found.into_iter().map(|name| {
        Filter::Test(Test::Text {
            field: TextField::AttackVector,
            comparison: StringComparison::Equal,
            value: name.to_owned(),
        })
    });
    Ok(Filter::Any(tests.collect()))
}

fn unknown(value: &Value, given: &str, names: &[&'static str]) -> FilterFault {
    let message = format!(
        "unknown value `{}`; expected one of {}",
        value.text,
        names.join(", ")
    );
    value.wrong(message).suggest(given, names)
}

/// One of a fixed set of values; `~` takes any part of one.
fn known<const N: usize>(
    value: &Value,
    comparison: StringComparison,
    all: [(&'static str, &'static str); N],
) -> Result<String, FilterFault> {
    if comparison == StringComparison::Contains {
        return some_text(value);
    }
    let given = plain_name(&value.text);
    let found = all.iter().find(|(name, _)| *name == given);
    let found = found.map(|(_, value)| (*value).to_owned());
    found.ok_or_else(|| unknown(value, &given, &all.map(|(name, _)| name)))
}

fn some_text(value: &Value) -> Result<String, FilterFault> {
    if value.text.is_empty() {
        return Err(value.wrong("expected some text; use `is null` for an unknown value"));
    }
    Ok(value.text.to_ascii_lowercase())
}

fn one_of_list(
    field: ListField,
    comparison: StringComparison,
    value: &Value,
) -> Result<Test, FilterFault> {
    if field == ListField::Cve && comparison == StringComparison::Equal && !is_cve(&value.text) {
        let message = format!("expected a CVE such as CVE-2026-1234, got `{}`", value.text);
        return Err(value.wrong(message));
    }
    Ok(Test::List {
        field,
        comparison,
        value: some_text(value)?,
    })
}

/// Whether it is the identifier of a CVE.
pub fn is_cve(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    let mut parts = text.split('-');
    let is_one = parts
        .next()
        .is_some_and(|part| part.eq_ignore_ascii_case("cve"))
        && parts
            .next()
            .is_some_and(|year| year.len() == 4 && digits(year))
        && parts.next().is_some_and(digits);
    is_one && parts.next().is_none()
}

/// A number without quotes is an id, everything else a name.
fn watch_list(comparison: StringComparison, value: &Value) -> Result<WatchListTest, FilterFault> {
    match value.text.parse() {
        Ok(id) if !value.is_quoted && comparison == StringComparison::Equal => {
            Ok(WatchListTest::Id(id))
        }
        _ => Ok(WatchListTest::Name(comparison, some_text(value)?)),
    }
}

fn flag(field: FlagField, value: &Value) -> Result<Test, FilterFault> {
    let flag = ["true", "false", "yes", "no"]
        .into_iter()
        .find(|one| one.eq_ignore_ascii_case(&value.text))
        .ok_or_else(|| value.wrong(format!("expected true or false, got `{}`", value.text)))?;
    Ok(Test::Flag {
        field,
        value: matches!(flag, "true" | "yes"),
    })
}

fn words(value: &Value) -> Result<Test, FilterFault> {
    // In the case in which they were written: `OR` is an operator of the search.
    some_text(value)?;
    Ok(Test::Words(value.text.clone()))
}
