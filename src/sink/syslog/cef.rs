//! ArcSight's Common Event Format (CEF, version 0) of one alert.

use super::super::facts::facts;
use crate::model::{Alert, Message, one_line, shortened};

/// Lengths of the fields in the CEF specification, in characters.
const NAME_CHARS: usize = 512;
const MSG_CHARS: usize = 1023;
const STRING_CHARS: usize = 1000;

/// `CEF:0|vendor|product|version|event class|name|severity|extension`
pub(super) fn cef(message: &Message, alert: &Alert) -> String {
    let mut line = format!(
        "CEF:0|advisoryd|advisoryd|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        header(&alert.what),
        header(&shortened(
            &format!("{}: {}", alert.called(), alert.title),
            NAME_CHARS
        )),
        severity(alert)
    );
    let score = alert.cvss_score.or(alert.cvss3_score);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let strings = [
        ("cs1", "key", alert.key.clone()),
        ("cs2", "rule", message.rule.clone()),
        ("cs3", "cves", alert.cves.join(" ")),
        ("cs4", "products", alert.products.join(", ")),
        ("cs5", "watchLists", alert.watch_list_names.join(", ")),
        ("cs6", "solutionStatus", text(&alert.solution_status)),
    ];
    let mut fields = vec![
        ("rt".to_owned(), alert.at.timestamp_millis().to_string()),
        ("externalId".to_owned(), alert.id.clone()),
        ("cat".to_owned(), alert.kind.clone()),
        (
            "act".to_owned(),
            if alert.resolved { "resolved" } else { "raised" }.to_owned(),
        ),
        ("msg".to_owned(), shortened(&all_facts(alert), MSG_CHARS)),
    ];
    if let Some(score) = score {
        fields.push(("cfp1Label".to_owned(), "cvss".to_owned()));
        fields.push(("cfp1".to_owned(), format!("{score:.1}")));
    }
    fields.extend(
        alert
            .advisory_url
            .iter()
            .map(|url| ("request".to_owned(), url.clone())),
    );
    if let Some(url) = &alert.ticket_url {
        fields.push(("flexString1Label".to_owned(), "ticketUrl".to_owned()));
        fields.push(("flexString1".to_owned(), shortened(url, STRING_CHARS)));
    }
    for (name, label, value) in strings {
        if !value.is_empty() {
            fields.push((format!("{name}Label"), label.to_owned()));
            fields.push((name.to_owned(), shortened(&value, STRING_CHARS)));
        }
    }
    let fields: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| format!("{name}={}", extension(&value)))
        .collect();
    line.push_str(&fields.join(" "));
    line
}

/// The summary, the facts and the beginning of the solution.
fn all_facts(alert: &Alert) -> String {
    let mut parts = vec![alert.summary.clone()];
    parts.extend(facts(alert));
    let solution = alert.solution.iter();
    parts.extend(solution.map(|text| format!("solution: {text}")));
    parts.join(" | ")
}

/// 0 to 10.
fn severity(alert: &Alert) -> u8 {
    match alert.severity_rank {
        _ if alert.resolved => 1,
        Some(5) => 10,
        Some(4) => 8,
        Some(3) => 6,
        Some(2) => 4,
        Some(_) => 2,
        None => 5,
    }
}

fn header(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('=', "\\=")
}
