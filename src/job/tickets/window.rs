//! An incremental window over the tickets: both bounds frozen, every row
//! checked, the count reconciled.

use chrono::{DateTime, TimeDelta, Utc};

use super::page::{PATH, TICKETS, parse};
use super::scan::store;
use crate::job::collection::count::{Tried, Tries};
use crate::job::collection::page::Pages;
use crate::job::collection::window::{Frozen, Received};
use crate::job::failure::Failure;
use crate::job::run::{Run, TicketProgress, Work};
use crate::model::{DateFilter, Ticket};

/// A frozen window.
pub(crate) struct Window {
    pub filter: DateFilter,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Window {
    /// From the cursor less the overlap to now, in whole seconds.
    pub(crate) fn since(
        filter: DateFilter,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        let Frozen { from, to, .. } = Frozen::since(filter.name(), cursor_at, overlap, now);
        Self { filter, from, to }
    }

    fn frozen(&self) -> Frozen {
        Frozen::new(self.filter.name(), self.from, self.to)
    }

    /// Refuses a ticket that should not be in the answer.
    fn admit(&self, ticket: &Ticket) -> Result<(), Failure> {
        let at = match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        };
        self.frozen().admit(TICKETS, ticket.id, at)
    }
}

/// Reads the window until what came agrees with upstream's own count.
pub(crate) async fn scan_window(run: &Run, window: Window, work: &mut Work) -> Result<(), Failure> {
    let mut tries = Tries::at(TICKETS);
    let covers = loop {
        if let Some(covers) = tries.judge(walk_once(run, &window, work).await?)? {
            break covers;
        }
    };
    work.covers = Some(covers);
    work.tickets = Some(TicketProgress {
        cursor_at: covers.1,
        walk: None,
    });
    Ok(())
}

async fn walk_once(
    run: &Run,
    window: &Window,
    work: &mut Work,
) -> Result<Tried<(DateTime<Utc>, DateTime<Utc>)>, Failure> {
    let frozen = window.frozen();
    let request = frozen.request(PATH, run.context.config.tickets.page_size);
    let mut pages = Pages::new(&run.context, request);
    let mut received = Received::default();
    while let Some(came) = pages.next().await? {
        let page = parse(&run.context, came);
        page.tickets
            .iter()
            .try_for_each(|ticket| window.admit(ticket))?;
        store(run, &page, None, work).await?;
        let ids = page.tickets.iter().map(|ticket| ticket.id.to_string());
        received.add(ids, page.unreadable.len());
        work.tally.claimed = Some(pages.claimed);
    }
    work.accounted = Some(received.count());
    Ok(received.tried(&frozen, &pages))
}
