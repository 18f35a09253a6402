//! `advisoryd verify` (alias `prove`): checks that no run, version or change is missing, and that no run was
//! altered.

use clap::Args;

use super::ask;
use super::output::{print_done, print_json, print_line};
use super::shared::GlobalArgs;
use super::since::{Since, since};
use super::times::Times;
use crate::clock::Clock;
use crate::job::trust::verify::{self, Problem, Verification};
use crate::model::counted;

/// What to verify.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Only runs since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Verify) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let now = Clock::system().now();
    let times = shared.times();
    let since = wanted.since.map(|since| since.time(now, times));
    let proof = ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        Ok(verify::verify(&opened.pool, since, now).await?)
    })
    .await?;
    if wanted.json {
        print_json(&proof)?;
    } else {
        print_verification(&proof, times);
    }
    Ok(proof.proven)
}

fn print_verification(proof: &Verification, times: Times) {
    for problem in &proof.problems {
        let Problem {
            about,
            says,
            advice,
        } = problem;
        let says = times.in_sentence(says);
        print_line(&format!("FAIL  {about}: {says}; {advice}"));
    }
    let extent = &proof.extent;
    let checked = format!(
        "{}, {}, {}, {}, {}",
        counted(proof.runs, "run"),
        counted(extent.advisories, "advisory"),
        counted(extent.tickets, "ticket"),
        counted(extent.former_versions, "former version"),
        counted(extent.changes, "change")
    );
    if proof.proven {
        let known = proof.known_to.map_or_else(String::new, |to| {
            format!("; complete up to {}", times.exact(to))
        });
        print_done(&format!(
            "ok    {checked}: no run, version or change is missing; the run log matches its digests{known}"
        ));
    } else {
        print_done(&format!("checked {checked}"));
    }
}
