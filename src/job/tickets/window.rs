//! Incremental sync of the tickets: a time window with fixed bounds, in which every row
//! and the total count are checked.

use chrono::{DateTime, TimeDelta, Utc};

use super::page::{PATH, TICKETS, parse};
use super::scan::store;
use crate::job::collection::page::Pages;
use crate::job::collection::parts::Parts;
use crate::job::collection::window::{FixedWindow, Received, Scanned};
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

    /// Fails for a ticket outside the window.
    fn require_inside(&self, ticket: &Ticket) -> Result<(), Failure> {
        let at = match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        };
        self.bounds.require_inside(TICKETS, ticket.id, at)
    }
}

/// Reads the window until the number of tickets matches upstream's total count, in parts
/// if tickets change while it is read.
pub(crate) async fn scan_window(
    run: &Run,
    mut window: Window,
    work: &mut Work,
) -> Result<(), Failure> {
    let mut parts = Parts::of(window.bounds, TICKETS);
    while let Some(part) = parts.next() {
        window.bounds = part;
        parts.take(scan_once(run, &window, work).await?)?;
    }
    work.tally.claimed = Some(parts.claimed);
    work.accounted = Some(parts.received);
    work.covers = parts.covers();
    work.tickets = parts.covers().map(|(_, to)| TicketProgress {
        cursor_at: to,
        scan: None,
    });
    Ok(())
}

async fn scan_once(run: &Run, window: &Window, work: &mut Work) -> Result<Scanned, Failure> {
    let bounds = &window.bounds;
    let request = bounds.request(PATH, run.context.config.tickets.page_size);
    let mut pages = Pages::new(&run.context, request);
    let mut received = Received::default();
    while let Some(page) = pages.next().await? {
        if let Some(longer) = bounds.extended(pages.date) {
            return Ok(Scanned::TooShort(longer));
        }
        let mut page = parse(&run.context, page);
        page.tickets
            .iter()
            .try_for_each(|ticket| window.require_inside(ticket))?;
        store(run, &mut page, None, work).await?;
        let ids = page.tickets.iter().map(|ticket| ticket.id.to_string());
        received.add(ids, page.unreadable.len());
        work.tally.claimed = Some(pages.claimed);
    }
    work.accounted = Some(received.count());
    Ok(received.attempt(bounds, &pages))
}
