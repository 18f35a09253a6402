//! Scheduled full pulls (`[schedule] full_feeds`): each list is read with its first
//! look-back again. Only this brings old advisories of a product that was added to the
//! list upstream, and only this shows which advisories are no longer in it.

use super::due::is_due;
use super::feed::{Feed, LookBack};
use super::pull::pull;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Ran;
use crate::model::Outcome;
use crate::store::ledger::source;

/// Pulls what a tick of the schedule requires: everything if a full pull is due, and
/// otherwise, or if that failed, what is missing.
pub async fn pull_due(context: &Context, feed: &Feed) -> Result<Vec<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let found = source::find(&mut connection, &feed.key).await?;
    drop(connection);
    let mut ran = Vec::new();
    if found.is_some_and(|found| is_due(context, &found)) {
        ran.push(pull(context, feed, LookBack::Full).await?);
        let is_failed = ran.iter().any(|one| match one {
            Ran::Ended(report) => matches!(report.outcome, Outcome::Failed(_)),
            Ran::Busy(_) => false,
        });
        if !is_failed {
            return Ok(ran);
        }
    }
    ran.push(pull(context, feed, LookBack::Missing).await?);
    Ok(ran)
}
