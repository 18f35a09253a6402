//! Ticket sync: a full scan first, then incremental windows where upstream supports them.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use super::filter::discover;
use super::scan::full_scan;
use super::window::{Window, scan_window};
use crate::job::caught::caught;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{DateFilter, Mode, Outcome, SourceKey};
use crate::store::tickets::reading::{self, TicketReading};
use crate::store::tickets::scan;

/// How long a detected filter is used before it is detected again.
const FILTER_VALID_FOR: TimeDelta = TimeDelta::hours(24);
/// The same for one that does not show changes: a single wrong answer can be the reason.
const CREATED_VALID_FOR: TimeDelta = TimeDelta::hours(1);

/// The requested kind of sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketSync {
    /// Changes, and what is left of an unfinished full scan. Does nothing where upstream has
    /// no filter for changes, because full scans have their own, slower schedule.
    Differences,
    /// A full scan by schedule: the only way to find that a ticket is gone.
    FullScan,
    /// Whichever of the two works, now; both if a full scan is due by schedule.
    Now,
    /// A full scan in any case.
    Full {
        /// Accept the scan even if more than a fifth of the tickets is missing.
        accept_removals: bool,
    },
}

/// Syncs the tickets. A full scan is followed by a window with the changes made
/// meanwhile. One report per run, none if there was nothing to do.
pub async fn sync(context: &Context, ask: TicketSync) -> Result<Vec<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let reading = reading::get(&mut connection).await?;
    drop(connection);
    let unfinished = is_unfinished(context).await?;
    let is_due = ask == TicketSync::Now && is_full_due(context, &reading);
    let all: &[Plan] = match plans(ask, &reading, unfinished) {
        // As at its ticks, a daemon reads the changes before and after.
        [Plan::Differences] if is_due => &[Plan::Differences, FULL],
        all => all,
    };
    let mut ran = Vec::new();
    for plan in all {
        // Another run may have ended it since.
        if matches!(plan, Plan::Resume) && !is_unfinished(context).await? {
            break;
        }
        ran.push(run_plan(context, *plan).await?);
        if !is_complete(&ran) {
            return Ok(ran);
        }
    }
    let is_full = ran.last().is_some_and(is_full);
    if is_full && has_filter(context).await? {
        ran.push(run_plan(context, Plan::Differences).await?);
    }
    Ok(ran)
}

/// A full scan of saved pages: no filter is detected, and no window follows.
pub(crate) async fn take(context: &Context, accept_removals: bool) -> Result<Ran, Failure> {
    let run = match run::begin(context, &SourceKey::Tickets, Mode::Full).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Ran::Busy(holder)),
    };
    // What an unfinished scan has seen may be of another bundle.
    let mut transaction = run.transaction().await?;
    if let Some(unfinished) = scan::unfinished(&mut transaction).await? {
        scan::finish(&mut transaction, unfinished.id).await?;
    }
    transaction.commit().await?;
    let mut work = Work::default();
    let result = caught(full_scan(&run, accept_removals, &mut work)).await;
    Ok(Ran::Ended(run.end(work, result).await?))
}

/// A full scan that is guarded.
const FULL: Plan = Plan::Full {
    accept_removals: false,
};

/// Whether a full scan was due since the last one.
fn is_full_due(context: &Context, reading: &TicketReading) -> bool {
    let schedule = &context.config.schedule;
    let last = reading.full_walk_at;
    let next = last.and_then(|last| schedule.full_walk.next_after(last, schedule.timezone));
    next.is_some_and(|at| at <= context.clock.now())
}

/// What to do, one after the other.
fn plans(ask: TicketSync, reading: &TicketReading, unfinished: bool) -> &'static [Plan] {
    match (ask, reading.filter) {
        (
            TicketSync::Full {
                accept_removals: true,
            },
            _,
        ) => &[Plan::Full {
            accept_removals: true,
        }],
        (TicketSync::Full { .. } | TicketSync::FullScan, _) => &[FULL],
        _ if reading.cursor_at.is_none() => &[FULL],
        // Changes first: a full scan that always fails must not keep them from being read.
        (_, Some(DateFilter::Modified | DateFilter::Created)) if unfinished => {
            &[Plan::Differences, Plan::Resume]
        }
        _ if unfinished => &[Plan::Resume],
        // The filter is detected again by each full scan, and only there: at a tick it would
        // cost a full scan of its own.
        (TicketSync::Differences, Some(DateFilter::None)) => &[],
        (TicketSync::Now, Some(DateFilter::None)) => &[FULL],
        (TicketSync::Differences | TicketSync::Now, _) => &[Plan::Differences],
    }
}

fn is_full(ran: &Ran) -> bool {
    matches!(ran, Ran::Ended(report) if report.mode == Mode::Full)
}

