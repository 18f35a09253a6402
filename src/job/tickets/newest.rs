//! The newest copy of each ticket that a run has received. What upstream sends is the
//! current state, also where its `modified` is earlier than the stored one: a backup was
//! restored, or a clock went back. Only an older copy of what the same run has received is
//! not: rows that move between pages come twice, and not all servers of upstream are equally
//! up to date.

use std::collections::HashMap;

use super::page::{TicketPage, refused};
use crate::job::run::Copied;
use crate::model::Ticket;
use crate::store::origin::ChunkOrigin;
use crate::store::tickets::ticket::version_hash;

/// Why an older copy is kept apart.
const WHY: &str = "older copy: the same run received one of this ticket that was modified later";

/// Moves the older copies of a page to its `older` ones. `newest` is what the run has
/// received before, and then with the page.
pub(super) fn sort_out(
    newest: &mut HashMap<i64, Copied>,
    page: &mut TicketPage,
    origin: ChunkOrigin,
) {
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut current: Vec<Ticket> = Vec::with_capacity(page.tickets.len());
    for ticket in std::mem::take(&mut page.tickets) {
        let modified_at = origin.plausible(ticket.modified_at);
        let hash = version_hash(&ticket);
        let known = newest.get(&ticket.id);
        let is_older = known.is_some_and(|(known_at, _)| modified_at < *known_at);
        let is_other = known.is_some_and(|(_, known)| *known != hash);
        let slot = places.get(&ticket.id).and_then(|at| current.get_mut(*at));
        let older = match slot {
            _ if is_older => Some(ticket),
            Some(before) => {
                newest.insert(ticket.id, (modified_at, hash));
                Some(std::mem::replace(before, ticket))
            }
            None => {
                newest.insert(ticket.id, (modified_at, hash));
                places.insert(ticket.id, current.len());
                current.push(ticket);
                None
            }
        };
        let older = older.filter(|_| is_other);
        page.older
            .extend(older.map(|ticket| refused(&ticket, WHY.to_owned())));
    }
    page.tickets = current;
}
