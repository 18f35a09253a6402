//! Scans a time window of the JSON API's list of advisories, for a watch list that is read
//! from the JSON API and for the revision scan. The list has only identifiers and
//! modification times; the contents are fetched as details.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};

use super::fetch::PATH;
use super::selects;
use crate::job::collection::outside::Outside;
use crate::job::collection::page::{PageResult, Pages};
use crate::job::collection::parts::WindowParts;
use crate::job::collection::window::{FixedWindow, ReceivedRows, Scanned};
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::{QuarantineKind, plain_fingerprint};
use crate::source::detail::{Listed, read_damaged, read_listed, read_page};
use crate::source::page::UnreadableRow;
use crate::source::xml::ParserRules;
use crate::store;
use crate::store::ledger::{quarantine, unknown_field};
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::feed_days::{self, Counts};
use crate::store::wanted::listed::{self, ListedAdvisory, OlderThan};

/// Elements per page; upstream does not recommend more.
pub(crate) const PAGE_SIZE: u32 = 100;
/// The name of the elements in messages.
pub(crate) const ADVISORIES: &str = "advisories";

/// Details of an element without a readable modification time are fetched at most this often.
const REFETCH_AFTER: TimeDelta = TimeDelta::hours(1);

/// What the elements are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadPurpose {
    /// To find the members of a watch list; also among advisories whose details were
    /// fetched before `older_than`, because lists can change without an advisory being
    /// modified.
    List { older_than: Option<DateTime<Utc>> },
    /// To find advisories that are newer upstream than the stored ones.
    RevisionScan,
}

/// Reads the window until the number of elements matches upstream's total count, in parts
/// if elements change while it is read. The details to fetch are enqueued page by page.
pub(crate) async fn scan_window(
    run: &Run,
    window: &FixedWindow,
    purpose: ReadPurpose,
    work: &mut Work,
) -> Result<(), Failure> {
    let window = selects::from_known(run, *window).await?;
    let mut parts = WindowParts::of(window, ADVISORIES);
    let mut outside = Outside::at(ADVISORIES, PATH);
    while let Some(part) = parts.next() {
        let scanned = scan_once(run, &part, purpose, (&mut outside, &mut *work)).await?;
        parts.take(scanned)?;
    }
    outside.warn(window.stem);
    if parts.received == 0 {
        selects::require(run, &window).await?;
    }
    work.covers = parts.covers();
    work.tally.claimed = Some(parts.claimed);
    work.accounted = Some(parts.received);
    Ok(())
}

async fn scan_once(
    run: &Run,
    window: &FixedWindow,
    purpose: ReadPurpose,
    (outside, work): (&mut Outside, &mut Work),
) -> Result<Scanned, Failure> {
    let mut pages = Pages::new(&run.context, window.request(PATH, PAGE_SIZE));
    let mut received = ReceivedRows::default();
    while let Some(result) = pages.next().await? {
        if let Some(longer) = window.extended(pages.date) {
            return Ok(Scanned::TooShort(longer));
        }
        if pages.read == 1 {
            run.context.progress.expect_records(pages.claimed);
        }
        let bytes = result.bytes;
        received.add_repeats(&result.repeats);
        record_unknown(run, &result.page.unknown).await?;
        let (elements, unreadable) = parse(&run.context.rules, result);
        let rows = elements.len() as u64;
        run.context.progress.add(bytes, rows);
        let times: Vec<_> = elements
            .iter()
            .map(|row| (row.said.clone(), row.modified_at))
            .collect();
        let named = unreadable.iter().filter_map(|row| row.key.clone());
        let unnamed = unreadable.iter().filter(|row| row.key.is_none());
        received.add(
            elements.iter().map(|row| row.said.clone()).chain(named),
            unnamed.map(|row| row.byte_hash),
        );
        work.tally.seen += rows;
        work.tally.unchanged += rows;
        work.tally.quarantined += unreadable.len() as u64;
        work.tally.claimed = Some(pages.claimed);
        store_page(run, purpose, elements, unreadable, work).await?;
        outside
            .check(&run.context, window, times.into_iter())
            .await?;
    }
    work.accounted = Some(received.count());
    Ok(received.attempt(window, &pages, ADVISORIES))
}

