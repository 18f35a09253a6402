//! The world of `advisoryd demo`, in which the documentation's examples find something.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::lists::mirror;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{DEMO_LISTS, SimulatorOptions};
use chrono::TimeDelta;

use super::World;
use super::settings::WatchList;

/// The demo's world before anything is read, with its lists.
pub async fn unread() -> World {
    let mut world = World::with(SimulatorOptions::of_demo()).await;
    world.lists = Some(Vec::new());
    for (id, name) in (1..).zip(DEMO_LISTS) {
        world.settings.watch_lists.push(WatchList {
            id,
            name: Some(name),
            source: Some("feed"),
            ..WatchList::default()
        });
    }
    world.simulator.add_to_kev(["CVE-2026-1234"], false);
    world.simulator.set_score("CVE-2026-1234", 0.9);
    world.settings.enrichment.kev = Some(world.simulator.kev_url());
    world.settings.enrichment.epss = Some(world.simulator.epss_url());
    world
}

/// Reads it, lets it change as it does in half a minute of the demo, and reads it again.
pub async fn read(world: &World) {
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    for _ in 0..10 {
        world.simulator.tick();
    }
    world.later(TimeDelta::minutes(1));
    world.pull_back(LookBack::Missing).await;
    world.sync_tickets(TicketSync::Now).await;
    let mirrored = mirror::mirror(&world.context().await).await;
    assert!(mirrored.expect("the mirror").is_some());
    world.enrich().await;
}
