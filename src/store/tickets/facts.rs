//! Changes (events) of tickets, to be inserted into the change log.

use chrono::{DateTime, Utc};

use crate::model::{ChangeKind, TicketStatement, ticket_facts};
use crate::store::advisories::history::KeptTicket;
use crate::store::change::Fact;
use crate::store::origin::ChunkOrigin;

/// Changes of a ticket's new version, which is its first if there is no former one.
pub(crate) fn of_version(
    id: i64,
    former: Option<&KeptTicket>,
    now: &TicketStatement,
    modified_at: Option<DateTime<Utc>>,
    origin: ChunkOrigin,
) -> Vec<Fact> {
    let (version, mut whats) = match former {
        None => (1, vec![ChangeKind::TicketOpened]),
        Some(former) => (former.version + 1, vec![ChangeKind::TicketRevised]),
    };
    if let Some(former) = former {
        whats.extend(ticket_facts(&former.statement, now));
    }
    if origin.has_drifted(modified_at) {
        whats.push(ChangeKind::Drifted);
    }
    let fact = |what| Fact {
        key: id.to_string(),
        version,
        what,
        is_news: false,
    };
    whats.into_iter().map(fact).collect()
}
