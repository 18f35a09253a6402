//! An incremental window over the tickets: both bounds frozen, every row
//! checked, the count reconciled.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::page::{self, TicketPage};
use super::scan::store;
use crate::job::collection::window::{ATTEMPTS, Frozen, Walked, Walking};
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

    /// Whether a ticket may be in the answer.
    fn admits(&self, ticket: &Ticket) -> bool {
        let at = match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        };
        self.frozen().admits(at)
    }
}

/// Reads the window until what came agrees with upstream's own count.
pub(crate) async fn walk_window(run: &Run, window: Window, work: &mut Work) -> Result<(), Failure> {
    let mut last = (0, 0);
    for _ in 0..ATTEMPTS {
        let walked = walk_once(run, &window, work).await?;
        work.accounted = Some(walked.seen());
        if let Some((from, to)) = walked.covers(&window.frozen()) {
            work.covers = Some((from, to));
            work.tickets = Some(TicketProgress {
                cursor_at: to,
                walk: None,
            });
            return Ok(());
        }
        let (claimed, seen) = (walked.claimed(), walked.seen());
        warn!(
            claimed,
            seen, "a window of tickets claims {claimed} and held {seen}; it is read again"
        );
        last = (claimed, seen);
    }
    Err(Failure::CountsDisagree {
        attempts: ATTEMPTS,
        claimed: last.0,
        seen: last.1,
    })
}

async fn walk_once(run: &Run, window: &Window, work: &mut Work) -> Result<Walking, Failure> {
    let mut walking = Walking::default();
    let page_size = run.context.config.tickets.page_size;
    loop {
        let which = walking.which(&window.frozen(), page_size);
        let Some(page) = page::read(&run.context, which).await? else {
            return Ok(walking);
        };
        check(window, &page)?;
        store(run, &page, None, work).await?;
        let walked = Walked {
            claimed: page.claimed,
            next: page.next.as_deref(),
            date: page.date,
            unreadable: page.unreadable.len(),
        };
        let ids = page.tickets.iter().map(|ticket| ticket.id.to_string());
        let is_last = walking.took(&walked, ids)?;
        work.tally.claimed = Some(walking.claimed());
        if is_last {
            return Ok(walking);
        }
    }
}

fn check(window: &Window, page: &TicketPage) -> Result<(), Failure> {
    match page.tickets.iter().find(|ticket| !window.admits(ticket)) {
        Some(ticket) => Err(Failure::FilterIgnored {
            filter: window.filter.name(),
            id: ticket.id,
        }),
        None => Ok(()),
    }
}
