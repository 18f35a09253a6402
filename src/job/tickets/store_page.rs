//! Stores a page of tickets, in one transaction where the database refuses none of them.

use sqlx::PgConnection;

use super::newest::sort_out;
use super::page::{TicketPage, refused as refused_ticket};
use super::stub;
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::source::ticket_values;
use crate::store;
use crate::store::ledger::{quarantine, unknown_field};
use crate::store::tickets::scan::{self, Scan};
use crate::store::tickets::ticket::{self, MergedTickets};

/// Stores one page, with a checkpoint if it belongs to a full scan. A ticket that the
/// database refuses is moved to the page's unreadable records.
pub(crate) async fn store(
    run: &Run,
    page: &mut TicketPage,
    progress: Option<&Scan>,
    work: &mut Work,
) -> Result<(), Failure> {
    stub::set_aside(run, page).await?;
    let seen = page.tickets.len() as u64;
    sort_out(&mut work.newest, page, run.origin_now());
    let merged = match write(run, page, progress).await {
        Err(Failure::Store(error)) if store::refused_value(&error).is_some() => {
            write_one_by_one(run, page, progress).await?
        }
        merged => merged?,
    };
    for ticket in &page.tickets {
        work.received.add(&ticket::content_hash(&ticket.raw));
    }
    for record in page.unreadable.iter().chain(&page.older) {
        work.received.add(&record.byte_hash);
    }
    work.tally.seen += seen;
    work.tally.added += merged.added;
    work.tally.changed += merged.changed;
    work.tally.unchanged += merged.unchanged;
    work.tally.quarantined += page.unreadable.len() as u64;
    Ok(())
}

/// Stores each ticket in a transaction of its own, then the unreadable records and the
/// checkpoint.
async fn write_one_by_one(
    run: &Run,
    page: &mut TicketPage,
    progress: Option<&Scan>,
) -> Result<MergedTickets, Failure> {
    let mut merged = MergedTickets::default();
    let (tickets, mut stored) = (std::mem::take(&mut page.tickets), Vec::new());
    for ticket in tickets {
        let mut single = TicketPage {
            tickets: vec![ticket],
            ..TicketPage::default()
        };
        match write(run, &single, None).await {
            Ok(one) => {
                merged.added += one.added;
                merged.changed += one.changed;
                merged.unchanged += one.unchanged;
                stored.append(&mut single.tickets);
            }
            Err(Failure::Store(error)) => {
                let Some(reason) = store::refused_value(&error) else {
                    return Err(error.into());
                };
                let refused = single.tickets.iter();
                page.unreadable
                    .extend(refused.map(|ticket| refused_ticket(ticket, reason.clone())));
            }
            Err(failure) => return Err(failure),
        }
    }
    page.tickets = stored;
    write_rest(run, page, progress).await?;
    Ok(merged)
}

/// Writes a page in one transaction.
async fn write(
    run: &Run,
    page: &TicketPage,
    progress: Option<&Scan>,
) -> Result<MergedTickets, Failure> {
    let ids: Vec<i64> = page.tickets.iter().map(|ticket| ticket.id).collect();
    let mut transaction = run.transaction().await?;
    let merged = ticket::merge(&mut transaction, run.origin_now(), &page.tickets).await?;
    if !quarantine::is_empty(&mut transaction, run.origin.source_id).await? {
        quarantine::release_tickets(
            &mut transaction,
            run.origin.source_id,
            &ids,
            run.origin_now().at,
        )
        .await?;
    }
    finish_page(run, page, progress, &mut transaction).await?;
    transaction.commit().await?;
    Ok(merged)
}

/// Writes what belongs to a page whose tickets are stored.
async fn write_rest(run: &Run, page: &TicketPage, progress: Option<&Scan>) -> Result<(), Failure> {
    let mut transaction = run.transaction().await?;
    finish_page(run, page, progress, &mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Writes the unreadable records, the older copies and the checkpoint of a page.
async fn finish_page(
    run: &Run,
    page: &TicketPage,
    progress: Option<&Scan>,
    transaction: &mut PgConnection,
) -> Result<(), Failure> {
    let unread: Vec<_> = page.tickets.iter().map(ticket_values::unread).collect();
    let unread = unread.iter().flatten();
    let unknown = page.unknown.iter().map(|(name, value)| (name, value));
    let unknown = unread
        .chain(unknown)
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    unknown_field::record_names(transaction, run.origin, unknown).await?;
    quarantine::keep(transaction, run.origin, &page.unreadable).await?;
    quarantine::keep_replaced(transaction, run.origin_now(), &page.older).await?;
    if let Some(progress) = progress {
        scan::checkpoint(transaction, progress, &page.ids(), &page.repeats).await?;
    }
    Ok(())
}
