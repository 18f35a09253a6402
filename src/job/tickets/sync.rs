//! Reads the tickets: once in full, then only their differences.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use super::filter::discover;
use super::scan::full_scan;
use super::window::{Window, scan_window};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{DateFilter, Mode, Outcome, SourceKey};
use crate::store::tickets::reading::{self, TicketReading};
use crate::store::tickets::scan;

/// How long the answer to "which filter works" is believed.
const FILTER_BELIEVED: TimeDelta = TimeDelta::hours(24);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// What changed; where upstream offers no filter for that, nothing, because
    /// full walks have their own slower schedule.
    Differences,
    /// A full walk where upstream offers no filter for changes, else nothing.
    FullScan,
    /// Now, in whatever way works.
    Now,
    /// A full walk, whatever works.
    Full {
        /// Believe the walk also when it no longer finds more than a fifth of the tickets.
        accept_removals: bool,
    },
}

/// Syncs the tickets; the first time in full and then at once what moved meanwhile.
/// One report per run, none when there was nothing to do.
pub async fn sync(context: &Context, ask: Ask) -> Result<Vec<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let reading = reading::get(&mut connection).await?;
    let unfinished = scan::unfinished(&mut connection).await?.is_some();
    drop(connection);
    let full = reading.cursor_at.is_none() || unfinished;
    let plan = match (ask, reading.filter) {
        (Ask::Full { accept_removals }, _) => Plan::Full { accept_removals },
        _ if full => Plan::Full {
            accept_removals: false,
        },
        (Ask::FullScan, Some(DateFilter::Modified)) => return Ok(Vec::new()),
        (Ask::Differences, Some(DateFilter::None)) if fresh(context, &reading) => {
            return Ok(Vec::new());
        }
        (Ask::FullScan, _) | (Ask::Now, Some(DateFilter::None)) => Plan::Full {
            accept_removals: false,
        },
        (Ask::Differences | Ask::Now, _) => Plan::Differences,
    };
    let mut ran = vec![once(context, plan).await?];
    if matches!(plan, Plan::Full { .. }) && is_complete(&ran) && has_filter(context).await? {
        ran.push(once(context, Plan::Differences).await?);
    }
    Ok(ran)
}

/// Reads tickets of a window that was read before, in whole seconds, once more.
pub(crate) async fn read_again(
    context: &Context,
    window: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Ran, Failure> {
    once(context, Plan::Again(window)).await
}

#[derive(Clone, Copy)]
enum Plan {
    Full { accept_removals: bool },
    Differences,
    Again((DateTime<Utc>, DateTime<Utc>)),
}

fn fresh(context: &Context, reading: &TicketReading) -> bool {
    let now = context.clock.now();
    reading
        .filter_checked_at
        .is_some_and(|at| now - at < FILTER_BELIEVED)
}

fn is_complete(ran: &[Ran]) -> bool {
    ran.iter()
        .all(|ran| matches!(ran, Ran::Ended(report) if report.outcome == Outcome::Ok))
}

async fn has_filter(context: &Context) -> Result<bool, Failure> {
    let mut connection = context.pool.acquire().await?;
    let filter = reading::get(&mut connection).await?.filter;
    Ok(matches!(
        filter,
        Some(DateFilter::Modified | DateFilter::Created)
    ))
}

async fn once(context: &Context, plan: Plan) -> Result<Ran, Failure> {
    let mode = match plan {
        Plan::Full { .. } => Mode::Full,
        Plan::Differences => Mode::Incremental,
        Plan::Again(_) => Mode::Reconcile,
    };
    let Some(run) = run::begin(context, &SourceKey::Tickets, mode).await? else {
        return Ok(Ran::Busy);
    };
    let mut work = Work::default();
    let result = read(&run, plan, &mut work).await;
    if let Err(Failure::Outside { .. }) = &result {
        info!("tickets: which date filter upstream honours is found out again by the next run");
        let mut connection = context.pool.acquire().await?;
        reading::remember_filter(&mut connection, None, context.clock.now()).await?;
    }
    Ok(Ran::Ended(run.end(work, result).await?))
}

async fn read(run: &Run, plan: Plan, work: &mut Work) -> Result<(), Failure> {
    let context = &run.context;
    let reading = filter(context).await?;
    match (plan, reading.filter, reading.cursor_at) {
        (Plan::Full { accept_removals }, ..) => full_scan(run, accept_removals, work).await,
        (Plan::Differences, Some(filter), Some(cursor)) if filter != DateFilter::None => {
            let window = window(context, filter, cursor);
            scan_window(run, window, work).await
        }
        (Plan::Again((from, to)), Some(filter), _) if filter != DateFilter::None => {
            scan_window(run, Window { filter, from, to }, work).await?;
            // Old time moves no cursor.
            work.tickets = None;
            Ok(())
        }
        // Nothing to ask by any more: the next walk in full sees to it.
        (Plan::Again(_), ..) => Ok(()),
        // The filter that worked is gone, or there was never a ticket to tell by.
        (Plan::Differences, ..) => full_scan(run, false, work).await,
    }
}

fn window(context: &Context, filter: DateFilter, cursor: DateTime<Utc>) -> Window {
    let overlap = context.config.overlap_of(&SourceKey::Tickets);
    let now = context.upstream_now();
    Window::since(filter, cursor, overlap, now)
}

/// What is known of the filters, found out again when it is too old.
async fn filter(context: &Context) -> Result<TicketReading, Failure> {
    let mut connection = context.pool.acquire().await?;
    let mut reading = reading::get(&mut connection).await?;
    drop(connection);
    if reading.filter.is_some() && fresh(context, &reading) {
        return Ok(reading);
    }
    let found = discover(context).await?;
    tell(reading.filter, found);
    let mut connection = context.pool.acquire().await?;
    reading::remember_filter(&mut connection, found, context.clock.now()).await?;
    reading.filter = found;
    Ok(reading)
}

fn tell(before: Option<DateFilter>, found: Option<DateFilter>) {
    if before == found {
        return;
    }
    match found {
        Some(DateFilter::Modified) => {
            info!(
                "tickets: upstream honours `modified__gte`; from now on only differences are read"
            );
        }
        Some(DateFilter::Created) => {
            warn!(
                "tickets: upstream honours `created__gte` only; new tickets come at every tick, changes with the full walks of `[schedule] full_walk`"
            );
        }
        Some(DateFilter::None) => {
            warn!(
                "tickets: upstream honours no date filter; tickets are read by the full walks of `[schedule] full_walk`"
            );
        }
        None => info!(
            "tickets: there is none to tell by which date filter works; it is looked for again"
        ),
    }
}
