//! An incremental window over the tickets: both bounds frozen, every row
//! checked, the count reconciled.

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tracing::warn;

use super::failure::Failure;
use super::run::{Run, TicketProgress, Work};
use super::ticket_page::{self, MAX_PAGES, TicketPage, Which};
use super::ticket_walk::store;
use crate::model::Ticket;
use crate::store::ticket_reading::DateFilter;

/// How often a window is walked when the counts disagree (design.md).
const ATTEMPTS: u32 = 3;

/// A frozen window.
pub(super) struct Window {
    pub filter: DateFilter,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Window {
    /// From the cursor less the overlap to now, in whole seconds.
    pub(super) fn since(
        filter: DateFilter,
        cursor_at: DateTime<Utc>,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        let from = (cursor_at - overlap).trunc_subsecs(0);
        Self {
            filter,
            from,
            to: now.trunc_subsecs(0).max(from),
        }
    }

    fn query(&self, page_size: u32) -> Vec<(String, String)> {
        let stem = self.filter.name();
        vec![
            (format!("{stem}__gte"), self.from.timestamp().to_string()),
            (format!("{stem}__lt"), self.to.timestamp().to_string()),
            ("page_size".to_owned(), page_size.to_string()),
        ]
    }

    /// Whether a ticket may be in the answer. One whose time we cannot read may.
    fn admits(&self, ticket: &Ticket) -> bool {
        let at = match self.filter {
            DateFilter::Modified => ticket.modified_at,
            DateFilter::Created => ticket.created_at,
            DateFilter::None => None,
        };
        at.is_none_or(|at| at >= self.from && at < self.to)
    }
}

/// Reads the window until what came agrees with upstream's own count.
pub(super) async fn walk_window(run: &Run, window: Window, work: &mut Work) -> Result<(), Failure> {
    let mut last = (0, 0);
    for _ in 0..ATTEMPTS {
        let walked = walk_once(run, &window, work).await?;
        work.accounted = Some(walked.seen);
        if walked.seen == walked.claimed {
            // Our idea of upstream's clock may have been ahead of it.
            let to = walked
                .date
                .map_or(window.to, |date| date.min(window.to))
                .max(window.from);
            work.covers = Some((window.from, to));
            work.tickets = Some(TicketProgress {
                cursor_at: to,
                walk: None,
            });
            return Ok(());
        }
        let Walked { claimed, seen, .. } = walked;
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

struct Walked {
    claimed: u64,
    seen: u64,
    date: Option<DateTime<Utc>>,
}

async fn walk_once(run: &Run, window: &Window, work: &mut Work) -> Result<Walked, Failure> {
    let mut ids = HashSet::new();
    let mut walked = Walked {
        claimed: 0,
        seen: 0,
        date: None,
    };
    let mut url: Option<String> = None;
    let mut unreadable = 0;
    for page_number in 0..MAX_PAGES {
        let which = match &url {
            Some(url) => Which::At(url),
            None => Which::First(window.query(run.context.config.tickets.page_size)),
        };
        let Some(page) = ticket_page::read(&run.context, which).await? else {
            walked.seen = ids.len() as u64 + unreadable;
            return Ok(walked);
        };
        check(window, &page)?;
        if page_number == 0 {
            walked.claimed = page.claimed;
            walked.date = page.date;
            work.tally.claimed = Some(page.claimed);
        }
        unreadable += page.unreadable.len() as u64;
        store(run, &page, None, work).await?;
        ids.extend(page.tickets.iter().map(|ticket| ticket.id));
        if page.next.is_none() {
            walked.seen = ids.len() as u64 + unreadable;
            return Ok(walked);
        }
        if page.next == url {
            return Err(Failure::TooManyPages { pages: page_number });
        }
        url = page.next;
    }
    Err(Failure::TooManyPages { pages: MAX_PAGES })
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
