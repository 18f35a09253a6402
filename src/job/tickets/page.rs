//! One page of the tickets, from upstream to the model.

use crate::job::collection::page::PageResult;
use crate::job::context::Context;
use crate::model::{Ticket, fingerprint};
use crate::source::ticket;
use crate::store::ledger::quarantine::Unreadable;

/// Where upstream serves tickets (contract §6).
pub(crate) const PATH: &str = "/api/tickets/";
/// What messages call its rows.
pub(crate) const TICKETS: &str = "tickets";

/// One page, read.
pub(crate) struct TicketPage {
    pub tickets: Vec<Ticket>,
    pub unreadable: Vec<Unreadable>,
}

/// Reads the rows of a page.
pub(crate) fn parse(context: &Context, came: PageResult) -> TicketPage {
    let PageResult { page, bytes } = came;
    let mut read = TicketPage {
        tickets: Vec::with_capacity(page.results.len()),
        unreadable: Vec::new(),
    };
    for raw in page.results {
        match ticket::read(raw) {
            Ok(ticket) => read.tickets.push(ticket),
            Err(crate::source::page::Unreadable { key, reason, raw }) => {
                let byte_hash = fingerprint(raw.as_bytes());
                // Text cannot hold NUL; in JSON it is written as an escape already.
                read.unreadable.push(Unreadable {
                    key,
                    reason,
                    byte_hash,
                    raw,
                });
            }
        }
    }
    context.progress.add(bytes, read.tickets.len() as u64);
    read
}
