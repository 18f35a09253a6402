//! `advisoryd simulate`: the simulated upstream alone.

use super::args::Simulate;
use super::output::print_line;
use crate::model::counted;
use crate::simulate::{self, SimulatorOptions};

pub(super) async fn run(wanted: Simulate) -> anyhow::Result<bool> {
    let Simulate {
        listen,
        advisories,
        tickets,
        watch_lists,
        profile,
        seed,
        in_proportion,
        change_every,
    } = wanted;
    let options = SimulatorOptions {
        listen,
        advisories,
        tickets,
        watch_lists,
        profile,
        seed,
        in_proportion,
        ..SimulatorOptions::default()
    };
    let token = options.token.clone();
    let simulator = simulate::start(options).await?;
    print_line(&format!(
        "simulating {} in {} and {}",
        counted(advisories, "advisory"),
        counted(watch_lists, "watch list"),
        counted(tickets, "ticket")
    ));
    print_line(&format!(
        "base_url = \"{}\"   token: {token}",
        simulator.base_url()
    ));
    if let Some(period) = change_every {
        simulator.keep_changing(period);
    }
    super::stop::asked_to_stop()?.await;
    simulator.stop().await;
    Ok(true)
}
