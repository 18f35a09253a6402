//! Parses a page of tickets from JSON into the model.

use crate::job::collection::page::PageResult;
use crate::job::context::Context;
use crate::model::{Fingerprint, QuarantineKind, Ticket, fingerprint};
use crate::source::large::Large;
use crate::source::{self, ticket};
use crate::store::ledger::quarantine::QuarantineEntry;

/// Path of the tickets.
pub(crate) const PATH: &str = "/api/tickets/";
/// The name of the rows in messages.
pub(crate) const TICKETS: &str = "tickets";

/// A parsed page.
#[derive(Default)]
pub(crate) struct TicketPage {
    pub tickets: Vec<Ticket>,
    pub unreadable: Vec<QuarantineEntry>,
    /// Copies of tickets of which this run received a newer one.
    pub older: Vec<QuarantineEntry>,
    /// Ids of rows whose id another row of the same response has.
    pub repeats: Vec<i64>,
    /// Keys beside the rows of which nothing is known, and their values.
    pub unknown: Vec<(String, String)>,
}

impl TicketPage {
    /// The tickets on the page, unreadable ones included: they exist upstream.
    pub(crate) fn ids(&self) -> Vec<i64> {
        let unreadable = self.unreadable.iter().filter_map(id);
        let read = self.tickets.iter().map(|ticket| ticket.id);
        read.chain(unreadable).collect()
    }

    /// The unreadable records whose id is not known.
    pub(crate) fn without_id(&self) -> impl Iterator<Item = Fingerprint> {
        let unknown = self.unreadable.iter().filter(|record| id(record).is_none());
        unknown.map(|record| record.byte_hash)
    }
}

fn id(record: &QuarantineEntry) -> Option<i64> {
    record.key.as_ref()?.parse().ok()
}

/// Parses the rows of a page.
pub(crate) fn parse(context: &Context, received: PageResult) -> TicketPage {
    let PageResult {
        page,
        large,
        repeats,
        bytes,
    } = received;
    let mut parsed = TicketPage {
        tickets: Vec::with_capacity(page.results.len()),
        repeats,
        unknown: page.unknown,
        ..TicketPage::default()
    };
    for mut row in page.unreadable {
        row.key = ticket::id_of(&row.raw).map(|id| id.to_string());
        parsed.unreadable.push(kept(row));
    }
    for raw in page.results {
        match ticket::read(raw) {
            Ok(ticket) => parsed.tickets.push(ticket),
            Err(unreadable) => parsed.unreadable.push(kept(unreadable)),
        }
    }
    parsed.unreadable.extend(large.into_iter().map(beginning));
    context.progress.add(bytes, parsed.tickets.len() as u64);
    parsed
}

fn kept(unreadable: source::page::UnreadableRow) -> QuarantineEntry {
    let source::page::UnreadableRow { key, reason, raw } = unreadable;
    // `text` columns cannot store NUL; JSON has it as an escape sequence already.
    QuarantineEntry {
        kind: QuarantineKind::Json,
        byte_hash: fingerprint(raw.as_bytes()),
        hints: Vec::new(),
        key,
        reason,
        raw,
    }
}

/// What is kept of a ticket that is too large.
fn beginning(row: Large) -> QuarantineEntry {
    let ticket = ticket::read(row.fields).ok();
    QuarantineEntry {
        kind: QuarantineKind::JsonBeginning,
        key: ticket.map(|ticket| ticket.id.to_string()),
        reason: row.reason,
        byte_hash: row.byte_hash,
        raw: row.head,
        hints: Vec::new(),
    }
}

/// A ticket that was parsed but that cannot be stored, and why.
pub(crate) fn refused(ticket: &Ticket, reason: String) -> QuarantineEntry {
    kept(source::page::UnreadableRow {
        key: Some(ticket.id.to_string()),
        reason,
        raw: ticket.raw.to_string(),
    })
}
