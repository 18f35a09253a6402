//! The tickets of `advisoryd sync`.

use super::progress;
use super::sync_report::report;
use crate::job::context::Context;
use crate::job::tickets::sync::{self, TicketSync};
use crate::model::SourceKey;

pub(super) async fn sync_tickets(
    context: &Context,
    ask: TicketSync,
    json: bool,
) -> anyhow::Result<bool> {
    let bar = progress::Bar::start(context, "tickets");
    let ran = sync::sync(context, ask).await;
    bar.finish();
    let ran = match ran {
        Ok(all) => all.into_iter().map(Ok).collect(),
        Err(failure) => vec![Err(failure.chain())],
    };
    let mut good = true;
    for ran in ran {
        good &= report(context, &SourceKey::Tickets, ran, json).await?;
    }
    Ok(good)
}
