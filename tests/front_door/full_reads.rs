//! Full pulls that fail while windows succeed.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check;
use advisoryd::simulate::{Fault, Rule as FaultRule};
use chrono::TimeDelta;

use crate::support::World;

const CONDITION: &str = "select summary from advisoryd_v1.conditions
                         where what = 'full_read_failed' and holds";

async fn conditions(world: &World) -> Vec<String> {
    check::check_health(&world.context().await).await.unwrap();
    world.texts(CONDITION).await
}

#[tokio::test]
async fn a_full_pull_that_failed_is_not_forgotten_when_a_window_succeeds() {
    let mut world = World::new().await;
    world.settings.tickets.enabled = Some(false);
    world.settings.feeds.first_days = Some(365);
    assert_eq!(world.told(&["sync"]).code, 0);
    let cut = Fault::Truncate {
        after_bytes: 2000,
        clean: true,
    };
    world
        .simulator
        .inject(FaultRule::new(cut).on("days=365").times(100));
    assert_eq!(world.told(&["sync", "feeds", "--full"]).code, 1);
    // The window is complete, and says nothing of what only a full pull sees.
    let window = world.told(&["sync", "feeds"]);
    assert_eq!(window.code, 0, "{window}");
    let verified = world.told(&["verify"]);
    assert_eq!(verified.code, 1, "{verified}");
    let lost = "the last full pull failed at ";
    assert!(verified.to_string().contains(lost), "{verified}");
    let checked = world.told(&["status", "--check"]);
    assert_eq!(checked.code, 1, "{checked}");
    let failed = ": the last full pull failed: ";
    assert!(checked.stdout.contains(failed), "{checked}");

    assert!(conditions(&world).await.is_empty(), "it is repeated");
    world.later(TimeDelta::hours(7));
    let found = conditions(&world).await;
    assert!(
        found[0].starts_with("no full pull was complete since "),
        "{found:?}"
    );

    world.simulator.clear_faults();
    let full = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(full.outcome.error(), None);
    assert!(conditions(&world).await.is_empty());
    let verified = world.told(&["verify"]);
    assert!(!verified.to_string().contains(lost), "{verified}");
}
