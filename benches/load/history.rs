//! What history costs and how fast it answers.

use crate::figures::Spread;
use crate::place::{Database, Place};
use crate::program::Program;
use crate::server::Server;
use crate::{ROUNDS, Result, answers, fill};

/// Prints first loads with and without history, and the time of the questions
/// that are asked of five versions of `size` advisories.
pub async fn measure(place: &Place, size: usize, out: &mut impl std::io::Write) -> Result<()> {
    let (ratio, database) = loads(place, size).await?;
    writeln!(
        out,
        "first load with history / without                    {ratio}   goal 1.2"
    )?;
    fill::four_former_versions(&database).await?;
    place.settle(&database).await?;
    writeln!(out, "{size} advisories with 5 versions each, milliseconds:")?;
    for answer in answers::measure(place, &database).await? {
        writeln!(out, "  {answer}")?;
    }
    place.drop(database).await
}

/// First loads with and without history, one after the other; the last database
/// that has history stays.
async fn loads(place: &Place, size: usize) -> Result<(Spread, Database)> {
    let documents = place.documents(size)?;
    let server = Server::start()?;
    server.serve(&documents.first);
    let mut ratios = Vec::new();
    let mut kept = None;
    for round in 0..ROUNDS {
        let without = place.database(&format!("without_{round}")).await?;
        fill::keep_history(&without, false).await?;
        let with = place.database(&format!("with_{round}")).await?;
        fill::keep_history(&with, true).await?;
        let load = async |database| {
            let program = Program {
                binary: crate::program::BUILT,
                place,
                server: &server,
                database,
            };
            program.pull().await
        };
        // Whoever comes first has the colder caches: they take turns.
        let (first, second) = if round % 2 == 0 {
            (&without, &with)
        } else {
            (&with, &without)
        };
        let (first, second) = (load(first).await?.wall, load(second).await?.wall);
        let ratio = if round % 2 == 0 {
            second.as_secs_f64() / first.as_secs_f64()
        } else {
            first.as_secs_f64() / second.as_secs_f64()
        };
        ratios.push(ratio);
        place.drop(without).await?;
        if let Some(before) = kept.replace(with) {
            place.drop(before).await?;
        }
    }
    let database = kept.ok_or("no round was measured")?;
    Ok((Spread::of(ratios), database))
}
