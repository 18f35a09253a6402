//! Claims of contract §7: advisories as JSON.

use serde_json::Value;

use super::answers::{Answers, claim, keys, kind, listed, status};
use super::collections::number;
use crate::capture::claim::ContractClaim;
use crate::capture::response::CapturedResponse;
use crate::capture::time::time;

/// Number of keys of a list element, as captured once.
const LIST_KEYS: usize = 18;
const SCORES: [&str; 3] = ["cvss_score", "cvss3_score", "threat_score"];

pub(super) fn claims(answers: Answers<'_>) -> Vec<ContractClaim> {
    let page = answers.get("advisories");
    let rows = page.map(CapturedResponse::rows).unwrap_or_default();
    let detail = answers
        .get("advisory")
        .filter(|response| response.status == Some(200));
    let detail = detail.and_then(CapturedResponse::json);
    vec![
        window(page, &rows),
        future(answers),
        list_keys(page, &rows),
        scores(&rows, detail.as_ref()),
        whole(answers, detail.as_ref()),
    ]
}

/// The number in a parameter of the request.
fn asked(target: &str, name: &str) -> Option<i64> {
    let (_, rest) = target.split_once(&format!("{name}="))?;
    rest.split('&').next()?.parse().ok()
}

fn window(page: Option<&CapturedResponse>, rows: &[Value]) -> ContractClaim {
    let target = page.map_or("", |page| page.target.as_str());
    let (from, to) = (
        asked(target, "modified__gte"),
        asked(target, "modified__lt"),
    );
    let times: Vec<i64> = rows
        .iter()
        .filter_map(|row| Some(time(&row["modified_date"])?.timestamp()))
        .collect();
    let inside = times
        .iter()
        .filter(|at| Some(**at) >= from && to > Some(**at))
        .count();
    claim(
        (
            "4",
            "REAL",
            "`modified__gte` and `modified__lt` select advisories by `modified_date`",
        ),
        (!times.is_empty()).then_some(inside == rows.len()),
        format!("{inside} of {} rows lie in the window", rows.len()),
    )
}

fn future(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("advisories-in-2100");
    let count = response.and_then(CapturedResponse::count);
    claim(
        ("4", "REAL", "no advisory is found in the year 2100"),
        count.map(|count| count == 0),
        format!("{}, {} advisories", status(response), number(count)),
    )
}

fn list_keys(page: Option<&CapturedResponse>, rows: &[Value]) -> ContractClaim {
    let names = rows.first().map(keys).unwrap_or_default();
    claim(
        ("7", "REAL", "an element of the list has 18 keys"),
        (!names.is_empty()).then_some(names.len() == LIST_KEYS),
        format!("{}; {} keys: {}", status(page), names.len(), listed(&names)),
    )
}

fn scores(rows: &[Value], detail: Option<&Value>) -> ContractClaim {
    let kinds = |row: &Value| -> Vec<String> {
        let found = SCORES
            .iter()
            .filter_map(|name| Some((name, row.get(name)?)));
        found
            .map(|(name, value)| format!("`{name}` {}", kind(value)))
            .collect()
    };
    let in_list = rows.first().map(kinds).unwrap_or_default().join(", ");
    let in_detail = detail.map(kinds).unwrap_or_default().join(", ");
    let known = !in_list.is_empty() && !in_detail.is_empty();
    claim(
        (
            "7",
            "REAL",
            "scores are numbers in the list and strings in the details",
        ),
        known.then(|| !in_list.contains("string") && !in_detail.contains("number")),
        format!("list: {in_list}; details: {in_detail}"),
    )
}

fn whole(answers: Answers<'_>, detail: Option<&Value>) -> ContractClaim {
    let names = detail.map(keys).unwrap_or_default();
    let custom = detail
        .map(|detail| keys(&detail["custom_info"]))
        .unwrap_or_default();
    let missing: Vec<&str> = ["type", "threat_score", "threat_rules"]
        .into_iter()
        .filter(|name| !names.iter().any(|key| key == name))
        .collect();
    claim(
        (
            "7",
            "REAL",
            "the details have `custom_info` with the affected watch lists",
        ),
        detail.map(|_| custom.iter().any(|name| name == "affected_asset_lists")),
        format!(
            "{}; {} keys: {}; missing by licence: {}; custom_info: {}",
            status(answers.get("advisory")),
            names.len(),
            listed(&names),
            missing.join(" "),
            listed(&custom)
        ),
    )
}
