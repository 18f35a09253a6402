//! The summary line of a run.

use super::output::{print_done, print_error, print_json};
use crate::config::Config;
use crate::job::run::{Ran, Report};
use crate::model::{Outcome, SourceKey, counted};

/// What to do about a watch list that a command names and nothing follows.
pub(super) fn not_followed(config: &Config, id: i64) -> anyhow::Error {
    let advice = if config.unfollowed.contains(&id) {
        "the configuration says `follow = false`"
    } else if config.discovery.watch_lists {
        "discovery has not found it enabled; run `advisoryd sync feeds`, or add it under [[watch_lists]]"
    } else {
        "add it under [[watch_lists]]"
    };
    anyhow::anyhow!("watch list {id} is not configured; {advice}")
}

/// One summary line per run.
pub(super) fn print_run(
    key: &SourceKey,
    ran: Result<Ran, String>,
    json: bool,
) -> anyhow::Result<bool> {
    let label = key.label();
    match ran {
        Ok(Ran::Ended(report)) => {
            if json {
                print_json(&report)?;
            } else {
                print_done(&summary(&label, &report));
            }
            if let Some(error) = report.outcome.error() {
                print_error(&format!("{label}: {error}"));
            }
            Ok(report.outcome == Outcome::Ok)
        }
        Ok(Ran::Busy(holder)) => {
            print_error(&format!(
                "{label}: another run is in progress ({holder}); nothing was done"
            ));
            Ok(false)
        }
        Err(error) => {
            print_error(&format!("{label}: {error}"));
            Ok(false)
        }
    }
}

fn summary(label: &str, report: &Report) -> String {
    let tally = report.tally;
    format!(
        "{}: {} ({}), {} new, {} changed, {} unchanged, {} quarantined, {}, {}, {:.1} s",
        label,
        report.outcome.name(),
        report.mode.name(),
        tally.added,
        tally.changed,
        tally.unchanged,
        tally.quarantined,
        counted(tally.requests, "request"),
        bytesize::ByteSize(tally.bytes),
        report.seconds,
    )
}
