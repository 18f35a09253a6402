//! Parses a page of tickets from JSON into the model.

use crate::job::collection::page::PageResult;
use crate::job::context::Context;
use crate::model::{Ticket, fingerprint};
use crate::source::ticket;
use crate::store::ledger::quarantine::Unreadable;

/// Path of the tickets.
pub(crate) const PATH: &str = "/api/tickets/";
/// The name of the rows in messages.
pub(crate) const TICKETS: &str = "tickets";

/// A parsed page.
pub(crate) struct TicketPage {
    pub tickets: Vec<Ticket>,
    pub unreadable: Vec<Unreadable>,
}

/// Parses the rows of a page.
pub(crate) fn parse(context: &Context, received: PageResult) -> TicketPage {
    let PageResult { page, bytes } = received;
    let mut parsed = TicketPage {
        tickets: Vec::with_capacity(page.results.len()),
        unreadable: Vec::new(),
    };
    for raw in page.results {
        match ticket::read(raw) {
            Ok(ticket) => parsed.tickets.push(ticket),
            Err(crate::source::page::Unreadable { key, reason, raw }) => {
                let byte_hash = fingerprint(raw.as_bytes());
                // `text` columns cannot store NUL; JSON has it as an escape sequence already.
                parsed.unreadable.push(Unreadable {
                    key,
                    reason,
                    byte_hash,
                    raw,
                });
            }
        }
    }
    context.progress.add(bytes, parsed.tickets.len() as u64);
    parsed
}
