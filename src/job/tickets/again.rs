//! Asks again for tickets of which only a part came.

use tracing::warn;

use super::alone::{SingleTicket, ask};
use super::page::TicketPage;
use super::store_page::store;
use super::stub::set_aside;
use crate::http::ClientError;
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::counted;
use crate::store::tickets::known;

/// Tickets that are asked for alone in one run.
const MAX_ASKED: usize = 20;

/// Asks for each ticket alone of which only a part came, in this run or before.
pub(super) async fn ask_again(run: &Run, work: &mut Work) -> Result<(), Failure> {
    let mut connection = run.context.pool.acquire().await?;
    let source_id = run.origin.source_id;
    let parts = known::parts(&mut connection, source_id).await?;
    drop(connection);
    let mut ids: Vec<i64> = parts.into_keys().collect();
    ids.sort_unstable();
    let mut whole = TicketPage::default();
    for id in ids.iter().take(MAX_ASKED) {
        match ask(run, *id).await {
            Ok(SingleTicket::Exists(ticket)) => whole.tickets.push(*ticket),
            Ok(SingleTicket::Gone | SingleTicket::Unknown) => {}
            Err(Failure::Upstream(error)) if !ends_run(&error) => {
                warn!(
                    ticket = id,
                    error = %error,
                    "tickets: only a part of ticket {id} was received, and requesting it alone failed: {error}; the next run requests it again"
                );
                break;
            }
            Err(failure) => return Err(failure),
        }
    }
    set_aside(run, &mut whole).await?;
    // Those that are only parts again are in quarantine already.
    whole.unreadable.clear();
    if whole.tickets.is_empty() {
        return Ok(());
    }
    warn!(
        whole = whole.tickets.len(),
        "tickets: only a part of {} was received; they were requested one by one and are now complete",
        counted(whole.tickets.len(), "ticket")
    );
    store(run, &mut whole, None, work).await
}

fn ends_run(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::TokenRejected { .. } | ClientError::DailyBudget { .. }
    )
}
