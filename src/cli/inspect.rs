//! `advisoryd inspect`: how a saved document is understood, and what would help.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::import::is_directory;
use super::input::open_input;
use super::output::{print_error, print_json, print_line};
use super::shared::GlobalArgs;
use crate::config::Config;
use crate::http::saved;
use crate::job::feeds::stream::check_count;
use crate::model::{chain, counted};
use crate::source::detail;
use crate::source::page::{Page, UnreadableRow};
use crate::source::repaired_row::REPAIRED;
use crate::source::xml::{
    ExplainedRecord, FeedError, ParsedDocument, ParserRules, RecordReader, UnreadableRecord,
    carriers, explain_json, explain_record, record_key,
};
use crate::startup;

/// Longest document that is inspected: it is held in memory.
const MAX_BYTES: u64 = 512 << 20;
/// Records that cannot be read and are shown one by one.
const MAX_REFUSED: usize = 20;

/// What `inspect` reads.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Saved feed or JSON files, plain or compressed; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print one JSON object per file
    #[arg(long)]
    pub json: bool,
}

/// What one file turned out to be.
#[derive(Debug, Default, Serialize)]
struct Inspected {
    file: String,
    kind: &'static str,
    root: Option<String>,
    record: Option<String>,
    records: u64,
    refused: u64,
    reasons: Vec<(Option<String>, String)>,
    first: Option<ExplainedRecord>,
    /// Elements beside the records that are no advisories.
    ignored: Vec<String>,
    /// Lines for `[feeds.aliases]` that would help.
    aliases: Vec<String>,
    /// Why nothing can be read as things are.
    error: Option<String>,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Inspect) -> anyhow::Result<bool> {
    let config = shared.load_or_default()?;
    shared.note(&config)?;
    let rules = startup::rules(&config)?;
    let mut good = true;
    for file in &wanted.files {
        let name = file.display().to_string();
        if file.is_dir() {
            print_error(&is_directory(file, "advisoryd inspect"));
            good = false;
            continue;
        }
        let bytes = match read(file, &name).await {
            Ok(bytes) => bytes,
            Err(error) => {
                print_error(&format!("{name}: {}", chain(&*error)));
                good = false;
                continue;
            }
        };
        let mut inspected = if matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
            json(&rules, &bytes)
        } else {
            document(&config, &rules, &bytes)?
        };
        inspected.file = name;
        good &= inspected.error.is_none() && inspected.refused == 0;
        if wanted.json {
            print_json(&inspected)?;
        } else {
            print_line(&words(&inspected));
        }
    }
    Ok(good)
}

async fn read(file: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut body = saved(name, open_input(file)?, MAX_BYTES).await?;
    Ok(body.bytes(MAX_BYTES).await?.to_vec())
}

/// A feed document. One whose identifier has an unknown name is read again as
/// if that name were configured, so that the rest can be shown as well.
fn document(config: &Config, rules: &Arc<ParserRules>, bytes: &[u8]) -> anyhow::Result<Inspected> {
    let (mut result, error) = feed(rules, bytes);
    if !matches!(error, Some(FeedError::NotRecognised { .. })) {
        return Ok(result);
    }
    let names = carriers(rules, &String::from_utf8_lossy(bytes));
    if let Some(name) = names.first() {
        result.aliases.push(format!("said = [\"{name}\"]"));
        let extra = with_said_alias(&config.feeds.aliases, name);
        let rules = Arc::new(ParserRules::new(config.feeds.id_pattern.as_str(), &extra)?);
        if let (again, None) = feed(&rules, bytes) {
            result.aliases.extend(again.aliases.iter().cloned());
            return Ok(Inspected {
                aliases: result.aliases,
                error: result.error,
                ..again
            });
        }
    }
    Ok(result)
}

fn with_said_alias(
    aliases: &BTreeMap<String, Vec<String>>,
    name: &str,
) -> BTreeMap<String, Vec<String>> {
    let mut aliases = aliases.clone();
    aliases
        .entry("said".to_owned())
        .or_default()
        .push(name.to_owned());
    aliases
}

/// The records of a feed document, and why it cannot be read to its end. A run stores
/// those before the error, so they are shown too.
fn feed(rules: &Arc<ParserRules>, bytes: &[u8]) -> (Inspected, Option<FeedError>) {
    let mut result = Inspected {
        kind: "feed",
        ..Inspected::default()
    };
    let mut reader = RecordReader::new(Arc::clone(rules), None, None);
    let mut take = |record: &[u8]| {
        take_record(
            &mut result,
            record_key(rules, record),
            explain_record(rules, record),
        );
    };
    let ended = reader
        .push(bytes, &mut take)
        .and_then(|()| reader.finish(&mut take));
    let error = match ended {
        Ok(document) => {
            result.error = document
                .check_alone()
                .err()
                .map(|error| chain(&error))
                .or_else(|| short(&document));
            result.root = Some(document.root);
            result.record = document.record;
            result.ignored = document.ignored;
            None
        }
        Err(error) => {
            result.error = Some(chain(&error));
            Some(error)
        }
    };
    result.aliases = suggestions(result.first.as_ref());
    (result, error)
}

