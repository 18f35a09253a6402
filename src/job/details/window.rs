//! A window over the JSON API's collection of advisories (contract §7): for a
//! watch list that it serves, and for the sweep. It names advisories and when they
//! were modified; what they say comes as details.

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::fetch::PATH;
use crate::job::collection::count::{Tried, Tries};
use crate::job::collection::page::{PageResult, Pages};
use crate::job::collection::window::{Frozen, Received};
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::plain_fingerprint;
use crate::source::detail::{Listed, read_page};
use crate::source::page::Unreadable;
use crate::store::ledger::quarantine;
use crate::store::wanted::feed_days::{self, Counts};
use crate::store::wanted::listed::{self, Row};

/// Elements of one page; more is not recommended (contract §4).
const PAGE_SIZE: u32 = 100;
/// What messages call the elements.
const ADVISORIES: &str = "advisories";

/// What the elements are looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Those of which a watch list may consist; `again`: also those that are known,
    /// because lists change without an advisory being modified.
    List { again: bool },
    /// Those that are newer than what is stored.
    RevisionScan,
}

/// Reads the window until what came agrees with upstream's own count. What is
/// wanted of it is written down page by page.
pub(crate) async fn walk(
    run: &Run,
    window: &Frozen,
    what: For,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut tries = Tries::at(ADVISORIES);
    loop {
        if let Some(covers) = tries.judge(walk_once(run, window, what, work).await?)? {
            work.covers = Some(covers);
            return Ok(());
        }
    }
}

async fn walk_once(
    run: &Run,
    window: &Frozen,
    what: For,
    work: &mut Work,
) -> Result<Tried<(DateTime<Utc>, DateTime<Utc>)>, Failure> {
    let mut pages = Pages::new(&run.context, window.request(PATH, PAGE_SIZE));
    let mut received = Received::default();
    while let Some(PageResult { page, bytes }) = pages.next().await? {
        let (elements, unreadable) = read_page(&run.context.rules, page.results);
        let rows = elements.len() as u64;
        run.context.progress.add(bytes, rows);
        for row in &elements {
            window.admit(ADVISORIES, &row.said, row.modified_at)?;
        }
        received.add(
            elements.iter().map(|row| row.said.clone()),
            unreadable.len(),
        );
        work.tally.seen += rows;
        work.tally.unchanged += rows;
        work.tally.quarantined += unreadable.len() as u64;
        work.tally.claimed = Some(pages.claimed);
        take_in(run, what, elements, unreadable, work).await?;
    }
    work.accounted = Some(received.count());
    Ok(received.tried(window, &pages))
}

/// Writes down what a page makes wanted, in one transaction.
async fn take_in(
    run: &Run,
    what: For,
    elements: Vec<Listed>,
    unreadable: Vec<Unreadable>,
    work: &mut Work,
) -> Result<(), Failure> {
    let rows: Vec<Row> = elements.into_iter().map(row).collect();
    let mut transaction = run.transaction().await?;
    let origin = run.origin_now();
    let unreadable: Vec<quarantine::Unreadable> = unreadable.into_iter().map(kept).collect();
    quarantine::keep(&mut transaction, origin, &unreadable).await?;
    let mut settled = None;
    match what {
        For::List { again } => {
            listed::enqueue_for_list(&mut transaction, origin, &rows, again).await?;
            let sightings = listed::sightings(&mut transaction, origin.source_id, &rows).await?;
            work.sightings.extend(sightings);
        }
        For::RevisionScan => {
            listed::enqueue_newer(&mut transaction, &rows, origin.at).await?;
            settled = feed_days::settle(&mut transaction, &rows, origin.at).await?;
        }
    }
    transaction.commit().await?;
    for row in &rows {
        work.received
            .add(&plain_fingerprint(row.raw.to_string().as_bytes()));
    }
    for record in &unreadable {
        work.received.add(&record.byte_hash);
    }
    if let Some(counts) = settled {
        tell(counts);
    }
    Ok(())
}

fn row(element: Listed) -> Row {
    let Listed {
        said,
        modified_at,
        released_at,
        raw,
    } = element;
    Row {
        said,
        modified_at,
        released_at,
        raw,
    }
}

fn kept(unreadable: Unreadable) -> quarantine::Unreadable {
    let Unreadable { key, reason, raw } = unreadable;
    quarantine::Unreadable {
        byte_hash: plain_fingerprint(raw.as_bytes()),
        key,
        reason,
        raw,
    }
}

fn tell(counts: Counts) {
    match counts {
        Counts::Modifications => info!(
            "sweep: `days` of this account's feeds counts modifications: revisions of old advisories come through the feeds"
        ),
        Counts::Releases => warn!(
            "sweep: `days` of this account's feeds counts releases: revisions of older advisories do not come through the feeds, only as details that the sweep wants"
        ),
    }
}
