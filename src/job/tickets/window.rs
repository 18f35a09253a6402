//! Incremental sync of the tickets: a time window with fixed bounds, in which every row
//! and the total count are checked.

use chrono::{DateTime, TimeDelta, Utc};

use super::page::{PATH, TICKETS, parse};
use super::scan::store;
use crate::job::collection::count::{Attempt, Attempts};
use crate::job::collection::page::Pages;
use crate::job::collection::window::{FixedWindow, Received};
use crate::job::failure::Failure;
use crate::job::run::{Run, TicketProgress, Work};
use crate::model::{DateFilter, Ticket};

/// A window with fixed bounds.
pub(crate) struct Window {
    pub filter: DateFilter,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Window {
    /// From the cursor minus the overlap until now, in whole seconds.
    pub(crate) fn since(
        filter: DateFilter,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        let FixedWindow { from, to, .. } =
            FixedWindow::since(filter.name(), cursor_at, overlap, now);
        Self { filter, from, to }
    }

    fn fixed(&self) -> FixedWindow {
        FixedWindow::new(self.filter.name(), self.from, self.to)
    }

    /// Fails for a ticket outside the window.
    fn require_inside(&self, ticket: &Ticket) -> Result<(), Failure> {
        let at = match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        };
        self.fixed().require_inside(TICKETS, ticket.id, at)
    }
}

/// Reads the window until the number of tickets matches upstream's total count.
pub(crate) async fn scan_window(run: &Run, window: Window, work: &mut Work) -> Result<(), Failure> {
    let mut attempts = Attempts::at(TICKETS);
    let covers = loop {
        if let Some(covers) = attempts.check(scan_once(run, &window, work).await?)? {
            break covers;
        }
    };
    work.covers = Some(covers);
    work.tickets = Some(TicketProgress {
        cursor_at: covers.1,
        scan: None,
    });
    Ok(())
}

async fn scan_once(
    run: &Run,
    window: &Window,
    work: &mut Work,
) -> Result<Attempt<(DateTime<Utc>, DateTime<Utc>)>, Failure> {
    let fixed = window.fixed();
    let request = fixed.request(PATH, run.context.config.tickets.page_size);
    let mut pages = Pages::new(&run.context, request);
    let mut received = Received::default();
    while let Some(page) = pages.next().await? {
        let page = parse(&run.context, page);
        page.tickets
            .iter()
            .try_for_each(|ticket| window.require_inside(ticket))?;
        store(run, &page, None, work).await?;
        let ids = page.tickets.iter().map(|ticket| ticket.id.to_string());
        received.add(ids, page.unreadable.len());
        work.tally.claimed = Some(pages.claimed);
    }
    work.accounted = Some(received.count());
    Ok(received.attempt(&fixed, &pages))
}
