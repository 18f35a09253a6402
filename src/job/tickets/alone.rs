//! Asks upstream for a single ticket.

use super::page::PATH;
use crate::http::{ClientError, Kind, Request};
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::model::Ticket;
use crate::source::ticket;

/// What upstream says of one ticket that is asked for alone.
pub(super) enum Asked {
    Exists(Box<Ticket>),
    /// Upstream does not have it, or does not answer such a question: the scan decides.
    Gone,
    /// The answer is not upstream's, is an older copy, is about something else, or is too
    /// large to be read.
    Unknown,
}

pub(super) async fn ask(run: &Run, id: i64) -> Result<Asked, Failure> {
    let context = &run.context;
    let request = Request::new(format!("{PATH}{id}/"), Kind::JsonObject);
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
        ) => return Ok(Asked::Gone),
        Err(
            ClientError::NotFound { .. }
            | ClientError::Forbidden { .. }
            | ClientError::Refused { .. }
            | ClientError::Html { .. }
            | ClientError::WrongType { .. },
        ) => return Ok(Asked::Unknown),
        // It exists, but cannot be read.
        Err(error) if error.is_too_large() => return Ok(Asked::Unknown),
        response => response?,
    };
    let body = response.bytes().await?;
    let ticket = ticket::read_alone(&body);
    Ok(match ticket.filter(|ticket| ticket.id == id) {
        Some(ticket) => Asked::Exists(Box::new(ticket)),
        None => Asked::Unknown,
    })
}
