//! What `advisoryd sync` reads about single advisories from the JSON API: revisions that no
//! feed shows, and details.

use super::output::print_json;
use super::progress;
use super::report::{print_batches, print_run};
use super::sync_report::{quarantined_nothing_new, report};
use crate::job::context::Context;
use crate::job::details::fetch::{self, Fetched};
use crate::job::details::revision_scan;
use crate::job::run::Ran;
use crate::model::{Outcome, SourceKey};
use crate::store::database;
use crate::store::wanted::{backlog, queue};

/// One sweep; nothing while upstream refuses it.
pub(super) async fn scan_revisions(context: &Context, json: bool) -> anyhow::Result<bool> {
    let bar = progress::Bar::start(context, "revision scan");
    let swept = revision_scan::scan_revisions(context).await;
    bar.finish();
    let ran = match swept {
        Ok(None) => return Ok(true),
        Ok(Some(ran)) => Ok(ran),
        Err(failure) => Err(failure.chain()),
    };
    report(context, &SourceKey::RevisionScan, ran, json).await
}

/// Fetches the details that are due, batch by batch: one summary line for all of them, or
/// one JSON object each. Revisions that the scan has found wait for the feeds, unless these
/// were read before.
pub(super) async fn fetch_details(
    context: &Context,
    feeds_were_read: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let mut transaction = database::begin(&context.pool).await?;
    let (details, now) = (context.config.feeds.details, context.clock.now());
    if feeds_were_read {
        queue::feeds_were_read(&mut transaction, now).await?;
    }
    let pending = backlog::backlog(&mut transaction, details, now).await?;
    transaction.commit().await?;
    let bar = progress::Bar::start(context, "details");
    context
        .progress
        .expect_records(u64::try_from(pending.wanted).unwrap_or(0));
    let mut reports = Vec::new();
    let mut failure = None;
    while !context.stop.is_cancelled() {
        match fetch::fetch(context).await {
            Ok(Fetched::Ended(report)) => {
                let is_last = report.outcome != Outcome::Ok;
                if json {
                    print_json(&report)?;
                }
                reports.push(report);
                if is_last {
                    break;
                }
            }
            Ok(Fetched::Busy(_) | Fetched::Nothing(_) | Fetched::Paused(_)) => break,
            Err(failed) => {
                failure = Some(failed.chain());
                break;
            }
        }
    }
    bar.finish();
    let mut good = true;
    for report in &reports {
        let ran = Ok(Ran::Ended(report.clone()));
        good &= quarantined_nothing_new(context, &SourceKey::Details, &ran).await?;
    }
    good &= print_batches(&SourceKey::Details, reports, json);
    if let Some(error) = failure {
        good &= print_run(&SourceKey::Details, Err(error), json)?;
    }
    Ok(good)
}
