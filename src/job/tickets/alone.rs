//! Asks upstream for a single ticket.

use super::page::PATH;
use crate::http::{BodyType, ClientError, Request};
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::model::Ticket;
use crate::source::ticket;

/// What upstream says of one ticket that is asked for alone.
pub(super) enum SingleTicket {
    Exists(Box<Ticket>),
    /// Upstream does not have it, or does not answer such a question: the scan decides.
    Gone,
    /// The answer is not upstream's, is an older copy, is about something else, or is too
    /// large to be read.
    Unknown,
}

pub(super) async fn ask(run: &Run, id: i64) -> Result<SingleTicket, Failure> {
    let context = &run.context;
    let request = Request::new(format!("{PATH}{id}/"), BodyType::JsonObject);
    let response = context.client.get_whole(&request);
    let mut response = match context.or_stopped(response).await? {
        Err(
            ClientError::NotFound { is_copy: false, .. }
            | ClientError::Offline { .. }
            | ClientError::Forbidden {
                is_upstreams: true, ..
            }
            | ClientError::Refused {
                is_upstreams: true, ..
            },
        ) => return Ok(SingleTicket::Gone),
        Err(
            ClientError::NotFound { .. }
            | ClientError::Forbidden { .. }
            | ClientError::Refused { .. }
            | ClientError::Html { .. }
            | ClientError::WrongType { .. },
        ) => return Ok(SingleTicket::Unknown),
        // It exists, but cannot be read.
        Err(error) if error.is_too_large() => return Ok(SingleTicket::Unknown),
        response => response?,
    };
    let body = response.bytes().await?;
    let ticket = ticket::read_alone(&body);
    Ok(match ticket.filter(|ticket| ticket.id == id) {
        Some(ticket) => SingleTicket::Exists(Box::new(ticket)),
        None => SingleTicket::Unknown,
    })
}
