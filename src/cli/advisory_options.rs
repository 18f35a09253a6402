//! Values of the options of `advisoryd advisories`, as parts of a filter.

use std::collections::BTreeSet;

use super::level::ranks;
use crate::model::filter::{
    Field, Filter, ListField, NumberField, OrderComparison, StringComparison, Test, TextField,
    comparison, nearest, parse_filter,
};
use crate::store::reports::question::Sort;

/// The highest CVSS score.
const MAX_CVSS: f64 = 10.0;
/// Higher than any threat score, as for rules.
const MAX_THREAT: f64 = 1000.0;

pub(super) fn filter(text: &str) -> Result<Filter, String> {
    parse_filter(text).map_err(|error| error.to_string())
}

pub(super) fn level(text: &str) -> Result<Filter, String> {
    let (rank, worst) = ranks(text)?;
    let order = if worst > rank {
        OrderComparison::GreaterOrEqual
    } else {
        OrderComparison::Equal
    };
    Ok(number(NumberField::Severity, order, f64::from(rank)))
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
    let (least, most) = text.split_once("..").unwrap_or((text, ""));
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

pub(super) fn product(text: &str) -> Result<Filter, String> {
    let field = Field::List(ListField::Product);
    let words: BTreeSet<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err("expected some text".to_owned());
    }
    let words = words
        .into_iter()
        .map(|word| comparison(field, StringComparison::Contains, word));
    Ok(Filter::All(words.collect::<Result<_, _>>()?))
}

pub(super) fn vendor(text: &str) -> Result<Filter, String> {
    comparison(
        Field::List(ListField::Vendor),
        StringComparison::Equal,
        text,
    )
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
    use super::{cve, level, range, sort};
    use crate::model::filter::{NumberField, parse_filter};

    #[test]
    fn options_are_parts_of_a_filter() {
        let filter = |text: &str| parse_filter(text).map_err(|error| error.to_string());
        assert_eq!(level("highly_critical+"), filter("severity >= high"));
        assert_eq!(level("Less critical"), filter("severity = low"));
        assert!(level("bad").is_err_and(|text| text.contains("not_critical")));
        let cvss = |text: &str| range(NumberField::Cvss, text, 10.0);
        assert_eq!(cvss("4..7.5"), filter("cvss >= 4 and cvss <= 7.5"));
        for refused in ["", "..", "x", "4..y", "nan", "9..3", "11", "-1"] {
            assert!(cvss(refused).is_err(), "{refused}");
        }
        assert_eq!(cve(" cve-2026-1234 "), filter("cve = CVE-2026-1234"));
        assert!(cve("2026-1234").is_err());
        assert!(sort("severity:asc").is_ok_and(|(_, is_reversed)| is_reversed));
        assert!(sort("age").is_err());
    }
}