/// Stores the keys beside the elements of which nothing is known.
async fn record_unknown(run: &Run, unknown: &[(String, String)]) -> Result<(), Failure> {
    if unknown.is_empty() {
        return Ok(());
    }
    let mut transaction = run.transaction().await?;
    unknown_field::record_pairs(&mut transaction, run.origin, unknown).await?;
    transaction.commit().await?;
    Ok(())
}

/// Reads the elements of a page. What is known of one that is too large or damaged is enough
/// to fetch its details: it is among both.
fn parse(
    rules: &ParserRules,
    result: PageResult,
) -> (Vec<Listed>, Vec<quarantine::QuarantineEntry>) {
    let (mut elements, damaged) = read_page(rules, result.page);
    let mut unreadable = Vec::with_capacity(damaged.len() + result.large.len());
    for mut row in damaged {
        let part = read_damaged(rules, &row.raw).filter(|_| row.key.is_none());
        row.key = row.key.or(part.as_ref().map(|part| part.said.clone()));
        unreadable.push(kept(row));
        add_part(&mut elements, part);
    }
    for row in result.large {
        let part = read_listed(rules, row.fields).ok();
        unreadable.push(quarantine::QuarantineEntry {
            kind: QuarantineKind::JsonBeginning,
            key: part.as_ref().map(|part| part.said.clone()),
            reason: row.reason,
            byte_hash: row.byte_hash,
            raw: row.head,
            hints: Vec::new(),
        });
        add_part(&mut elements, part);
    }
    (elements, unreadable)
}

fn add_part(elements: &mut Vec<Listed>, part: Option<Listed>) {
    let is_other = |part: &Listed| elements.iter().all(|known| known.said != part.said);
    let part = part.filter(is_other);
    elements.extend(part);
}

/// Enqueues the details to fetch of a page, in one transaction.
async fn store_page(
    run: &Run,
    purpose: ReadPurpose,
    elements: Vec<Listed>,
    mut unreadable: Vec<quarantine::QuarantineEntry>,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut rows: Vec<ListedAdvisory> = elements.into_iter().map(row).collect();
    let settled = match write(run, purpose, &rows, &unreadable, work).await {
        Err(Failure::Store(error)) if store::refused_value(&error).is_some() => {
            let refused = write_one_by_one(run, purpose, &mut rows, work).await?;
            work.tally.seen -= refused.len() as u64;
            work.tally.unchanged -= refused.len() as u64;
            work.tally.quarantined += refused.len() as u64;
            unreadable.extend(refused);
            write(run, purpose, &[], &unreadable, work).await?
        }
        settled => settled?,
    };
    for row in &rows {
        work.received
            .add(&plain_fingerprint(row.raw.to_string().as_bytes()));
    }
    for record in &unreadable {
        work.received.add(&record.byte_hash);
    }
    if let Some(counts) = settled {
        log_day_filter(counts);
    }
    Ok(())
}

