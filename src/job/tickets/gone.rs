//! Asks for each ticket alone that a full scan did not find, before it is marked as gone:
//! upstream may list it elsewhere, or not list it.

use tracing::warn;

use super::alone::{SingleTicket, ask};
use super::page::TicketPage;
use super::store_page::store;
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::counted;

/// How many tickets are asked for. If none of them exists, the scan is right about the
/// others too.
const MAX_ASKED: usize = 100;

/// Says that no ticket counts as gone: the missing ones may be the rows without an id.
pub(super) fn warn_of_rows_without_id(missing: u64, without_id: u64) {
    if missing > 0 {
        warn!(
            missing,
            without_id,
            "tickets: the full scan did not find {}, but it has {} without a readable id, which may be among them; no ticket is marked as deleted until a full scan reads all ids",
            counted(missing, "ticket"),
            counted(without_id, "row")
        );
    }
}

/// The tickets among the missing ones that are gone. Those that exist are stored.
pub(super) async fn confirmed(
    run: &Run,
    missing: Vec<i64>,
    work: &mut Work,
) -> Result<Vec<i64>, Failure> {
    let (asked, others) = missing.split_at(missing.len().min(MAX_ASKED));
    let (mut gone, mut found) = (Vec::new(), TicketPage::default());
    let mut unknown = 0;
    for id in asked {
        match ask(run, *id).await? {
            SingleTicket::Exists(ticket) => found.tickets.push(*ticket),
            SingleTicket::Gone => gone.push(*id),
            SingleTicket::Unknown => unknown += 1,
        }
    }
    if unknown > 0 {
        warn!(
            unknown,
            "tickets: the full scan did not find {}, and for {unknown} of them upstream returned neither the ticket nor status 404; these are marked as deleted only when another full scan confirms it",
            counted(missing.len(), "ticket")
        );
    }
    if found.tickets.is_empty() {
        return Ok(if unknown == 0 { missing } else { gone });
    }
    warn!(
        found = found.tickets.len(),
        not_asked = others.len(),
        "tickets: {} that the full scan did not find still exist upstream, the first is {}; they are stored. Of the {} missing ones, only those are marked as deleted for which upstream returned that they do not exist",
        counted(found.tickets.len(), "ticket"),
        found.tickets.first().map_or(0, |ticket| ticket.id),
        missing.len()
    );
    store(run, &mut found, None, work).await?;
    Ok(gone)
}
