//! The summary line of a run.

use super::output::{print_done, print_error, print_json};
use super::table::width;
use super::wrap::wrapped;
use crate::config::Config;
use crate::job::run::{Ran, RunReport};
use crate::model::{Outcome, SourceKey, Tally, counted};

/// What to do about a watch list that a command names and nothing follows.
pub(super) fn not_followed(config: &Config, id: i64) -> anyhow::Error {
    let advice = if config.unfollowed.contains(&id) {
        "the configuration says `follow = false`"
    } else if config.discovery.watch_lists {
        "discovery has not found it enabled; run `advisoryd sync feeds`, or add it under [[watch_lists]]"
    } else {
        "add it under [[watch_lists]]"
    };
    anyhow::anyhow!("watch list {id} is not followed; {advice}")
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
            }
            Ok(print_ended(&label, &report, json))
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

/// One line for runs that continued each other, the last of which may have failed. As JSON
/// they are printed already. False if it failed.
pub(super) fn print_batches(key: &SourceKey, reports: Vec<RunReport>, json: bool) -> bool {
    let all = reports.into_iter().reduce(|all, next| RunReport {
        tally: sum(all.tally, next.tally),
        seconds: all.seconds + next.seconds,
        ..next
    });
    all.is_none_or(|all| print_ended(&key.label(), &all, json))
}

fn sum(one: Tally, other: Tally) -> Tally {
    Tally {
        requests: one.requests + other.requests,
        bytes: one.bytes + other.bytes,
        claimed: None,
        seen: one.seen + other.seen,
        added: one.added + other.added,
        changed: one.changed + other.changed,
        unchanged: one.unchanged + other.unchanged,
        quarantined: one.quarantined + other.quarantined,
    }
}

/// A complete run is a line of data, a failed one a line on stderr. False if it failed.
pub(super) fn print_ended(label: &str, report: &RunReport, json: bool) -> bool {
    match report.outcome.error() {
        None if json => {}
        None => print_done(&wrapped(&summary(label, report), 2, width())),
        Some(error) if json => print_error(&format!("{label}: {error}")),
        Some(error) => print_error(&format!("{}: {error}", failed(label, report))),
    }
    report.outcome == Outcome::Ok
}

/// What a run did before it failed.
fn failed(label: &str, report: &RunReport) -> String {
    let tally = report.tally;
    let counts = [
        (tally.added, "new"),
        (tally.changed, "changed"),
        (tally.unchanged, "unchanged"),
        (tally.quarantined, "quarantined"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.push(counted(tally.requests, "request"));
    parts.push(format!("{:.1} s", report.seconds));
    let outcome = report.outcome.name();
    format!(
        "{label}: {outcome} ({}) after {}",
        report.mode.name(),
        parts.join(", ")
    )
}

fn summary(label: &str, report: &RunReport) -> String {
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
