//! Values of the options of `advisoryd advisories`, as parts of a filter.

use std::collections::BTreeSet;

use super::level::{self, Level};
use crate::model::filter::{
    Field, Filter, ListField, NumberField, OrderComparison, StringComparison, Test, TextField,
    comparison, nearest, parse_filter, says_critical,
};
use crate::store::reports::question::Sort;

/// The highest CVSS score.
const MAX_CVSS: f64 = 10.0;
/// Higher than any threat score, as for rules.
const MAX_THREAT: f64 = 1000.0;

/// A filter, and how it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) filter: Filter,
    /// Whether one of the severities was written as `critical`.
    pub(super) says_critical: bool,
}

pub(super) fn filter(text: &str) -> Result<Given, String> {
    let filter = parse_filter(text).map_err(|error| error.to_string())?;
    Ok(Given {
        text: text.to_owned(),
        filter,
        says_critical: says_critical(text),
    })
}

pub(super) fn level(text: &str) -> Result<Given, String> {
    let Level {
        lowest,
        highest,
        says_critical,
    } = level::level(text)?;
    let order = if highest > lowest {
        OrderComparison::GreaterOrEqual
    } else {
        OrderComparison::Equal
    };
    let filter = number(NumberField::Severity, order, f64::from(lowest));
    Ok(Given {
        text: text.to_owned(),
        filter,
        says_critical,
    })
}

fn number(field: NumberField, order: OrderComparison, value: f64) -> Filter {
    Filter::Test(Test::Number {
        field,
        order,
        value,
    })
}

pub(super) fn cvss(text: &str) -> Result<Filter, String> {
    range(NumberField::Cvss, text, MAX_CVSS)
}

pub(super) fn threat(text: &str) -> Result<Filter, String> {
    range(NumberField::ThreatScore, text, MAX_THREAT)
}

pub(super) fn epss(text: &str) -> Result<Filter, String> {
    let score = text.trim().parse().ok();
    let score = score.filter(|score| (0.0..=1.0).contains(score));
    let score = score.ok_or("expected a number from 0 to 1, such as `0.5`")?;
    Ok(number(
        NumberField::Epss,
        OrderComparison::GreaterOrEqual,
        score,
    ))
}

/// `highest` is the highest score that there is.
fn range(field: NumberField, text: &str, highest: f64) -> Result<Filter, String> {
    // As for severities, `9+` is `9` and more, which `9` alone is, too.
    let (least, most) = match text.split_once("..") {
        Some(ends) => ends,
        None => (text.trim().strip_suffix('+').unwrap_or(text), ""),
    };
    let read = |text: &str| {
        let value: Option<f64> = text.trim().parse().ok();
        let value = value.filter(|one| (0.0..=highest).contains(one));
        value.ok_or_else(|| {
            format!("expected numbers from 0 to {highest}, such as `7`, `4..7` or `..4`")
        })
    };
    let least = (!least.is_empty() || most.is_empty()).then(|| read(least));
    let most = (!most.is_empty()).then(|| read(most));
    let (least, most) = (least.transpose()?, most.transpose()?);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        return Err(format!(
            "nothing is in this range; write the lower number first: `{most}..{least}`"
        ));
    }
    let parts = [
        (OrderComparison::GreaterOrEqual, least),
        (OrderComparison::LessOrEqual, most),
    ];
    let parts = parts.into_iter();
    let parts = parts.filter_map(|(order, value)| Some(number(field, order, value?)));
    Ok(Filter::All(parts.collect()))
}

pub(super) fn vector(text: &str) -> Result<Filter, String> {
    comparison(
        Field::Text(TextField::AttackVector),
        StringComparison::Equal,
        text,
    )
}

pub(super) fn solution(text: &str) -> Result<Filter, String> {
    comparison(
        Field::Text(TextField::SolutionStatus),
        StringComparison::Equal,
        text,
    )
}

