//! Two programs beside each other: builds of the same source with two profiles. Processor
//! time is compared as well, because other programs on the machine change it less than
//! they change wall time.

use std::io::Write;

use crate::Result;
use crate::figures::{Pass, Spread};
use crate::place::Place;
use crate::program::Program;
use crate::server::Server;

const SIZE: usize = 10_000;

/// Each program goes first in every other round. An odd number has a median.
const ROUNDS: usize = 9;

/// A first load, and a run without changes.
type Passes = [Pass; 2];

/// What is compared, and how it is taken from a pass.
type Figure = (&'static str, fn(&Pass) -> f64);

/// Prints how much the second program costs beside the first.
pub async fn measure(place: &Place, programs: [&str; 2], out: &mut impl Write) -> Result<()> {
    let documents = place.documents(SIZE)?;
    let server = Server::start()?;
    server.serve(&documents.first);
    let mut rounds: Vec<[Passes; 2]> = Vec::new();
    for round in 0..ROUNDS {
        let mut order = [0, 1];
        order.rotate_left(round % 2);
        let mut both = [None, None];
        for which in order {
            let name = format!("against_{round}_{which}");
            both[which] = Some(passes(place, &server, programs[which], &name).await?);
        }
        if let [Some(one), Some(two)] = both {
            rounds.push([one, two]);
        }
    }
    writeln!(
        out,
        "{SIZE} advisories, {ROUNDS} rounds, {} / {}",
        programs[1], programs[0]
    )?;
    let figures: [Figure; 3] = [
        ("processor time", |pass| pass.cpu.as_secs_f64()),
        ("wall time", |pass| pass.wall.as_secs_f64()),
        ("peak memory", |pass| {
            f64::from(u32::try_from(pass.peak_memory_kib).unwrap_or(u32::MAX))
        }),
    ];
    for (at, pass) in ["first load", "no change"].into_iter().enumerate() {
        for (name, figure) in figures {
            let ratios = rounds
                .iter()
                .map(|[one, two]| figure(&two[at]) / figure(&one[at]));
            let label = format!("{pass}, {name}");
            writeln!(out, "  {label:<42} {}", Spread::of(ratios.collect()))?;
        }
    }
    Ok(())
}

async fn passes(place: &Place, server: &Server, binary: &str, name: &str) -> Result<Passes> {
    let database = place.database(name).await?;
    let program = Program {
        binary,
        place,
        server,
        database: &database,
    };
    let first_load = program.pull().await?;
    place.settle(&database).await?;
    let no_change = program.pull().await?;
    place.drop(database).await?;
    Ok([first_load, no_change])
}
