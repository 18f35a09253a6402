//! Pagination of collections.

use axum::http::header;
use serde_json::{Value, json};

use crate::simulate::SimulatorOptions;

use super::asked::SimulatedRequest;
use super::fault::AnswerFault;
use super::query::BadValue;
use super::reply::Reply;

/// Rows a page unless asked otherwise (contract §4).
const DEFAULT_PAGE_SIZE: usize = 20;

/// One page of a collection: the envelope, and the rows that are on it. `None`
/// past the end. `show` is asked only for the rows of the page.
pub fn page<T>(
    options: &SimulatorOptions,
    asked: &SimulatedRequest,
    rows: &[T],
    show: impl Fn(&T) -> Value,
) -> Option<Value> {
    let number = match asked.query.get("page") {
        None => 1,
        Some(text) => text.parse::<usize>().ok().filter(|number| *number > 0)?,
    };
    let size = asked
        .query
        .get("page_size")
        .and_then(|text| text.parse().ok());
    let size = size
        .filter(|size| *size > 0)
        .unwrap_or(DEFAULT_PAGE_SIZE)
        .min(options.max_page_size);
    let first = (number - 1).checked_mul(size)?;
    // The first page exists even when it is empty.
    if number > 1 && first >= rows.len() {
        return None;
    }
    let shown = &rows[first.min(rows.len())..first.saturating_add(size).min(rows.len())];
    let next = match &asked.fault {
        Some(AnswerFault::EvilNext(url)) => json!(url),
        _ if first + shown.len() < rows.len() => json!(url(options, asked, number + 1)),
        _ => Value::Null,
    };
    let previous = (number > 1).then(|| url(options, asked, number - 1));
    let results: Vec<Value> = shown.iter().map(show).collect();
    Some(json!({"count": rows.len(), "next": next, "previous": previous, "results": results}))
}

/// The page, or 404 past the end.
pub fn reply(page: Option<Value>) -> Reply {
    match page {
        Some(page) => Reply::json(200, &page),
        None => Reply::detail(404, "Invalid page."),
    }
}

/// 400 for a filter that is no number: better than to answer another question.
pub fn refuse(bad: &BadValue) -> Reply {
    Reply::json(400, &json!({ &bad.name: ["Enter a number."] }))
}

/// Another page of the same collection: absolute, and pinned to version 1 even
/// when the request was not (contract §1).
fn url(options: &SimulatorOptions, asked: &SimulatedRequest, number: usize) -> String {
    let listen = options.listen.to_string();
    let host = asked.header(header::HOST).unwrap_or(&listen);
    let path = asked.path.strip_prefix("/api/").unwrap_or(&asked.path);
    let path = path.strip_prefix("v1/").unwrap_or(path);
    let number = number.to_string();
    // Django leaves the first page's number out.
    let number = (number != "1").then_some(number.as_str());
    let query = asked.query.with("page", number);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("http://{host}/api/v1/{path}{mark}{query}")
}
