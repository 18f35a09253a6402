//! One page of the tickets, from upstream to the model.

use chrono::{DateTime, Utc};

use crate::job::collection::page::{self, Came, Which};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{Ticket, fingerprint};
use crate::source::page::Page;
use crate::source::ticket;
use crate::store::ledger::quarantine::Unreadable;

/// Where upstream serves tickets (contract §6).
pub(crate) const PATH: &str = "/api/tickets/";

/// One page, read.
pub(crate) struct TicketPage {
    pub claimed: u64,
    pub next: Option<String>,
    pub tickets: Vec<Ticket>,
    pub unreadable: Vec<Unreadable>,
    pub date: Option<DateTime<Utc>>,
}

/// Reads one page. `None`: the page is past the end
/// (contract §4), which only a page that is not the first can be.
pub(crate) async fn read(
    context: &Context,
    which: Which<'_>,
) -> Result<Option<TicketPage>, Failure> {
    let came = page::read(context, PATH, which).await?;
    Ok(came.map(|came| parse(context, came)))
}

fn parse(context: &Context, came: Came) -> TicketPage {
    let Came { page, date, bytes } = came;
    let Page {
        count,
        next,
        results,
    } = page;
    let mut page = TicketPage {
        claimed: count,
        next,
        tickets: Vec::with_capacity(results.len()),
        unreadable: Vec::new(),
        date,
    };
    for raw in results {
        match ticket::read(raw) {
            Ok(ticket) => page.tickets.push(ticket),
            Err(crate::source::page::Unreadable { key, reason, raw }) => {
                let byte_hash = fingerprint(raw.as_bytes());
                // Text cannot hold NUL; in JSON it is written as an escape already.
                page.unreadable.push(Unreadable {
                    key,
                    reason,
                    byte_hash,
                    raw,
                });
            }
        }
    }
    context.progress.add(bytes, page.tickets.len() as u64);
    page
}
