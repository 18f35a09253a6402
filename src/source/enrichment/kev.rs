//! The KEV catalogue as CISA publishes it: `known_exploited_vulnerabilities.json`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::error::NotPublished;
use crate::model::{KevCatalogue, KevEntry, outgoing_within, parse_time};

/// Maximum number of entries: sixty times those of 2026.
const MAX_ENTRIES: usize = 100_000;
/// Longest version and CVE identifier that is stored, in characters.
const MAX_CHARS: usize = 60;

/// All that is read of the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    catalog_version: Option<String>,
    date_released: String,
    count: Option<usize>,
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    date_added: String,
    due_date: Option<String>,
    known_ransomware_campaign_use: Option<String>,
}

/// Reads the file. One entry that cannot be read refuses it: a catalogue without it would
/// look as if it had been removed.
///
/// # Errors
/// [`NotPublished`]: it is not such a file, or not whole.
pub fn kev_catalogue(bytes: &[u8]) -> Result<KevCatalogue, NotPublished> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let file: File = serde_json::from_slice(bytes).map_err(|error| {
        NotPublished(format!(
            "this is not a KEV catalogue (known_exploited_vulnerabilities.json): {error}"
        ))
    })?;
    let found = file.vulnerabilities.len();
    if found == 0 || found > MAX_ENTRIES {
        let why = format!("the KEV catalogue has {found} entries; expected 1 to {MAX_ENTRIES}");
        return Err(NotPublished(why));
    }
    if let Some(count) = file.count.filter(|count| *count != found) {
        let why = format!("the KEV catalogue says that it has {count} entries, but has {found}");
        return Err(NotPublished(why));
    }
    let mut entries = BTreeMap::new();
    for entry in file.vulnerabilities {
        let entry = read(&entry)?;
        entries.insert(entry.cve.clone(), entry);
    }
    Ok(KevCatalogue {
        release: file
            .catalog_version
            .map(|text| outgoing_within(&text, MAX_CHARS)),
        released_at: released_at(&file.date_released)?,
        entries: entries.into_values().collect(),
    })
}

fn released_at(text: &str) -> Result<DateTime<Utc>, NotPublished> {
    parse_time(text).ok_or_else(|| {
        let text = outgoing_within(text, MAX_CHARS);
        NotPublished(format!("`dateReleased` is no time: `{text}`"))
    })
}

fn read(entry: &Entry) -> Result<KevEntry, NotPublished> {
    let cve = entry.cve.trim().to_ascii_uppercase();
    let wrong = |what: &str| {
        let cve = outgoing_within(&cve, MAX_CHARS);
        NotPublished(format!("entry `{cve}` of the KEV catalogue has {what}"))
    };
    let is_plain = |text: &str| {
        let mut bytes = text.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !cve.starts_with("CVE-") || cve.len() > MAX_CHARS || !is_plain(&cve) {
        return Err(wrong("no CVE identifier"));
    }
    let date = |text: &str| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok();
    let due_on = match entry.due_date.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => Some(date(text).ok_or_else(|| wrong("a `dueDate` that is no date"))?),
    };
    let used = entry.known_ransomware_campaign_use.as_deref();
    Ok(KevEntry {
        added_on: date(&entry.date_added).ok_or_else(|| wrong("a `dateAdded` that is no date"))?,
        due_on,
        is_ransomware: used.is_some_and(|used| used.trim().eq_ignore_ascii_case("known")),
        cve,
    })
}