/// What a run would say of a document that holds less than it claims.
fn short(document: &ParsedDocument) -> Option<String> {
    let failure = check_count(document).err()?;
    Some(failure.chain())
}

fn take_record(
    result: &mut Inspected,
    key: Option<String>,
    explained: Result<ExplainedRecord, UnreadableRecord>,
) {
    match explained {
        Ok(explained) => {
            result.records += 1;
            result.first.get_or_insert(explained);
        }
        Err(unreadable) => {
            result.refused += 1;
            if result.reasons.len() < MAX_REFUSED {
                result
                    .reasons
                    .push((unreadable.key.or(key), unreadable.reason.clone()));
                let others = unreadable.others.into_iter();
                result
                    .reasons
                    .extend(others.map(|other| (Some(other.key), unreadable.reason.clone())));
            }
        }
    }
}

/// One advisory, or a page of a collection of them.
fn json(rules: &ParserRules, bytes: &[u8]) -> Inspected {
    let mut result = Inspected {
        kind: "json",
        ..Inspected::default()
    };
    // Read and repaired as `sync` does it.
    let rows = match Page::read(bytes) {
        Ok(page) => {
            result.error = page.claim.map(|claim| chain(&claim));
            for UnreadableRow { key, reason, .. } in page.unreadable {
                take_record(&mut result, key, Err(UnreadableRecord::new(reason)));
            }
            page.results
        }
        Err(_) => match detail::value(bytes) {
            Ok(serde_json::Value::Array(rows)) => rows,
            Ok(mut value) => match value.get_mut("results").map(serde_json::Value::take) {
                Some(serde_json::Value::Array(rows)) => rows,
                _ => vec![value],
            },
            Err(error) => {
                result.error = Some(format!("not JSON: {error}"));
                return result;
            }
        },
    };
    for mut row in rows {
        if let Some(fields) = row.as_object_mut() {
            fields.remove(REPAIRED);
        }
        let key = row["advisory_identifier"].as_str().map(str::to_owned);
        take_record(&mut result, key, explain_json(rules, &row));
    }
    result.aliases = suggestions(result.first.as_ref());
    result
}

/// Names that mean nothing yet and look like fields that nothing was found for.
fn suggestions(first: Option<&ExplainedRecord>) -> Vec<String> {
    let Some(first) = first else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (name, sample) in &first.unmapped {
        let field = guess(name, sample).filter(|field| first.missing.contains(field));
        if let Some(field) = field {
            lines.push(format!("{field} = [\"{name}\"]"));
        }
    }
    lines
}

/// Which field a name and its value look like; only a guess for people to judge.
fn guess(name: &str, sample: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_time = sample.len() >= 10
        && sample.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && sample.as_bytes()[4] == b'-';
    if is_time {
        let changed = has(&["mod", "upd", "chang", "revis"]);
        return Some(if changed {
            "modified_at"
        } else {
            "released_at"
        });
    }
    if sample.starts_with("CVSS:4") {
        return Some("cvss4_vector");
    }
    if sample.starts_with("CVSS:3") {
        return Some("cvss3_vector");
    }
    if sample.starts_with("CVE-") {
        return Some("cves");
    }
    let words: [(&[&str], &str); 7] = [
        (&["titl", "headl", "caption"], "title"),
        (&["sever", "crit"], "criticality"),
        (&["desc", "detail", "summ"], "description"),
        (&["solut", "mitig", "remed"], "solution"),
        (&["prod", "softw"], "products"),
        (&["refer", "link"], "references"),
        (&["impact", "conseq"], "impacts"),
    ];
    let found = words.iter().find(|(words, _)| has(words));
    found.map(|(_, field)| *field)
}

fn words(result: &Inspected) -> String {
    let mut lines = vec![format!(
        "{}: {}, {} parsed, {} rejected",
        result.file,
        result.kind,
        counted(result.records, "record"),
        result.refused
    )];
    if let (Some(root), Some(record)) = (&result.root, &result.record) {
        lines.push(format!("  each `{record}` in `{root}` is a record"));
    }
    if !result.ignored.is_empty() {
        lines.push(format!(
            "  outside of the records: {}",
            result.ignored.join(", ")
        ));
    }
    if let Some(error) = &result.error {
        lines.push(format!("  as configured, the run would fail: {error}"));
    }
    if let Some(first) = &result.first {
        lines.push(format!("  profile of the first record: {}", first.profile));
        for origin in &first.fields {
            let (field, name) = (origin.field, &origin.name);
            lines.push(format!("    {field:<16} {name:<28} {}", origin.sample));
        }
        lines.push(format!(
            "  not in this document: {}",
            first.missing.join(", ")
        ));
        for (name, sample) in &first.unmapped {
            lines.push(format!("  unmapped:      {name:<28} {sample}"));
        }
        for (field, sample) in &first.unrecognised {
            lines.push(format!("  not parsed: {field} = {sample}"));
        }
    }
    for (key, reason) in &result.reasons {
        let key = key.as_deref().unwrap_or("a record without identifier");
        lines.push(format!("  would be quarantined: {key}: {reason}"));
    }
    if !result.aliases.is_empty() {
        lines.push("  suggested aliases (check before use):\n    [feeds.aliases]".to_owned());
        lines.extend(result.aliases.iter().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}
