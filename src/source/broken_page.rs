//! Rows that are whole although their page is not: it was cut off, something follows its
//! end, or the brackets of one of its rows do not match.

use std::collections::BTreeSet;

use serde_json::Value;

/// How often each byte is looked at, on average: beginnings of rows may lie in each other.
const MAX_PASSES: usize = 8;
/// Deeper values are not read.
const MAX_DEPTH: usize = 120;

/// The names of a row's values. What is inside of a damaged row has others than a row.
pub(super) type RowKeys = BTreeSet<String>;

/// What was found behind damage.
#[derive(Default)]
pub(super) struct SalvagedRows<'a> {
    /// Rows that are whole.
    pub rows: Vec<&'a str>,
    /// What stands before and between them.
    pub damaged: Vec<&'a str>,
}

/// Finds the rows that are whole in the rest of a page, which begins with a damaged row.
/// A row is known by its names, which another row has: an object within the damaged row
/// must not be taken for a row.
pub(super) fn behind<'a>(rest: &'a str, known: &BTreeSet<RowKeys>) -> SalvagedRows<'a> {
    let mut found = SalvagedRows::default();
    let (mut damaged_from, mut from) = (0, 0);
    let mut budget = rest.len() * MAX_PASSES;
    while let Some(comma) = rest[from..].find(',').map(|at| from + at)
        && budget > 0
    {
        from = comma + 1;
        let row = rest[from..].trim_start();
        let Some(length) = length(row, &mut budget) else {
            continue;
        };
        let row_from = rest.len() - row.len();
        let value = serde_json::from_str(&row[..length]).ok();
        let names = value.as_ref().and_then(names);
        if !names.is_some_and(|names| known.contains(&names)) {
            continue;
        }
        let damaged = rest[damaged_from..comma].trim();
        found
            .damaged
            .extend(Some(damaged).filter(|text| !text.is_empty()));
        found.rows.push(&row[..length]);
        from = row_from + length;
        damaged_from = from;
    }
    found
}

/// How long the object is with which a text begins, going by its brackets, if it is whole.
/// `budget` is how many bytes may still be looked at.
fn length(text: &str, budget: &mut usize) -> Option<usize> {
    let (mut open, mut is_string, mut is_escaped) = (Vec::new(), false, false);
    for (at, byte) in text.bytes().take(*budget).enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            _ if is_string => {}
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.pop() != Some(byte) => {
                *budget -= at;
                return None;
            }
            _ => {}
        }
        if open.is_empty() || open.len() > MAX_DEPTH {
            *budget -= at;
            return (byte == b'}').then_some(at + 1);
        }
    }
    *budget -= text.len().min(*budget);
    None
}

/// The names of a row's values, if it has any.
pub(super) fn names(row: &Value) -> Option<RowKeys> {
    let fields = row.as_object().filter(|fields| !fields.is_empty())?;
    Some(fields.keys().cloned().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{RowKeys, behind};

    fn known(names: &[&str]) -> BTreeSet<RowKeys> {
        BTreeSet::from([names.iter().map(|name| (*name).to_owned()).collect()])
    }

    #[test]
    fn rows_behind_a_damaged_one_are_found_and_nothing_within_it() {
        let before = known(&["id", "title"]);
        let third = r#"{"title": "c", "id": 3}"#;
        for (damaged, found) in [
            (r#"{"id": 2, "title": [1}"#, 1),
            (r#"{"id": 2, "status": {"id": 7}, {"id": 8}, "title": "#, 1),
            (
                r#"{"id": 2, "title": "say, {\"id\": 7, \"title\": \"x\"}"#,
                1,
            ),
        ] {
            let rest = format!("{damaged}, {third}, {third}]}}");
            let all = behind(&rest, &before);
            assert_eq!(all.rows, [third, third], "{damaged}");
            assert_eq!(all.damaged.len(), found, "{damaged}");
            assert_eq!(all.damaged[0], damaged.trim_end_matches([',', ' ']));
            assert!(behind(&rest, &BTreeSet::new()).rows.is_empty());
        }
        let cut = behind(r#"{"id": 2, "title": "b"#, &before);
        assert!(cut.rows.is_empty() && cut.damaged.is_empty());
    }

    #[test]
    fn many_beginnings_of_rows_take_no_time() {
        let rest = r#",{"id": [{"title": 1}"#.repeat(50_000);
        assert!(behind(&rest, &known(&["id"])).rows.is_empty());
    }
}
