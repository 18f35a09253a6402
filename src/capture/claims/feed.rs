//! Claims of contract §5: the feed, whose structure is not public.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::answers::{Answers, claim, status};
use crate::capture::claim::ContractClaim;
use crate::capture::response::{BodyFormat, CapturedResponse};
use crate::model::Advisory;
use crate::model::chain;
use crate::source::xml::{FeedError, ParsedDocument, ParserRules, RecordReader, read_record};

/// Tolerance for releases at the start of the window.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// A parsed feed.
struct Feed<'a> {
    response: &'a CapturedResponse,
    days: i64,
    document: Result<ParsedDocument, FeedError>,
    advisories: Vec<Advisory>,
    unreadable: usize,
}

/// Whether a document has anything like a record, whatever its name: an element
/// within an element of the root.
pub(crate) fn has_records(response: &CapturedResponse) -> bool {
    let text = response.text.as_deref().unwrap_or_default();
    response.form() != BodyFormat::Xml || text.contains("SA") && text.matches("</").count() > 2
}

pub(super) fn claims(answers: Answers<'_>, rules: &Arc<ParserRules>) -> Vec<ContractClaim> {
    let feeds: Vec<Feed<'_>> = answers
        .starting("feed-")
        .filter(|response| response.status == Some(200))
        .map(|response| read(response, rules))
        .collect();
    let refused: Vec<String> = answers
        .starting("feed-")
        .filter(|response| !matches!(response.status, Some(200 | 429)))
        .map(|response| format!("{}: {}", response.name, status(Some(response))))
        .collect();
    let any = !feeds.is_empty() || !refused.is_empty();
    vec![
        claim(
            ("5", "DOC", "each watch list has a feed"),
            any.then_some(refused.is_empty()),
            [vec![format!("{} received", feeds.len())], refused]
                .concat()
                .join("; "),
        ),
        types(&feeds),
        transport(&feeds),
        structure(&feeds),
        paging(&feeds),
        days_count(&feeds),
        cvss(&feeds),
    ]
}

fn read<'a>(response: &'a CapturedResponse, rules: &Arc<ParserRules>) -> Feed<'a> {
    let (mut advisories, mut unreadable) = (Vec::new(), 0);
    let mut take = |record: &[u8]| match read_record(rules, record) {
        Ok(advisory) => advisories.push(advisory),
        Err(_) => unreadable += 1,
    };
    // As text, where a cut document is closed.
    let mut reader = RecordReader::new(Arc::clone(rules), None, None);
    let text = response.text.as_deref().unwrap_or_default();
    let text = text.split_once("?>").map_or(text, |(_, rest)| rest);
    let document = match reader.push(text.as_bytes(), &mut take) {
        Ok(()) => reader.finish(&mut take),
        Err(error) => Err(error),
    };
    let days = response.target.rsplit("days=").next().unwrap_or_default();
    Feed {
        response,
        days: days.parse().unwrap_or(1),
        document,
        advisories,
        unreadable,
    }
}