/// Reads the tickets of a covered window (in whole seconds) again, to detect drift.
pub(crate) async fn read_again(
    context: &Context,
    window: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Ran, Failure> {
    run_plan(context, Plan::Again(window)).await
}

#[derive(Clone, Copy)]
enum Plan {
    Full {
        accept_removals: bool,
    },
    /// The rest of an unfinished full scan.
    Resume,
    Differences,
    Again((DateTime<Utc>, DateTime<Utc>)),
}

fn is_filter_valid(context: &Context, reading: &TicketReading) -> bool {
    let now = context.clock.now();
    let valid_for = match reading.filter {
        Some(DateFilter::Created) => CREATED_VALID_FOR,
        Some(DateFilter::Modified | DateFilter::None) | None => FILTER_VALID_FOR,
    };
    reading
        .filter_checked_at
        .is_some_and(|at| (now - at).abs() < valid_for)
}

fn is_complete(ran: &[Ran]) -> bool {
    ran.iter()
        .all(|ran| matches!(ran, Ran::Ended(report) if report.outcome == Outcome::Ok))
}

async fn is_unfinished(context: &Context) -> Result<bool, Failure> {
    let mut connection = context.pool.acquire().await?;
    Ok(scan::unfinished(&mut connection).await?.is_some())
}

async fn has_filter(context: &Context) -> Result<bool, Failure> {
    let mut connection = context.pool.acquire().await?;
    let filter = reading::get(&mut connection).await?.filter;
    Ok(matches!(
        filter,
        Some(DateFilter::Modified | DateFilter::Created)
    ))
}

async fn run_plan(context: &Context, plan: Plan) -> Result<Ran, Failure> {
    let mode = match plan {
        Plan::Full { .. } | Plan::Resume => Mode::Full,
        Plan::Differences => Mode::Incremental,
        Plan::Again(_) => Mode::Reconcile,
    };
    let run = match run::begin(context, &SourceKey::Tickets, mode).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Ran::Busy(holder)),
    };
    let mut work = Work::default();
    let result = caught(read(&run, plan, &mut work)).await;
    if let Err(Failure::Outside { .. }) = &result {
        info!("tickets: the next run will detect again which date filter upstream supports");
        remember_filter(&run, None).await?;
    }
    Ok(Ran::Ended(run.end(work, result).await?))
}

async fn read(run: &Run, plan: Plan, work: &mut Work) -> Result<(), Failure> {
    let reading = filter(run).await?;
    let page_size = run.context.config.tickets.page_size;
    let done = follow(run, plan, &reading, work).await;
    done.map_err(|failure| failure.of_ticket_page(page_size))
}

async fn follow(
    run: &Run,
    plan: Plan,
    reading: &TicketReading,
    work: &mut Work,
) -> Result<(), Failure> {
    let context = &run.context;
    match (plan, reading.filter, reading.cursor_at) {
        (Plan::Full { accept_removals }, ..) => full_scan(run, accept_removals, work).await,
        (Plan::Differences, Some(filter), Some(cursor)) if filter != DateFilter::None => {
            // Windows by creation do not show changes.
            let from = match filter {
                DateFilter::Modified => reading.changes_until.map_or(cursor, |at| at.min(cursor)),
                DateFilter::Created | DateFilter::None => cursor,
            };
            let window = window(context, filter, from);
            scan_window(run, window, work).await
        }
        (Plan::Again((from, to)), Some(filter), _) if filter != DateFilter::None => {
            scan_window(run, Window::between(filter, from, to), work).await?;
            // A reconciliation moves no cursor.
            work.tickets = None;
            Ok(())
        }
        // No filter is left to request a window; the next full scan covers it.
        (Plan::Again(_), ..) => Ok(()),
        // Also where the filter no longer works, or there was no ticket to test with.
        (Plan::Resume | Plan::Differences, ..) => full_scan(run, false, work).await,
    }
}

fn window(context: &Context, filter: DateFilter, cursor: DateTime<Utc>) -> Window {
    let overlap = context.config.overlap_of(&SourceKey::Tickets);
    let now = context.upstream_now();
    Window::since(filter, cursor, overlap, now)
}

/// The state of ticket sync; the filter is detected again if it is too old.
async fn filter(run: &Run) -> Result<TicketReading, Failure> {
    let context = &run.context;
    let mut connection = context.pool.acquire().await?;
    let mut reading = reading::get(&mut connection).await?;
    drop(connection);
    if reading.filter.is_some() && is_filter_valid(context, &reading) {
        return Ok(reading);
    }
    let found = discover(context).await?;
    log_filter(reading.filter, found);
    remember_filter(run, found).await?;
    reading.filter = found;
    Ok(reading)
}

async fn remember_filter(run: &Run, found: Option<DateFilter>) -> Result<(), Failure> {
    let mut transaction = run.transaction().await?;
    reading::remember_filter(&mut transaction, found, run.context.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

fn log_filter(before: Option<DateFilter>, found: Option<DateFilter>) {
    if before == found {
        return;
    }
    match found {
        Some(DateFilter::Modified) => {
            info!("tickets: upstream supports `modified__gte`; syncing changes only");
        }
        Some(DateFilter::Created) => {
            warn!(
                "tickets: upstream supports only `created__gte`; new tickets are read at each time of `[schedule] tickets`, changes by the full scans of `[schedule] full_walk`"
            );
        }
        Some(DateFilter::None) => {
            warn!(
                "tickets: upstream supports no date filter; tickets are read by the full scans of `[schedule] full_walk`"
            );
        }
        None => info!("tickets: there is no ticket yet to detect the date filter with; will retry"),
    }
}
