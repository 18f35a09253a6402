//! Incremental sync of the tickets: a time window with fixed bounds, in which every row
//! and the total count are checked.

use chrono::{DateTime, TimeDelta, Utc};

use super::again;
use super::page::{PATH, TICKETS, parse};
use super::store_page::store;
use crate::job::collection::outside::Outside;
use crate::job::collection::page::Pages;
use crate::job::collection::parts::WindowParts;
use crate::job::collection::window::{FixedWindow, ReceivedRows, Scanned};
use crate::job::failure::Failure;
use crate::job::run::{Run, TicketProgress, Work};
use crate::model::{DateFilter, Ticket};

/// A window, with the filter that selects it.
pub(crate) struct Window {
    filter: DateFilter,
    bounds: FixedWindow,
}

impl Window {
    /// From the cursor minus the overlap until now, by our estimate of upstream's clock.
    pub(crate) fn since(
        filter: DateFilter,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        let bounds = FixedWindow::until_now(filter.name(), cursor_at - overlap, now);
        Self { filter, bounds }
    }

    /// Between two known times.
    pub(crate) fn between(filter: DateFilter, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let bounds = FixedWindow::new(filter.name(), from, to);
        Self { filter, bounds }
    }

    /// The time of a ticket that must lie within the window.
    fn time(&self, ticket: &Ticket) -> Option<DateTime<Utc>> {
        match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        }
    }
}

/// Reads the window until the number of tickets matches upstream's total count, in parts
/// if tickets change while it is read.
pub(crate) async fn scan_window(
    run: &Run,
    mut window: Window,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut parts = WindowParts::of(window.bounds, TICKETS);
    let mut outside = Outside::at(TICKETS, PATH);
    while let Some(part) = parts.next() {
        window.bounds = part;
        parts.take(scan_once(run, &window, &mut outside, work).await?)?;
    }
    again::ask_again(run, work).await?;
    outside.warn(window.bounds.stem);
    work.tally.claimed = Some(parts.claimed);
    work.accounted = Some(parts.received);
    work.covers = parts.covers();
    work.tickets = parts.covers().map(|(_, to)| TicketProgress {
        cursor_at: to,
        has_changes: window.filter == DateFilter::Modified,
        scan: None,
    });
    Ok(())
}

async fn scan_once(
    run: &Run,
    window: &Window,
    outside: &mut Outside,
    work: &mut Work,
) -> Result<Scanned, Failure> {
    let bounds = &window.bounds;
    let request = bounds.request(PATH, run.context.config.tickets.page_size);
    let mut pages = Pages::new(&run.context, request);
    let mut received = ReceivedRows::default();
    while let Some(page) = pages.next().await? {
        if let Some(longer) = bounds.extended(pages.date) {
            return Ok(Scanned::TooShort(longer));
        }
        let mut page = parse(&run.context, page);
        let times = page.tickets.iter();
        let times: Vec<_> = times.map(|row| (row.id, window.time(row))).collect();
        store(run, &mut page, None, work).await?;
        received.add(page.ids().iter().map(i64::to_string), page.without_id());
        received.add_repeats(&page.repeats);
        work.tally.claimed = Some(pages.claimed);
        outside
            .check(&run.context, bounds, times.into_iter())
            .await?;
    }
    work.accounted = Some(received.count());
    Ok(received.attempt(bounds, &pages, TICKETS))
}
