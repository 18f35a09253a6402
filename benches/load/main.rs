//! How fast the built program loads a feed, beside what the machine could do at
//! best, in one run: `cargo bench --bench load`, or `-- quick` for 10,000
//! advisories only; `-- history` for what history costs and how fast it answers,
//! `-- history quick` for a tenth of it; `-- alerts` for how fast changes are told;
//! `-- against ONE TWO` for two programs, for example of two build profiles.
//! Figures are ratios of paired rounds; see docs/performance.md.

mod against;
mod alerts;
mod answers;
mod baseline;
mod figures;
mod fill;
mod history;
mod place;
mod program;
mod server;

use std::io::Write as _;

use figures::{Figures, Round};
use place::Place;
use server::Server;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Paired rounds of each size; medians need at least three.
const ROUNDS: usize = 3;
const SIZES: [usize; 2] = [10_000, 100_000];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == program::MEASURE)
    {
        return program::measure(&arguments[1..]);
    }
    let quick = arguments.iter().any(|argument| argument == "quick");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let place = Place::make().await?;
        let mut out = std::io::stdout().lock();
        if let Some(at) = arguments.iter().position(|argument| argument == "against") {
            let [one, two, ..] = &arguments[at + 1..] else {
                return Err("`against` needs the paths of two programs".into());
            };
            against::measure(&place, [one, two], &mut out).await?;
            return place.close().await;
        }
        if arguments.iter().any(|argument| argument == "alerts") {
            alerts::measure(&place, SIZES[usize::from(!quick)], &mut out).await?;
            return place.close().await;
        }
        if arguments.iter().any(|argument| argument == "history") {
            history::measure(&place, SIZES[usize::from(!quick)], &mut out).await?;
            return place.close().await;
        }
        for size in SIZES.into_iter().take(if quick { 1 } else { 2 }) {
            let figures = measure(&place, size).await?;
            writeln!(out, "{figures}")?;
        }
        place.close().await
    })
}

async fn measure(place: &Place, size: usize) -> Result<Figures> {
    let documents = place.documents(size)?;
    let server = Server::start()?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let database = place.database(&format!("bench_{size}_{round}")).await?;
        let program = program::Program {
            binary: program::BUILT,
            place,
            server: &server,
            database: &database,
        };

        server.serve(&documents.first);
        let first_load = program.pull().await?;
        let copy = baseline::copy(place, &database).await?;

        // Readers of fresh rows mark them as committed, which is logged where
        // checksums are on; autovacuum would do it within a minute.
        place.settle(&database).await?;
        let no_change = program.pull().await?;
        let tokenize = baseline::tokenize(&documents.first)?;

        server.serve(&documents.changed);
        let changed = program.pull().await?;
        rounds.push(Round {
            first_load,
            copy,
            no_change,
            tokenize,
            changed,
        });
        place.drop(database).await?;
    }
    Ok(Figures {
        size,
        bytes: documents.bytes,
        rounds,
    })
}
