//! `advisoryd prove`: is anything missing, was anything altered.

use clap::Args;

use super::ask;
use super::output::{tell, tell_json};
use super::question::{Since, since};
use super::shared::Shared;
use crate::clock::Clock;
use crate::job::trust::verify::{self, Problem, Proof};

/// What to prove.
#[derive(Debug, Args)]
pub(super) struct Prove {
    /// Only what happened since: `7d`, `12h`, or a time such as 2026-11-01
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: Shared, wanted: Prove) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let since = wanted.since.map(|since| since.time(Clock::system().now()));
    let proof = ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        Ok(verify::prove(&opened.pool, since).await?)
    })
    .await?;
    if wanted.json {
        tell_json(&proof)?;
    } else {
        print(&proof);
    }
    Ok(proof.proven)
}

fn print(proof: &Proof) {
    for problem in &proof.problems {
        let Problem {
            about,
            says,
            advice,
        } = problem;
        tell(&format!("FAIL  {about}: {says}; {advice}"));
    }
    let extent = &proof.extent;
    let looked = format!(
        "{} runs, {} advisories, {} tickets, {} former versions, {} changes",
        proof.runs, extent.advisories, extent.tickets, extent.former_versions, extent.changes
    );
    if proof.proven {
        let known = proof.known_to.map_or_else(String::new, |to| {
            format!(
                "; all is known up to {}",
                to.format("%Y-%m-%d %H:%M:%S UTC")
            )
        });
        tell(&format!(
            "ok    {looked}: nothing is missing and nothing was altered{known}"
        ));
    } else {
        tell(&format!("looked at {looked}"));
    }
}
