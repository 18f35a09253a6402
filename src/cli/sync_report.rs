//! What `advisoryd sync` and `advisoryd import` say of a run.

use super::output::print_error;
use super::report::print_run;
use crate::job::context::Context;
use crate::job::run::Ran;
use crate::model::{SourceKey, counted};
use crate::store::ledger::quarantine;

/// Prints its line, and whether it put something new into quarantine. False if it failed or
/// did.
pub(super) async fn report(
    context: &Context,
    key: &SourceKey,
    ran: Result<Ran, String>,
    json: bool,
) -> anyhow::Result<bool> {
    let nothing_new = quarantined_nothing_new(context, key, &ran).await?;
    Ok(print_run(key, ran, json)? && nothing_new)
}

/// Whether a run put nothing into quarantine that was not there before. What it did is
/// a failure of the command: no rule sees such a record.
pub(super) async fn quarantined_nothing_new(
    context: &Context,
    key: &SourceKey,
    ran: &Result<Ran, String>,
) -> anyhow::Result<bool> {
    let Ok(Ran::Ended(report)) = ran else {
        return Ok(true);
    };
    if report.tally.quarantined == 0 {
        return Ok(true);
    }
    nothing_new_of(context, key, report.run_id).await
}

/// The same of the run with this id.
pub(super) async fn nothing_new_of(
    context: &Context,
    key: &SourceKey,
    run_id: i64,
) -> anyhow::Result<bool> {
    let mut connection = context.pool.acquire().await?;
    let new = quarantine::first_received(&mut connection, run_id).await?;
    if new > 0 {
        print_error(&format!(
            "{}: {} in quarantine; see `advisoryd quarantine list`",
            key.label(),
            counted(new, "new record")
        ));
    }
    Ok(new == 0)
}
