//! How lists are printed.

use std::fmt;

use chrono::DateTime;
use clap::Args;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::exit::WrongUsage;
use super::output::{columns, csv_cell, print_data, print_json, print_note, print_styled};
use super::times::Times;
use crate::model::filter::nearest;
use crate::model::one_line;

/// Lines that are printed unless `--limit` says otherwise.
const USUAL_LIMIT: i64 = 50;

/// How lists are printed.
#[derive(Debug, Args)]
pub(super) struct ListFormat {
    /// Maximum number of rows, 0 for all [default: 50 in a table, all with --json and --csv]
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<i64>,
    #[command(flatten)]
    shape: Shape,
}

/// The same for lists that are short: all rows are printed.
#[derive(Debug, Args)]
pub(super) struct Shape {
    /// Columns to print, separated by commas; the names are the keys of --json (an unknown name
    /// prints the list)
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print CSV with a header row and times in UTC; a text that begins like a formula (=, +, -, @) gets
    /// an apostrophe in front
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Begin the CSV with a byte order mark, so that Excel reads it as UTF-8
    #[arg(long, requires = "csv")]
    bom: bool,
}

fn limit(text: &str) -> Result<i64, String> {
    let limit = text.trim().parse().ok();
    let limit = limit.filter(|limit| (0..=1_000_000).contains(limit));
    limit.ok_or_else(|| "expected a number from 1 to 1000000, or 0 for all".to_owned())
}

impl ListFormat {
    /// How many are requested: in a table one more than the default, to know whether
    /// there are more. Programs get all.
    pub(super) fn rows(&self) -> i64 {
        match self.limit {
            Some(0) => i64::MAX,
            Some(limit) => limit,
            None if self.is_for_programs() => i64::MAX,
            None => USUAL_LIMIT + 1,
        }
    }

    /// The same for lists that are read as a whole: all rows, unless `--limit` says otherwise.
    pub(super) fn whole(mut self) -> Self {
        self.limit = self.limit.or(Some(0));
        self
    }

    /// Whether any of its options was given.
    pub(super) fn is_given(&self) -> bool {
        self.limit.is_some() || !self.shape.columns.is_empty() || self.is_for_programs()
    }

    /// Whether columns were chosen.
    pub(super) fn has_columns(&self) -> bool {
        !self.shape.columns.is_empty()
    }

    /// The same with these columns.
    pub(super) fn with_columns(mut self, names: impl Iterator<Item = &'static str>) -> Self {
        self.shape.columns = names.map(str::to_owned).collect();
        self
    }

    /// Whether a program reads it.
    pub(super) fn is_for_programs(&self) -> bool {
        self.shape.is_for_programs()
    }

    /// Checks `--columns` before anything is requested.
    pub(super) fn check<T: Serialize + Default>(&self) -> anyhow::Result<()> {
        self.shape.check::<T>()
    }
}

impl Shape {
    /// Whether a program reads it.
    pub(super) fn is_for_programs(&self) -> bool {
        self.json || self.csv
    }

    /// Checks `--columns` before anything is requested.
    pub(super) fn check<T: Serialize + Default>(&self) -> anyhow::Result<()> {
        let known = keys::<T>()?;
        match self.columns.iter().find(|name| !known.contains(*name)) {
            Some(name) => {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                let close = of_heading(name, &names).or_else(|| nearest(name, &names));
                let close =
                    close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
                let known = names.join(", ");
                let message = format!("unknown column `{name}`; expected {known}{close}");
                Err(WrongUsage(message).into())
            }
            None => Ok(()),
        }
    }
}

/// The column below a heading of a table, which has shorter names.
fn of_heading<'a>(heading: &str, names: &[&'a str]) -> Option<&'a str> {
    const OTHERS: [(&str, &str); 8] = [
        ("advisory", "said"),
        ("cvss", "cvss_score"),
        ("solution", "solution_status"),
        ("threat", "threat_score"),
        ("in_kev", "kev_cves"),
        ("ticket", "pretty_id"),
        ("product", "name"),
        ("sink", "name"),
    ];
    let heading = heading.trim().to_lowercase().replace([' ', '-'], "_");
    let other = OTHERS.iter().find(|(one, _)| *one == heading);
    let other = other.map(|(_, name)| (*name).to_owned());
    let candidates = [Some(heading.clone()), Some(format!("{heading}_at")), other];
    let mut candidates = candidates.into_iter().flatten();
    candidates.find_map(|name| names.iter().copied().find(|known| *known == name))
}

/// Prints what was found in the form that was chosen.
pub(super) fn print<T: Serialize + Default>(
    form: &ListFormat,
    mut lines: Vec<T>,
    times: Times,
    as_table: impl Fn(&[T]) -> String,
) -> anyhow::Result<()> {
    let usual = usize::try_from(USUAL_LIMIT)?;
    let more = form.limit.is_none() && !form.is_for_programs() && lines.len() > usual;
    if more {
        lines.truncate(usual);
    }
    let is_empty = lines.is_empty();
    print_all(&form.shape, &lines, times, as_table)?;
    if more {
        print_note(&format!(
            "showing the first {usual}; use --limit N for more, or --limit 0 for all"
        ));
    } else if is_empty && !form.is_for_programs() {
        print_note("no matches; `advisoryd status` shows what is stored");
    }
    Ok(())
}

