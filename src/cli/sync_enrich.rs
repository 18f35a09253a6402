//! `advisoryd sync`: the KEV catalogue and EPSS scores.

use super::output::{print_done, print_error, print_json};
use crate::job::context::Context;
use crate::job::enrichment::pull::{self as enrichment, PullOutcome};

/// Reads the KEV catalogue and EPSS scores, if they are due.
pub(super) async fn enrich(context: &Context, json: bool) -> anyhow::Result<bool> {
    let mut good = true;
    for (catalogue, pulled) in enrichment::pull_due(context).await? {
        match pulled {
            PullOutcome::Applied(applied) if json => print_json(&applied)?,
            PullOutcome::Applied(applied) => print_done(&applied.sentence()),
            PullOutcome::Failed(error) => {
                print_error(&format!("{}: {error}", catalogue.label()));
                good = false;
            }
            PullOutcome::Unchanged | PullOutcome::Skipped => {}
        }
    }
    Ok(good)
}
