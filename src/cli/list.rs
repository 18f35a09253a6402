//! How lists are printed.

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::output::{csv_cell, print_error, print_json, print_line};

/// Lines that are told unless `--limit` says otherwise.
const USUAL_LIMIT: i64 = 50;

/// How lists are printed.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// At most so many [default: 50, and a word on stderr when there are more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: Option<i64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print CSV with a heading; a text that begins like a formula (=, +, -, @) gets an apostrophe in front
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl Form {
    /// How many are asked for: where nobody chose, one more than is told, to know
    /// whether there are more.
    pub(super) fn rows(&self) -> i64 {
        self.limit.unwrap_or(USUAL_LIMIT + 1)
    }
}

/// Prints what was found in the form that was chosen.
pub(super) fn print<T: Serialize + Default>(
    form: &Form,
    mut lines: Vec<T>,
    as_table: impl Fn(&[T]) -> String,
) -> anyhow::Result<()> {
    let usual = usize::try_from(USUAL_LIMIT)?;
    let more = form.limit.is_none() && lines.len() > usual;
    if more {
        lines.truncate(usual);
    }
    if form.json {
        lines.iter().try_for_each(print_json)?;
    } else if form.csv {
        print_line(csv(&lines)?.trim_end());
    } else if !lines.is_empty() {
        print_line(&as_table(&lines));
    }
    if more {
        print_error(&format!(
            "showing the first {usual}; use --limit N for more"
        ));
    } else if lines.is_empty() && !form.json && !form.csv {
        print_error("no matches; `advisoryd status` shows what is stored");
    }
    Ok(())
}

/// CSV of flat objects, with a heading also when there is none; lists become words
/// with spaces between.
fn csv<T: Serialize + Default>(lines: &[T]) -> anyhow::Result<String> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let heading = serde_json::to_value(T::default())?;
    let heading = heading.as_object().context("a line is an object")?;
    writer.write_record(heading.keys())?;
    for line in lines {
        let value = serde_json::to_value(line)?;
        let fields = value.as_object().context("a line is an object")?;
        writer.write_record(fields.values().map(field))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A number stays as it is, also a negative one; a text must not become a formula.
fn field(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Number(number) => number.to_string(),
        other => csv_cell(&cell(other)),
    }
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
