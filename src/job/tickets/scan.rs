//! The full walk over the tickets: page by page, each one transaction with its
//! checkpoint, so that a crash costs one page.

use chrono::{DateTime, TimeDelta, Utc};

use super::page::{PATH, TICKETS, TicketPage, parse};
use crate::http::{Kind, Request};
use crate::job::collection::count::{Tried, Tries};
use crate::job::collection::page::Pages;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{Run, TicketProgress, Work};
use crate::store::ledger::quarantine;
use crate::store::tickets::scan::{self, Scan};
use crate::store::tickets::ticket;

/// A walk that stood still for longer is begun anew: too much has moved.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);
/// A walk that finds less than this part of the known tickets missing is
/// believed: one fifth (design.md, "One ticket's way").
const BELIEVED_MISSING: u64 = 5;

/// Walks the whole collection, resuming an unfinished walk.
pub(crate) async fn full_scan(
    run: &Run,
    accept_removals: bool,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut tries = Tries::at(TICKETS);
    loop {
        if let Some(walk) = tries.judge(walk_once(run, work).await?)? {
            return conclude(run, &walk, accept_removals, work).await;
        }
    }
}

async fn walk_once(run: &Run, work: &mut Work) -> Result<Tried<Scan>, Failure> {
    let mut walk = resume_or_begin(&run.context).await?;
    let unreadable = scan_pages(run, &mut walk, work).await?;
    let mut connection = run.context.pool.acquire().await?;
    let found = scan::seen_from_before(&mut connection, &walk).await?;
    let received = u64::try_from(found).unwrap_or(0) + unreadable;
    let claimed = u64::try_from(walk.claimed.unwrap_or(0)).unwrap_or(0);
    work.tally.claimed = Some(claimed);
    work.accounted = Some(received);
    let is_whole = received >= claimed;
    if !is_whole {
        scan::finish(&mut connection, walk.id).await?;
    }
    Ok(Tried {
        claimed,
        received,
        whole: is_whole.then_some(walk),
    })
}

async fn resume_or_begin(context: &Context) -> Result<Scan, Failure> {
    let now = context.upstream_now();
    let mut connection = context.pool.acquire().await?;
    match scan::unfinished(&mut connection).await? {
        Some(walk) if now - walk.began_at < MAX_AGE => Ok(walk),
        _ => Ok(scan::begin(&mut connection, now).await?),
    }
}

/// Reads and stores pages to the end; returns how many records were unreadable.
async fn scan_pages(run: &Run, walk: &mut Scan, work: &mut Work) -> Result<u64, Failure> {
    let page_size = run.context.config.tickets.page_size.to_string();
    let first = Request::new(PATH, Kind::Json).with("page_size", page_size);
    // The page of the checkpoint is read again: rows may have moved across its end.
    let read = u32::try_from(walk.pages - 1).unwrap_or(0);
    let mut pages = Pages::new(&run.context, first).resumed(walk.resume_url.clone(), read);
    let mut unreadable = 0;
    while let Some(came) = pages.next().await? {
        let page = parse(&run.context, came);
        if pages.read == 1 {
            walk.claimed = i64::try_from(pages.claimed).ok();
            work.tally.claimed = Some(pages.claimed);
        }
        walk.pages = i32::try_from(pages.read).unwrap_or(i32::MAX);
        walk.resume_url.clone_from(&pages.url);
        unreadable += page.unreadable.len() as u64;
        store(run, &page, Some(walk), work).await?;
    }
    Ok(unreadable)
}

/// Stores one page, with its checkpoint if it belongs to a full walk.
pub(crate) async fn store(
    run: &Run,
    page: &TicketPage,
    walk: Option<&Scan>,
    work: &mut Work,
) -> Result<(), Failure> {
    let ids: Vec<i64> = page.tickets.iter().map(|ticket| ticket.id).collect();
    let mut transaction = run.transaction().await?;
    let origin = run.origin_now();
    let merged = ticket::merge(&mut transaction, origin, &page.tickets).await?;
    if !quarantine::is_empty(&mut transaction, run.origin.source_id).await? {
        quarantine::release_tickets(&mut transaction, run.origin.source_id, &ids).await?;
    }
    quarantine::keep(&mut transaction, run.origin, &page.unreadable).await?;
    if let Some(walk) = walk {
        scan::checkpoint(&mut transaction, walk, &ids).await?;
    }
    transaction.commit().await?;
    for ticket in &page.tickets {
        work.received.add(&ticket::content_hash(&ticket.raw));
    }
    for record in &page.unreadable {
        work.received.add(&record.byte_hash);
    }
    work.tally.seen += page.tickets.len() as u64;
    work.tally.added += merged.added;
    work.tally.changed += merged.changed;
    work.tally.unchanged += merged.unchanged;
    work.tally.quarantined += page.unreadable.len() as u64;
    Ok(())
}

/// A complete walk: only it may find that tickets are gone.
async fn conclude(
    run: &Run,
    walk: &Scan,
    accept_removals: bool,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut transaction = run.transaction().await?;
    let known = u64::try_from(ticket::present(&mut transaction).await?).unwrap_or(0);
    let gone = ticket::missing_from_scan(&mut transaction, walk.id, run.origin.at).await?;
    let missing = gone.len() as u64;
    if missing * BELIEVED_MISSING > known && !accept_removals {
        scan::finish(&mut transaction, walk.id).await?;
        transaction.commit().await?;
        return Err(Failure::TooManyGone { missing, known });
    }
    work.tally.changed += ticket::mark_gone(&mut transaction, run.origin_now(), &gone).await?;
    transaction.commit().await?;
    work.covers = Some((DateTime::<Utc>::UNIX_EPOCH, walk.began_at));
    work.tickets = Some(TicketProgress {
        cursor_at: walk.began_at,
        walk: Some(walk.clone()),
    });
    Ok(())
}