pub(super) fn said(text: &str) -> Result<Filter, String> {
    comparison(Field::Text(TextField::Said), StringComparison::Equal, text)
}

pub(super) fn cve(text: &str) -> Result<Filter, String> {
    comparison(Field::List(ListField::Cve), StringComparison::Equal, text)
}

pub(super) fn product(text: &str) -> Result<Given, String> {
    let field = Field::List(ListField::Product);
    let words: BTreeSet<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err("expected some text".to_owned());
    }
    let words = words
        .into_iter()
        .map(|word| comparison(field, StringComparison::Contains, word));
    Ok(Given {
        text: text.to_owned(),
        filter: Filter::All(words.collect::<Result<_, _>>()?),
        says_critical: false,
    })
}

pub(super) fn vendor(text: &str) -> Result<Filter, String> {
    comparison(
        Field::List(ListField::Vendor),
        StringComparison::Equal,
        text,
    )
}

/// An argument of a search as the search reads it. The shell has taken the quotes away, so one
/// with blanks is a phrase, unless it has operators of its own.
pub(super) fn searched(argument: &str) -> String {
    let words = || argument.split_whitespace();
    let has_operator = argument.contains('"')
        || words().any(|word| word.starts_with('-') || word.eq_ignore_ascii_case("or"));
    if has_operator || words().count() < 2 {
        argument.to_owned()
    } else {
        format!("\"{argument}\"")
    }
}

pub(super) fn sort(text: &str) -> Result<(Sort, bool), String> {
    let (name, is_reversed) = match text.strip_suffix(":asc") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let found = Sort::ALL.into_iter().find(|sort| sort.name() == name);
    found.map(|sort| (sort, is_reversed)).ok_or_else(|| {
        let names = Sort::ALL.map(Sort::name);
        let close = nearest(name, &names);
        let close = close.map_or_else(String::new, |close| format!("did you mean `{close}`? "));
        let names = names.join(", ");
        format!("{close}expected one of {names}; append :asc for the lowest or oldest first")
    })
}

#[cfg(test)]
mod tests {
    use super::{cve, level, range, searched, sort};
    use crate::model::filter::{NumberField, parse_filter};

    #[test]
    fn an_argument_with_blanks_is_a_phrase() {
        for (argument, expected) in [
            ("openssl", "openssl"),
            ("remote code execution", "\"remote code execution\""),
            ("\"remote code\" openssl", "\"remote code\" openssl"),
            ("openssl or nginx", "openssl or nginx"),
            ("openssl -windows", "openssl -windows"),
            ("zero-day vulnerability", "\"zero-day vulnerability\""),
            (" ", " "),
        ] {
            assert_eq!(searched(argument), expected);
        }
    }

    #[test]
    fn options_are_parts_of_a_filter() {
        let filter = |text: &str| parse_filter(text).map_err(|error| error.to_string());
        let of_level = |text: &str| level(text).map(|given| given.filter);
        assert_eq!(of_level("highly_critical+"), filter("severity >= high"));
        assert_eq!(of_level("Less critical"), filter("severity = low"));
        assert!(level("bad").is_err_and(|text| text.contains("not_critical")));
        let cvss = |text: &str| range(NumberField::Cvss, text, 10.0);
        assert_eq!(cvss("4..7.5"), filter("cvss >= 4 and cvss <= 7.5"));
        assert_eq!(cvss("9+"), cvss("9"));
        for refused in [
            "", "+", "..", "x", "4..y", "4..7+", "nan", "9..3", "11", "-1",
        ] {
            assert!(cvss(refused).is_err(), "{refused}");
        }
        assert_eq!(cve(" cve-2026-1234 "), filter("cve = CVE-2026-1234"));
        assert!(cve("2026-1234").is_err());
        assert!(sort("severity:asc").is_ok_and(|(_, is_reversed)| is_reversed));
        assert!(sort("age").is_err());
    }
}
