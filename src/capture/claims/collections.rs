//! Claims of contract §4 and §8: pagination, filters, watch lists.

use super::answers::{Answers, claim, keys, listed, status};
use crate::capture::claim::ContractClaim;
use crate::capture::response::CapturedResponse;

/// As requested.
const PAGE_SIZE: usize = 5;

pub(super) fn claims(answers: Answers<'_>) -> Vec<ContractClaim> {
    let pages: Vec<&CapturedResponse> = ["asset-lists", "tickets", "advisories"]
        .into_iter()
        .filter_map(|name| answers.get(name))
        .filter(|response| response.status == Some(200))
        .collect();
    vec![
        envelope(&pages),
        page_size(&pages),
        next(&pages),
        past_the_end(answers),
        unknown_filter(answers),
        watch_lists(answers),
    ]
}

fn envelope(pages: &[&CapturedResponse]) -> ContractClaim {
    let all = ["count", "next", "previous", "results"];
    let has = |response: &&&CapturedResponse| {
        let page = response.json().unwrap_or_default();
        all.iter().all(|key| page.get(key).is_some())
    };
    let good = pages.iter().filter(has).count();
    claim(
        (
            "4",
            "REAL",
            "a page has `count`, `next`, `previous`, `results`",
        ),
        (!pages.is_empty()).then_some(good == pages.len()),
        format!("{good} of {} pages", pages.len()),
    )
}

fn page_size(pages: &[&CapturedResponse]) -> ContractClaim {
    // A collection that fits on one page shows nothing.
    let large = pages
        .iter()
        .filter(|response| response.count() > Some(PAGE_SIZE as u64));
    let sizes: Vec<usize> = large.map(|response| response.rows().len()).collect();
    claim(
        ("4", "REAL", "`page_size` is respected"),
        (!sizes.is_empty()).then_some(sizes.iter().all(|size| *size == PAGE_SIZE)),
        format!("expected {PAGE_SIZE} rows, got {sizes:?}"),
    )
}

fn next(pages: &[&CapturedResponse]) -> ContractClaim {
    let links: Vec<String> = pages
        .iter()
        .filter_map(|response| Some(response.json()?["next"].as_str()?.to_owned()))
        .collect();
    let pinned = links
        .iter()
        .filter(|link| link.contains("/api/v1/"))
        .count();
    claim(
        (
            "1",
            "REAL",
            "`next` has `/api/v1/` although `/api/` was requested",
        ),
        (!links.is_empty()).then_some(pinned == links.len()),
        format!(
            "{pinned} of {} links, such as `{}`",
            links.len(),
            links.first().map_or("", String::as_str)
        ),
    )
}

fn past_the_end(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("tickets-past-the-end");
    let text = response
        .and_then(CapturedResponse::detail)
        .unwrap_or_default()
        .to_lowercase();
    let held =
        response.map(|response| response.status == Some(404) && text.contains("invalid page"));
    claim(
        (
            "4",
            "INFER",
            "a page past the end returns 404 `Invalid page.`",
        ),
        held,
        status(response),
    )
}

fn unknown_filter(answers: Answers<'_>) -> ContractClaim {
    let all = answers.get("tickets").and_then(CapturedResponse::count);
    let response = answers.get("tickets-unknown-filter");
    let filtered = response.and_then(CapturedResponse::count);
    let held = match (all, response.and_then(|response| response.status)) {
        (Some(1..), Some(200)) => Some(filtered == all),
        (_, Some(400)) => Some(false),
        _ => None,
    };
    claim(
        (
            "4",
            "INFER",
            "an unknown filter is ignored and returns everything",
        ),
        held,
        format!(
            "{}, {} of {} tickets",
            status(response),
            number(filtered),
            number(all)
        ),
    )
}

pub(super) fn number(count: Option<u64>) -> String {
    count.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

fn watch_lists(answers: Answers<'_>) -> ContractClaim {
    let rows = answers
        .get("asset-lists")
        .map(CapturedResponse::rows)
        .unwrap_or_default();
    let has = |row: &serde_json::Value| {
        ["id", "name", "enabled"]
            .iter()
            .all(|key| row.get(key).is_some())
    };
    let names = rows.first().map(keys).unwrap_or_default();
    claim(
        ("8", "REAL", "a watch list has `id`, `name`, `enabled`"),
        (!rows.is_empty()).then(|| rows.iter().all(has)),
        format!("{} keys: {}", names.len(), listed(&names)),
    )
}
