//! A window over the JSON API's collection of advisories (contract §7): for a
//! watch list that it serves, and for the sweep. It names advisories and when they
//! were modified; what they say comes as details.

use tracing::{info, warn};

use super::fetch::PATH;
use crate::job::collection::page::{self, Came};
use crate::job::collection::window::{ATTEMPTS, Frozen, Walked, Walking};
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::plain_fingerprint;
use crate::source::detail::{Listed, read_page};
use crate::source::page::Unreadable;
use crate::store::ledger::{quarantine, run};
use crate::store::wanted::feed_days::{self, Counts};
use crate::store::wanted::listed::{self, Row};

/// Elements of one page; more is not recommended (contract §4).
const PAGE_SIZE: u32 = 100;

/// What the elements are looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Those of which a watch list may consist; `again`: also those that are known,
    /// because lists change without an advisory being modified.
    List { again: bool },
    /// Those that are newer than what is stored.
    Sweep,
}

/// Reads the window until what came agrees with upstream's own count. What is
/// wanted of it is written down page by page.
pub(crate) async fn walk(
    run: &Run,
    window: &Frozen,
    what: For,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut last = (0, 0);
    for _ in 0..ATTEMPTS {
        let walked = walk_once(run, window, what, work).await?;
        work.accounted = Some(walked.seen());
        if let Some(covers) = walked.covers(window) {
            work.covers = Some(covers);
            return Ok(());
        }
        let (claimed, seen) = (walked.claimed(), walked.seen());
        warn!(
            claimed,
            seen, "a window of advisories claims {claimed} and held {seen}; it is read again"
        );
        last = (claimed, seen);
    }
    Err(Failure::AdvisoriesDisagree {
        attempts: ATTEMPTS,
        claimed: last.0,
        seen: last.1,
    })
}

async fn walk_once(
    run: &Run,
    window: &Frozen,
    what: For,
    work: &mut Work,
) -> Result<Walking, Failure> {
    let mut walking = Walking::default();
    loop {
        let which = walking.which(window, PAGE_SIZE);
        let Some(Came { page, date, bytes }) = page::read(&run.context, PATH, which).await? else {
            return Ok(walking);
        };
        let (elements, unreadable) = read_page(&run.context.rules, page.results);
        let rows = elements.len() as u64;
        run.context.progress.add(bytes, rows);
        if let Some(outside) = elements.iter().find(|row| !window.admits(row.modified_at)) {
            return Err(Failure::AdvisoryOutside {
                said: outside.said.clone(),
            });
        }
        let walked = Walked {
            claimed: page.count,
            next: page.next.as_deref(),
            date,
            unreadable: unreadable.len(),
        };
        let saids: Vec<String> = elements.iter().map(|row| row.said.clone()).collect();
        work.tally.seen += rows;
        work.tally.unchanged += rows;
        work.tally.quarantined += unreadable.len() as u64;
        take_in(run, what, elements, unreadable, work).await?;
        let is_last = walking.took(&walked, saids)?;
        work.tally.claimed = Some(walking.claimed());
        if is_last {
            return Ok(walking);
        }
    }
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
    let mut transaction = run.context.pool.begin().await?;
    if !run::still_ours(&mut transaction, run.origin.run_id).await? {
        return Err(Failure::Lost);
    }
    let origin = run.origin_now();
    let unreadable: Vec<quarantine::Unreadable> = unreadable.into_iter().map(kept).collect();
    quarantine::keep(&mut transaction, origin, &unreadable).await?;
    let mut settled = None;
    match what {
        For::List { again } => {
            listed::want_for_list(&mut transaction, origin, &rows, again).await?;
            let sightings = listed::sightings(&mut transaction, origin.source_id, &rows).await?;
            work.sightings.extend(sightings);
        }
        For::Sweep => {
            listed::want_newer(&mut transaction, &rows, origin.at).await?;
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
