//! Asks for each ticket alone that a full scan did not find, before it is marked as gone:
//! upstream may list it elsewhere, or not list it.

use tracing::warn;

use super::page::{PATH, TicketPage};
use super::store_page::store;
use crate::http::{ClientError, Kind, Request};
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::{Ticket, counted};
use crate::source::ticket;

/// How many tickets are asked for. If none of them exists, the scan is right about the
/// others too.
const MAX_ASKED: usize = 100;

/// The tickets among the missing ones that are gone. Those that exist are stored.
pub(super) async fn confirmed(
    run: &Run,
    missing: Vec<i64>,
    work: &mut Work,
) -> Result<Vec<i64>, Failure> {
    let (asked, others) = missing.split_at(missing.len().min(MAX_ASKED));
    let (mut gone, mut found, mut unread) = (Vec::new(), TicketPage::default(), 0);
    for id in asked {
        match ask(run, *id).await? {
            Asked::Found(ticket) => found.tickets.push(*ticket),
            Asked::Exists => unread += 1,
            Asked::Missing => gone.push(*id),
        }
    }
    if found.tickets.is_empty() {
        return Ok(if unread > 0 { gone } else { missing });
    }
    warn!(
        found = found.tickets.len(),
        not_asked = others.len(),
        "tickets: {} that the full scan did not find exist upstream, the first is {}; they are stored, and of the {} that it did not find only those are marked as gone that upstream was asked for and does not have",
        counted(found.tickets.len(), "ticket"),
        found.tickets.first().map_or(0, |ticket| ticket.id),
        missing.len()
    );
    store(run, &mut found, None, work).await?;
    Ok(gone)
}

/// What upstream says of one ticket.
enum Asked {
    Found(Box<Ticket>),
    /// It is too large to be read.
    Exists,
    Missing,
}

/// The ticket, if upstream has it. An upstream that does not answer the question leaves it
/// to the scan.
async fn ask(run: &Run, id: i64) -> Result<Asked, Failure> {
    let context = &run.context;
    let request = Request::new(format!("{PATH}{id}/"), Kind::JsonObject);
    let response = context.client.get_whole(&request);
    let mut response = match context.or_stopped(response).await? {
        Err(
            ClientError::NotFound { .. }
            | ClientError::Forbidden { .. }
            | ClientError::Refused { .. }
            | ClientError::Offline { .. }
            | ClientError::Html { .. }
            | ClientError::WrongType { .. },
        ) => return Ok(Asked::Missing),
        Err(error) if error.is_too_large() => return Ok(Asked::Exists),
        response => response?,
    };
    let body = response.bytes().await?;
    let ticket = ticket::read_alone(&body).filter(|ticket| ticket.id == id);
    Ok(ticket.map_or(Asked::Missing, |ticket| Asked::Found(Box::new(ticket))))
}
