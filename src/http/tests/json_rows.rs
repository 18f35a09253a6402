//! Rows of a page that arrives: what is dropped, and what stays as it came.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::json_rows::{PageRows, RowHashes, SeenRows, TooMuch};
use super::super::json_values::MOST_VALUES;

const MOST: u64 = 1000;

fn read(page: &str, seen: &SeenRows, piece: usize) -> (String, RowHashes) {
    let mut rows = PageRows::new(MOST, Arc::clone(seen));
    for piece in page.as_bytes().chunks(piece) {
        assert_eq!(rows.add(piece), Ok(piece.len()), "{page:.200}");
    }
    let found = rows.end();
    (String::from_utf8_lossy(&rows.text).into_owned(), found)
}

fn row(id: usize, bytes: usize) -> String {
    let row = format!(r#"{{"id": {id}, "text": "[,{{"}}"#);
    row.replace("[,{", &format!("[,{{{}", "x".repeat(bytes - row.len())))
}

fn page(rows: &[String]) -> String {
    let rows = rows.join(", ");
    format!(r#"{{"count": 9, "next": null, "results": [{rows}], "x": [1, {{"a": 2}}]}}"#)
}

#[test]
fn a_page_that_fits_stays_as_it_came() {
    for page in [
        page(&[]),
        page(&[row(1, 100), row(2, 200)]),
        "[1, 2".to_owned(),
        r#"{"results": [,1,, {"id": 1]}"#.to_owned(),
        r#"{"results": {"results": [1]}, "a": "results", "b": [1]}"#.to_owned(),
        "{\"results\" : [ 1 , 2, ] , \"results\": [3]}".to_owned(),
    ] {
        for piece in [1, 7, 4096] {
            let (text, rows) = read(&page, &SeenRows::default(), piece);
            assert_eq!(text, page);
            assert!(!rows.is_part && rows.large.is_empty());
        }
    }
}

/// Every order of small, middling and large rows, in pieces of any size: all that fit are
/// received, each once, and the large ones are named.
#[test]
fn all_rows_are_received_in_as_many_parts_as_are_needed() {
    for orders in 0..4_usize.pow(4) {
        let sizes: Vec<usize> = (0..4)
            .map(|at| [50, 450, 900, 3000][orders / 4_usize.pow(at) % 4])
            .collect();
        let rows: Vec<String> = sizes
            .iter()
            .enumerate()
            .map(|(id, bytes)| row(id, *bytes))
            .collect();
        for piece in [1, 10, 100_000] {
            let (mut taken, mut received, mut large) = (HashSet::new(), Vec::new(), Vec::new());
            for part in 0.. {
                assert!(part < 6, "{sizes:?}");
                let seen = Arc::new(taken.clone());
                let (text, found) = read(&page(&rows), &seen, piece);
                let value: serde_json::Value = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("{sizes:?}: {error}: {text}"));
                assert_eq!(value["x"][1]["a"], 2);
                let ids = value["results"].as_array().into_iter().flatten();
                received.extend(ids.map(|row| row["id"].as_u64()));
                large.extend(found.large.into_iter().map(|row| row.fields));
                taken.extend(found.taken);
                if !found.is_part {
                    break;
                }
            }
            let of = |is_large: bool| {
                let ids = sizes.iter().enumerate();
                ids.filter(move |(_, bytes)| (**bytes > 1000) == is_large)
                    .map(|(id, _)| id as u64)
            };
            let small: Vec<_> = of(false).map(Some).collect();
            received.sort_unstable();
            assert_eq!(received, small, "{sizes:?} {piece}");
            let named: Vec<_> = of(true).map(|id| format!("{{\"id\":{id}}}")).collect();
            assert_eq!(large.len(), named.len(), "{sizes:?} {piece}");
            let same = |one: &String| {
                large
                    .iter()
                    .any(|row| row.starts_with(one.trim_end_matches('}')))
            };
            assert!(named.iter().all(same), "{large:?} {named:?}");
        }
    }
}

#[test]
fn rows_of_many_values_are_large_too() {
    let many = usize::try_from(MOST_VALUES).unwrap_or_default();
    let of = |count: usize| format!(r#"{{"id": 1, "x": [{}0]}}"#, "0,".repeat(count));
    let mut rows = PageRows::new(16 << 20, SeenRows::default());
    let text = page(&["1".to_owned(), of(many), of(many / 2), of(many / 2 + 1)]);
    assert_eq!(rows.add(text.as_bytes()), Ok(text.len()));
    let found = rows.end();
    assert_eq!(found.large.len(), 1);
    assert!(found.is_part);
    assert_eq!(found.taken.len(), 3);
}

#[test]
fn too_much_outside_of_rows_is_refused() {
    let long = format!(r#"{{"count": "{}"}}"#, "x".repeat(2000));
    let mut rows = PageRows::new(MOST, SeenRows::default());
    assert_eq!(rows.add(long.as_bytes()), Err(TooMuch::Bytes));
    let many = usize::try_from(MOST_VALUES).unwrap_or_default();
    let long = format!(r#"{{"results": [], "x": [{}"#, "0,".repeat(many * 2));
    let mut rows = PageRows::new(16 << 20, SeenRows::default());
    assert_eq!(rows.add(long.as_bytes()), Err(TooMuch::Values));
}

#[test]
fn a_page_cut_off_within_a_large_row_keeps_the_rows_before() {
    let whole = page(&[row(1, 50), row(2, 3000)]);
    let (text, found) = read(&whole[..2500], &SeenRows::default(), 100);
    assert!(text.contains("\"id\": 1") && !text.contains("\"id\": 2"));
    assert_eq!(found.large.len(), 1);
}

/// The parts of a page that arrives in pieces, as JSON.
fn parts(page: &str, most: u64, piece: usize) -> Vec<serde_json::Value> {
    let mut rows = PageRows::new(most, SeenRows::default()).in_parts();
    let mut parts = Vec::new();
    for mut piece in page.as_bytes().chunks(piece) {
        while !piece.is_empty() {
            let taken = rows.add(piece).unwrap();
            piece = &piece[taken..];
            if let Some((text, found)) = rows.part() {
                assert!(found.is_part);
                parts.push(serde_json::from_slice(&text).unwrap());
            }
        }
    }
    assert!(!rows.end().is_part);
    parts.push(serde_json::from_slice(&rows.text).unwrap());
    parts
}

#[test]
fn a_page_in_parts_has_each_row_once_and_its_end_in_the_last_part() {
    let rows: Vec<String> = (0..9).map(|id| row(id, 400)).collect();
    let whole = page(&rows);
    let count_last = whole
        .replace("\"count\": 9, ", "")
        .replace("\"x\"", "\"count\": 9, \"x\"");
    for (page, first_count) in [(&whole, 9), (&count_last, 0)] {
        for piece in [1, 7, 100, 5000] {
            let parts = parts(page, MOST, piece);
            assert!(parts.len() >= 5, "{}", parts.len());
            let ids = parts
                .iter()
                .flat_map(|part| part["results"].as_array().unwrap());
            let ids: Vec<_> = ids.map(|row| row["id"].as_u64().unwrap()).collect();
            assert_eq!(ids, (0..9).collect::<Vec<u64>>(), "{piece}");
            assert_eq!(parts[0]["count"], first_count);
            let (last, before) = parts.split_last().unwrap();
            assert_eq!((&last["count"], &last["x"][0]), (&9.into(), &1.into()));
            assert!(before.iter().all(|part| part.get("x").is_none()));
        }
    }
    let many = page(
        &(0..5000)
            .map(|id| format!("{{\"id\":{id}}}"))
            .collect::<Vec<_>>(),
    );
    let parts = parts(&many, 16 << 20, 1000);
    let counts = parts
        .iter()
        .map(|part| part["results"].as_array().unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [2000, 2000, 1000]);
}
