//! Rows that are only a part of a ticket, such as `{"id": 3}`: what they lack did not change.
//! The stored ticket stays, the row is quarantined, and the ticket is asked for alone, at the
//! end of this run and of the next ones.

use chrono::TimeDelta;

use super::page::{TicketPage, refused};
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::model::{QuarantineKind, Ticket};
use crate::source::ticket::{has_field, is_bare};
use crate::store::ledger::quarantine::QuarantineEntry;
use crate::store::tickets::known;

/// A field that no row of a page has any more is gone if the rows have come so for this long.
const BELIEVED_AFTER: TimeDelta = TimeDelta::hours(24);

/// Moves the rows that are only a part of a stored ticket to the unreadable ones of the page.
pub(super) async fn set_aside(run: &Run, page: &mut TicketPage) -> Result<(), Failure> {
    let mut connection = run.context.pool.acquire().await?;
    let ids: Vec<i64> = page.tickets.iter().map(|ticket| ticket.id).collect();
    let stored = known::columns(&mut connection, &ids).await?;
    let lacking = |ticket: &Ticket| -> Vec<String> {
        let columns = stored.get(&ticket.id).into_iter().flatten();
        let lacking = columns.filter(|column| !has_field(&ticket.raw, column));
        lacking.cloned().collect()
    };
    let parts: Vec<(i64, Vec<String>)> = page
        .tickets
        .iter()
        .map(|ticket| (ticket.id, lacking(ticket)))
        .filter(|(_, lacking)| !lacking.is_empty())
        .collect();
    let blank = |ticket: &&Ticket| {
        is_bare(ticket) && stored.get(&ticket.id).is_some_and(|columns| says(columns))
    };
    let blank: Vec<i64> = page
        .tickets
        .iter()
        .filter(blank)
        .map(|one| one.id)
        .collect();
    if parts.is_empty() && blank.is_empty() {
        return Ok(());
    }
    let sample = known::sample(&mut connection).await?;
    let source_id = run.origin.source_id;
    let before = known::parts(&mut connection, source_id).await?;
    let is_usual = |column: &String| sample.iter().all(|raw| has_field(raw, column));
    let is_on_page = |column: &String| page.tickets.iter().any(|one| has_field(&one.raw, column));
    let now = run.origin_now().at;
    let refuse = |(id, lacking): &(i64, Vec<String>)| {
        let is_old = before.get(id).is_some_and(|at| now - *at > BELIEVED_AFTER);
        let counts = |column: &&String| is_usual(column) && (!is_old || is_on_page(column));
        let lacking: Vec<&str> = lacking.iter().filter(counts).map(String::as_str).collect();
        (!lacking.is_empty()).then(|| (*id, lacking.join(", ")))
    };
    let mut reasons: Vec<(i64, String)> = parts.iter().filter_map(refuse).collect();
    reasons.extend(
        blank
            .into_iter()
            .map(|id| (id, "everything else".to_owned())),
    );
    move_to_unreadable(page, &reasons);
    Ok(())
}

/// Whether a ticket has more than numbers by which it is known.
fn says(columns: &[String]) -> bool {
    columns.iter().any(|column| column != "pretty_id")
}

fn move_to_unreadable(page: &mut TicketPage, reasons: &[(i64, String)]) {
    for ticket in std::mem::take(&mut page.tickets) {
        match reasons.iter().rfind(|(id, _)| *id == ticket.id) {
            None => page.tickets.push(ticket),
            Some((_, lacking)) => {
                let reason = format!(
                    "only a part of the ticket was received: it lacks {lacking}, which the stored ticket has; the stored ticket is kept, and the ticket is requested by its id"
                );
                page.unreadable.push(QuarantineEntry {
                    kind: QuarantineKind::PartOfTicket,
                    ..refused(&ticket, reason)
                });
            }
        }
    }
}
