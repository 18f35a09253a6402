//! Full scan of the tickets, page by page. Each page is one transaction with its
//! checkpoint, so that a crash costs one page.

use chrono::{DateTime, TimeDelta, Utc};

use super::again;
use super::gone;
use super::page::{PATH, TICKETS, parse};
use super::store_page::store;
use crate::http::{BodyType, Request};
use crate::job::collection::count::{Attempts, ReadAttempt};
use crate::job::collection::page::Pages;
use crate::job::collection::repeats::Repeats;
use crate::job::collection::unnamed::Unnamed;
use crate::job::collection::window::covered_until;
use crate::job::failure::Failure;
use crate::job::run::{Run, TicketProgress, Work};
use crate::model::contains_secret;
use crate::store::tickets::reading;
use crate::store::tickets::scan::{self, Scan};
use crate::store::tickets::ticket;

/// An older unfinished scan is started again: too many rows have moved since.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);
/// A scan is accepted only if at most this part (one in 5) of the known tickets is
/// missing.
const MAX_MISSING_PART: u64 = 5;

/// Scans all tickets, resuming an unfinished scan.
pub(crate) async fn full_scan(
    run: &Run,
    accept_removals: bool,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut attempts = Attempts::at(TICKETS);
    loop {
        if let Some(finished) = attempts.check(scan_once(run, work).await?)? {
            return conclude(run, finished, accept_removals, work).await;
        }
    }
}

/// A scan to its end.
struct Finished {
    progress: Scan,
    /// How many of its rows are unreadable and have no id.
    without_id: u64,
}

async fn scan_once(run: &Run, work: &mut Work) -> Result<ReadAttempt<Finished>, Failure> {
    let mut progress = resume_or_begin(run).await?;
    let unreadable = scan_pages(run, &mut progress, work).await?;
    let mut transaction = run.transaction().await?;
    let now = run.context.upstream_now();
    let found = scan::seen_from_before(&mut transaction, &progress, now).await?;
    let different = u64::try_from(found).unwrap_or(0) + unreadable;
    let claimed = u64::try_from(progress.claimed.unwrap_or(0)).unwrap_or(0);
    let mut repeats = Repeats::default();
    for page in scan::repeats(&mut transaction, &progress).await? {
        repeats.add_page(&page);
    }
    let received = repeats.received(different, claimed, TICKETS);
    work.tally.claimed = Some(claimed);
    work.accounted = Some(received);
    let is_complete = received >= claimed;
    if !is_complete {
        scan::finish(&mut transaction, progress.id).await?;
    }
    transaction.commit().await?;
    Ok(ReadAttempt {
        claimed,
        received,
        complete: is_complete.then_some(Finished {
            progress,
            without_id: unreadable,
        }),
    })
}

async fn resume_or_begin(run: &Run) -> Result<Scan, Failure> {
    let now = run.context.upstream_now();
    let mut transaction = run.transaction().await?;
    let progress = match scan::unfinished(&mut transaction).await? {
        Some(progress) if (now - progress.began_at).abs() < MAX_AGE => progress,
        _ => scan::begin(&mut transaction, now).await?,
    };
    transaction.commit().await?;
    Ok(progress)
}

/// Reads and stores all pages; returns the number of unreadable records without an id.
async fn scan_pages(run: &Run, progress: &mut Scan, work: &mut Work) -> Result<u64, Failure> {
    let page_size = run.context.config.tickets.page_size.to_string();
    let first = Request::new(PATH, BodyType::Json).with("page_size", page_size);
    // The page of the checkpoint is read again: rows may have moved to another page.
    let read = u32::try_from(progress.pages - 1).unwrap_or(0);
    let mut pages = Pages::new(&run.context, first).resumed(progress.resume_url.clone(), read);
    let mut unreadable = Unnamed::default();
    let mut is_first = true;
    while let Some(received) = pages.next().await? {
        work.staleness = work.staleness.or(pages.staleness);
        if std::mem::take(&mut is_first) {
            let before = u64::from(read) * u64::from(run.context.config.tickets.page_size);
            let left = pages.claimed.saturating_sub(before);
            run.context.progress.expect_records(left);
        }
        let mut page = parse(&run.context, received);
        if let Some(date) = pages.date {
            progress.began_at = covered_until(progress.began_at, date);
        }
        if pages.read == 1 {
            progress.claimed = Some(i64::try_from(pages.claimed).unwrap_or(i64::MAX));
            work.tally.claimed = Some(pages.claimed);
        }
        progress.pages = i32::try_from(pages.read).unwrap_or(i32::MAX);
        progress.resume_url = pages.url.as_deref().and_then(without_secrets);
        store(run, &mut page, Some(progress), work).await?;
        unreadable.add_page(page.without_id());
    }
    Ok(unreadable.count())
}

/// The URL of a page without the parameters that hold the token: it is sent as a header.
/// `None` if it holds it elsewhere; then a resumed scan begins at the first page.
fn without_secrets(url: &str) -> Option<String> {
    if !contains_secret(url) {
        return Some(url.to_owned());
    }
    let (path, query) = url.split_once('?')?;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|one| !contains_secret(one))
        .collect();
    Some(format!("{path}?{}", kept.join("&"))).filter(|url| !contains_secret(url))
}

/// Ends a complete scan. Only a complete scan may mark tickets as gone.
async fn conclude(
    run: &Run,
    finished: Finished,
    accept_removals: bool,
    work: &mut Work,
) -> Result<(), Failure> {
    let Finished {
        progress,
        without_id,
    } = finished;
    let mut transaction = run.transaction().await?;
    let known = u64::try_from(ticket::present(&mut transaction).await?).unwrap_or(0);
    let made = work.staleness.made_before(run.origin.at);
    let last_at = reading::get(&mut transaction).await?.full_walk_at;
    let absent = if made.is_some_and(|made| last_at >= Some(made)) {
        // It is older than the last scan.
        Vec::new()
    } else {
        ticket::missing_from_scan(&mut transaction, progress.id, run.origin.at, made).await?
    };
    let missing = absent.len() as u64;
    let is_plausible = missing * MAX_MISSING_PART <= known || accept_removals;
    if !is_plausible {
        scan::finish(&mut transaction, progress.id).await?;
    }
    transaction.commit().await?;
    if !is_plausible {
        return Err(Failure::TooManyGone { missing, known });
    }
    again::ask_again(run, work).await?;
    let absent = if missing > 0 && without_id > 0 {
        gone::warn_of_rows_without_id(missing, without_id);
        Vec::new()
    } else {
        absent
    };
    let gone = gone::confirmed(run, absent, work).await?;
    let mut transaction = run.transaction().await?;
    work.tally.changed += ticket::mark_gone(&mut transaction, run.origin_now(), &gone).await?;
    transaction.commit().await?;
    let until = made.map_or(progress.began_at, |made| made.min(progress.began_at));
    work.covers = Some((DateTime::<Utc>::UNIX_EPOCH, until));
    work.tickets = Some(TicketProgress {
        cursor_at: until,
        has_changes: true,
        scan: Some(progress),
    });
    Ok(())
}
