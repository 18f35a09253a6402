//! One page of the tickets, from upstream to the model.

use chrono::{DateTime, Utc};

use super::context::Context;
use super::failure::Failure;
use crate::http::{Answer, Kind, Request};
use crate::model::{Ticket, fingerprint};
use crate::source::page::Page;
use crate::source::ticket;
use crate::store::quarantine::Unreadable;

/// Where upstream serves tickets (contract §6).
pub(super) const PATH: &str = "/api/tickets/";
/// Pages in one walk; at 100 tickets a page that is ten million.
pub(super) const MAX_PAGES: u32 = 100_000;

/// One page, read.
pub(super) struct TicketPage {
    pub claimed: u64,
    pub next: Option<String>,
    pub tickets: Vec<Ticket>,
    pub unreadable: Vec<Unreadable>,
    pub date: Option<DateTime<Utc>>,
}

/// Which page to read.
pub(super) enum Which<'a> {
    First(Vec<(String, String)>),
    At(&'a str),
}

/// Reads one page. `None`: the page is past the end
/// (contract §4), which only a page that is not the first can be.
pub(super) async fn read(
    context: &Context,
    which: Which<'_>,
) -> Result<Option<TicketPage>, Failure> {
    let first = matches!(which, Which::First(_));
    let answer = async {
        match which {
            Which::First(query) => {
                let request = Request {
                    path: PATH.to_owned(),
                    query,
                    kind: Kind::Json,
                };
                context.client.get_whole(&request).await
            }
            Which::At(url) => context.client.get_url_whole(url, Kind::Json).await,
        }
    };
    let answer = tokio::select! {
        biased;
        () = context.stop.cancelled() => return Err(Failure::Stopped),
        answer = answer => answer,
    };
    let answer = match answer {
        Err(error) if !first && error.is_invalid_page() => return Ok(None),
        answer => answer?,
    };
    Ok(Some(parse(context, answer).await?))
}

async fn parse(context: &Context, mut answer: Answer) -> Result<TicketPage, Failure> {
    let body = answer.bytes().await?;
    let Page {
        count,
        next,
        results,
    } = Page::read(&body)?;
    let mut page = TicketPage {
        claimed: count,
        next: next.filter(|url| !url.is_empty()),
        tickets: Vec::with_capacity(results.len()),
        unreadable: Vec::new(),
        date: answer.date,
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
    context
        .progress
        .add(body.len() as u64, page.tickets.len() as u64);
    Ok(page)
}