/// Prints all lines in the form that was chosen.
pub(super) fn print_all<T: Serialize + Default>(
    shape: &Shape,
    lines: &[T],
    times: Times,
    as_table: impl Fn(&[T]) -> String,
) -> anyhow::Result<()> {
    if shape.json {
        lines.iter().try_for_each(|line| object(shape, line))?;
    } else if shape.csv {
        print_data(csv(shape, lines)?.trim_end());
    } else if !lines.is_empty() && shape.columns.is_empty() {
        print_styled(&as_table(lines));
    } else if !lines.is_empty() {
        let rows = chosen(&shape.columns, lines, |name, value| {
            if is_time(name) {
                times.of_column(cell(value))
            } else {
                cell(value)
            }
        })?;
        print_styled(&columns(&shape.columns, &rows));
    }
    Ok(())
}

/// The names of all columns, the useful ones first: as the fields are written.
fn keys<T: Serialize + Default>() -> anyhow::Result<Vec<String>> {
    let line = serde_json::to_string(&T::default())?;
    let Keys(keys) = serde_json::from_str(&line)?;
    Ok(keys)
}

/// The keys of an object in their order, which `serde_json::Value` does not keep.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

/// One line as JSON, with the chosen columns.
fn object<T: Serialize>(shape: &Shape, line: &T) -> anyhow::Result<()> {
    if shape.columns.is_empty() {
        return print_json(line);
    }
    let mut value = serde_json::to_value(line)?;
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| shape.columns.contains(name));
    }
    print_json(&value)
}

/// The cells of these columns.
fn chosen<T: Serialize>(
    columns: &[String],
    lines: &[T],
    cell: impl Fn(&str, &serde_json::Value) -> String,
) -> anyhow::Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for line in lines {
        let value = serde_json::to_value(line)?;
        rows.push(
            columns
                .iter()
                .map(|name| cell(name, &value[name]))
                .collect(),
        );
    }
    Ok(rows)
}

/// CSV of flat objects, with a header row also when there are none. Items of lists are
/// separated by `; `, CVEs by spaces.
fn csv<T: Serialize + Default>(shape: &Shape, lines: &[T]) -> anyhow::Result<String> {
    let mark = if shape.bom { "\u{feff}" } else { "" };
    let mut writer = ::csv::Writer::from_writer(mark.as_bytes().to_vec());
    let all = keys::<T>()?;
    let columns = if shape.columns.is_empty() {
        &all
    } else {
        &shape.columns
    };
    writer.write_record(columns)?;
    for row in chosen(columns, lines, field)? {
        writer.write_record(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A number stays as it is, also a negative one; a text must not become a formula. A time
/// is in UTC, to the second, as spreadsheets read it.
pub(super) fn field(name: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(text) if is_time(name) => spreadsheet_time(text),
        // A row is a line, for tools that count them.
        serde_json::Value::String(text) => csv_cell(&one_line(text)),
        serde_json::Value::Array(items) if name != "cves" => {
            let items: Vec<String> = items.iter().map(cell).collect();
            csv_cell(&items.join("; "))
        }
        other => csv_cell(&cell(other)),
    }
}

fn is_time(name: &str) -> bool {
    name == "at" || name == "until" || name.ends_with("_at") || name.ends_with("_since")
}

fn spreadsheet_time(text: &str) -> String {
    DateTime::parse_from_rfc3339(text).map_or_else(
        |_| csv_cell(text),
        |at| at.to_utc().format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(cell).collect();
            // Names have spaces in them; CVEs have not.
            let has_spaces = items.iter().any(|item| item.contains(' '));
            items.join(if has_spaces { ", " } else { " " })
        }
        serde_json::Value::Object(fields) if fields.values().all(serde_json::Value::is_string) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name}={}", cell(value)));
            fields.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::{field, keys, of_heading};

    #[derive(Default, Serialize)]
    struct Row {
        key: u8,
        title: u8,
        a_last_one: u8,
    }

    #[test]
    fn columns_are_in_the_order_of_the_fields() {
        assert!(keys::<Row>().is_ok_and(|keys| keys == ["key", "title", "a_last_one"]));
    }

    #[test]
    fn headings_lead_to_columns() {
        let names = [
            "said",
            "cvss_score",
            "modified_at",
            "first_seen_at",
            "title",
        ];
        for (heading, name) in [
            ("advisory", Some("said")),
            ("CVSS", Some("cvss_score")),
            ("modified", Some("modified_at")),
            ("first seen", Some("first_seen_at")),
            ("Title", Some("title")),
            ("ticket", None),
            ("colour", None),
        ] {
            assert_eq!(of_heading(heading, &names), name, "{heading}");
        }
    }

    #[test]
    fn cells_are_what_spreadsheets_read() {
        let time = json!("2026-11-30T15:11:30.581985Z");
        assert_eq!(field("modified_at", &time), "2026-11-30 15:11:30");
        assert_eq!(field("title", &time), "2026-11-30T15:11:30.581985Z");
        let names = json!(["Linux servers", "Mail"]);
        assert_eq!(field("watch_lists", &names), "Linux servers; Mail");
        assert_eq!(field("cves", &json!(["CVE-1", "CVE-2"])), "CVE-1 CVE-2");
        let matchers = json!({"key": "SA1*", "rule": "soc"});
        assert_eq!(field("matchers", &matchers), "key=SA1*; rule=soc");
        assert_eq!(field("clauses", &json!({"a": [1]})), r#"{"a":[1]}"#);
        assert_eq!(field("clauses", &json!({})), "");
        assert_eq!(field("title", &json!("=1+1")), "'=1+1");
        assert_eq!(field("score", &json!(-1.5)), "-1.5");
    }
}