/// Writes the rows of a page in one transaction.
async fn write(
    run: &Run,
    purpose: ReadPurpose,
    rows: &[ListedAdvisory],
    unreadable: &[quarantine::QuarantineEntry],
    work: &mut Work,
) -> Result<Option<Counts>, Failure> {
    let mut transaction = run.transaction().await?;
    let origin = run.origin_now();
    release(&mut transaction, origin, rows, unreadable).await?;
    quarantine::keep(&mut transaction, origin, unreadable).await?;
    let undated = origin.at - refetch_after(run);
    let (mut settled, mut sightings) = (None, Vec::new());
    match purpose {
        ReadPurpose::List { older_than } => {
            let older_than = OlderThan {
                any: older_than,
                undated,
            };
            listed::enqueue_for_list(&mut transaction, origin, rows, older_than).await?;
            sightings = listed::sightings(&mut transaction, origin.source_id, rows).await?;
        }
        ReadPurpose::RevisionScan => {
            listed::enqueue_newer(&mut transaction, rows, (origin.at, undated)).await?;
            settled = feed_days::settle(&mut transaction, rows, origin.at).await?;
        }
    }
    // What waits for its details is not known to be unchanged.
    let said: Vec<String> = rows.iter().map(|row| row.said.clone()).collect();
    let pending = listed::pending_among(&mut transaction, &said).await?;
    transaction.commit().await?;
    let pending = u64::try_from(pending).unwrap_or(0);
    work.tally.unchanged = work.tally.unchanged.saturating_sub(pending);
    work.sightings.extend(sightings);
    Ok(settled)
}

/// Age of details that are fetched again if an element has no readable modification time:
/// the window holds what was modified, and contains an element until the overlap has passed.
fn refetch_after(run: &Run) -> TimeDelta {
    let overlap = run.context.config.overlap_of(run.source_name());
    REFETCH_AFTER.min(overlap / 2)
}

/// Releases the quarantined elements of which these rows are the present state.
async fn release(
    transaction: &mut PgConnection,
    origin: ChunkOrigin,
    rows: &[ListedAdvisory],
    unreadable: &[quarantine::QuarantineEntry],
) -> Result<(), sqlx::Error> {
    let source_id = origin.source_id;
    if rows.is_empty() || quarantine::is_empty(transaction, source_id).await? {
        return Ok(());
    }
    let stays: HashSet<&str> = unreadable
        .iter()
        .filter_map(|record| record.key.as_deref())
        .collect();
    let keys = rows.iter().map(|row| &row.said);
    let keys: Vec<String> = keys
        .filter(|said| !stays.contains(said.as_str()))
        .cloned()
        .collect();
    quarantine::release_keys(transaction, source_id, &keys, origin.at).await?;
    Ok(())
}

/// Writes each row in a transaction of its own; removes and returns those that the
/// database refuses.
async fn write_one_by_one(
    run: &Run,
    purpose: ReadPurpose,
    rows: &mut Vec<ListedAdvisory>,
    work: &mut Work,
) -> Result<Vec<quarantine::QuarantineEntry>, Failure> {
    let mut refused = Vec::new();
    for row in std::mem::take(rows) {
        match write(run, purpose, std::slice::from_ref(&row), &[], work).await {
            Ok(settled) => {
                if let Some(counts) = settled {
                    log_day_filter(counts);
                }
                rows.push(row);
            }
            Err(Failure::Store(error)) => {
                let Some(reason) = store::refused_value(&error) else {
                    return Err(error.into());
                };
                refused.push(kept(UnreadableRow {
                    key: Some(row.said),
                    reason,
                    raw: row.raw.to_string(),
                }));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(refused)
}

fn row(element: Listed) -> ListedAdvisory {
    let Listed {
        said,
        modified_at,
        released_at,
        raw,
    } = element;
    ListedAdvisory {
        said,
        modified_at,
        released_at,
        raw,
    }
}

fn kept(unreadable: UnreadableRow) -> quarantine::QuarantineEntry {
    let UnreadableRow { key, reason, raw } = unreadable;
    quarantine::QuarantineEntry {
        kind: QuarantineKind::Json,
        byte_hash: plain_fingerprint(raw.as_bytes()),
        hints: Vec::new(),
        key,
        reason,
        raw,
    }
}

fn log_day_filter(counts: Counts) {
    match counts {
        Counts::Modifications => info!(
            "revision scan: the parameter `days` of this account's feeds counts by modification date, so the feeds include revisions of old advisories"
        ),
        Counts::Releases => warn!(
            "revision scan: `days` of this account's feeds filters by release date: the feeds do not include revisions of older advisories; they are fetched as details after each revision scan"
        ),
    }
}