fn types(feeds: &[Feed<'_>]) -> ContractClaim {
    let mut types: Vec<&str> = feeds
        .iter()
        .map(|feed| feed.response.header("content-type").unwrap_or("none"))
        .collect();
    types.sort_unstable();
    types.dedup();
    claim(
        (
            "5",
            "UNKNOWN",
            "the feed is `application/xml` or `text/xml`",
        ),
        (!types.is_empty()).then(|| {
            types
                .iter()
                .all(|name| name.starts_with("application/xml") || name.starts_with("text/xml"))
        }),
        format!("`{}`", types.join("`, `")),
    )
}

fn transport(feeds: &[Feed<'_>]) -> ContractClaim {
    let descriptions = feeds.iter().map(|feed| {
        let response = feed.response;
        let text = response.text.as_deref().unwrap_or_default().trim_start();
        let declaration = text
            .strip_prefix("<?xml")
            .and_then(|rest| rest.split_once("?>"));
        format!(
            "{}{}, declared `{}`, compression `{}`",
            response.encoding(),
            if response.has_mark() {
                " with byte order mark"
            } else {
                ""
            },
            declaration.map_or("nothing", |(inner, _)| inner.trim()),
            response.header("content-encoding").unwrap_or("none")
        )
    });
    let mut descriptions: Vec<String> = descriptions.collect();
    descriptions.sort();
    descriptions.dedup();
    claim(
        ("5", "UNKNOWN", "the feed is UTF-8"),
        (!feeds.is_empty()).then(|| feeds.iter().all(|feed| feed.response.encoding() == "UTF-8")),
        descriptions.join("; "),
    )
}

fn structure(feeds: &[Feed<'_>]) -> ContractClaim {
    let descriptions: Vec<String> = feeds
        .iter()
        .map(|feed| match &feed.document {
            Ok(document) => format!(
                "{}: profile {}, `{}` in `{}`, {} advisories, {} unreadable",
                feed.response.name,
                document.profile.name(),
                document.record.as_deref().unwrap_or("nothing"),
                document.root,
                feed.advisories.len(),
                feed.unreadable
            ),
            Err(error) => format!("{}: {}", feed.response.name, chain(error)),
        })
        .collect();
    let with_records: Vec<&Feed<'_>> = feeds
        .iter()
        .filter(|feed| {
            !feed.advisories.is_empty() || feed.unreadable > 0 || has_records(feed.response)
        })
        .collect();
    let good = |feed: &&&Feed<'_>| feed.document.is_ok() && feed.unreadable == 0;
    claim(
        ("5", "UNKNOWN", "the feed's structure is recognised"),
        (!with_records.is_empty())
            .then(|| with_records.iter().filter(good).count() == with_records.len()),
        descriptions.join("; "),
    )
}

fn paging(feeds: &[Feed<'_>]) -> ContractClaim {
    let documents: Vec<&ParsedDocument> = feeds
        .iter()
        .filter(|feed| !feed.response.is_cut)
        .filter_map(|feed| feed.document.as_ref().ok())
        .collect();
    let paged = documents
        .iter()
        .filter(|document| document.next.is_some())
        .count();
    claim(
        ("5", "UNKNOWN", "the feed is one document, not pages"),
        (!documents.is_empty()).then_some(paged == 0),
        format!("{paged} of {} documents link to another", documents.len()),
    )
}

/// What `days` counts, as far as advisories show it: one released before the window
/// shows that it does not count releases; one last modified before the window shows
/// that it does not count modifications either.
fn days_count(feeds: &[Feed<'_>]) -> ContractClaim {
    let (mut count, mut released, mut changed) = (0, 0, 0);
    for feed in feeds {
        let Some(date) = feed.response.date else {
            continue;
        };
        let from = date - TimeDelta::days(feed.days) - SLACK;
        let before = |at: Option<DateTime<Utc>>| usize::from(at.is_some_and(|at| at < from));
        for advisory in &feed.advisories {
            count += 1;
            released += before(advisory.released_at);
            changed += before(advisory.modified_at);
        }
    }
    claim(
        (
            "5",
            "UNKNOWN",
            "`days` counts since the modification of an advisory, not since its release",
        ),
        (released > 0).then_some(changed == 0),
        format!(
            "of {count} advisories, {released} were released and {changed} last modified before the requested days"
        ),
    )
}

fn cvss(feeds: &[Feed<'_>]) -> ContractClaim {
    let all = || feeds.iter().flat_map(|feed| &feed.advisories);
    let three = all()
        .filter(|advisory| advisory.cvss3.score.is_some())
        .count();
    let four = all()
        .filter(|advisory| advisory.cvss4.score.is_some())
        .count();
    let count = all().count();
    claim(
        ("5", "DOC", "the feed has CVSS v3 or v4 scores"),
        (count > 0).then_some(three + four > 0),
        format!("{three} with v3 and {four} with v4 of {count} advisories"),
    )
}
