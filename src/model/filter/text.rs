//! Comparisons as text.

use super::field::{Field, NumberField};
use super::tree::{StringComparison, Test, WatchListTest};
use crate::model::severity::Severity;

/// Number of values that are listed; the rest is only counted.
const SHOWN: usize = 5;

/// The field of a comparison.
pub(super) fn field(test: &Test) -> Field {
    match test {
        Test::Number { field, .. } => Field::Number(*field),
        Test::Time { field, .. } => Field::Time(*field),
        Test::Text { field, .. } => Field::Text(*field),
        Test::List { field, .. } => Field::List(*field),
        Test::WatchList(_) => Field::WatchList,
        Test::Flag { field, .. } => Field::Flag(*field),
        Test::Words(_) => Field::Words,
        Test::IsNull(field) => *field,
    }
}

/// A comparison as it would be written.
pub(super) fn of(test: &Test) -> String {
    let name = field(test).name();
    match test {
        Test::Number {
            field,
            order,
            value,
        } => {
            let value = match field {
                NumberField::Severity => severity(*value).to_owned(),
                _ => value.to_string(),
            };
            format!("{name} {} {value}", order.sign())
        }
        Test::Time { order, value, .. } => format!("{name} {} {value}", order.sign()),
        Test::Text {
            comparison, value, ..
        }
        | Test::List {
            comparison, value, ..
        } => compared(name, *comparison, value),
        Test::WatchList(WatchListTest::Id(id)) => format!("{name} = {id}"),
        Test::WatchList(WatchListTest::Name(comparison, value)) => {
            compared(name, *comparison, value)
        }
        Test::Flag { value, .. } => format!("{name} = {value}"),
        Test::Words(words) => compared(name, StringComparison::Contains, words),
        Test::IsNull(_) => format!("{name} is null"),
    }
}

fn compared(name: &str, comparison: StringComparison, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name} {} \"{value}\"", comparison.sign())
}

fn severity(rank: f64) -> &'static str {
    let mut all = Severity::ALL.into_iter();
    all.find(|one| f64::from(one.rank()).total_cmp(&rank).is_eq())
        .map_or("unknown", Severity::name)
}

/// Values, separated by commas.
pub(super) fn listed(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    match values.get(..SHOWN) {
        _ if values.is_empty() => "none".to_owned(),
        Some(shown) if values.len() > SHOWN => {
            format!("{} and {} more", shown.join(", "), values.len() - SHOWN)
        }
        _ => values.join(", "),
    }
}
