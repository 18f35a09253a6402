//! Feeds: what upstream said is stored whole, and nothing is lost.

use advisoryd::simulate::{Fault, Profile, Rule};

use crate::support::{World, small};

#[tokio::test]
async fn every_profile_is_recognised_and_stored_whole() {
    for profile in Profile::ALL {
        let world = World::with(advisoryd::simulate::Options { profile, ..small() }).await;
        let report = world.pull_one().await;
        assert_eq!(report.outcome, "ok", "{profile:?}: {:?}", report.error);
        let saids = world.simulator.saids(1);
        assert_eq!(report.tally.added, saids.len() as u64, "{profile:?}");
        let stored = world.versions().await;
        assert!(
            saids.iter().all(|said| stored.get(said) == Some(&1)),
            "{profile:?}"
        );
    }
}

#[tokio::test]
async fn a_pull_without_changes_writes_no_row() {
    let world = World::new().await;
    world.pull_one().await;
    let report = world
        .pull_back(advisoryd::job::pull_feed::LookBack::Full)
        .await
        .remove(0);
    assert_eq!((report.tally.added, report.tally.changed), (0, 0));
    assert_eq!(
        report.tally.unchanged,
        world.simulator.saids(1).len() as u64
    );
}

#[tokio::test]
async fn a_truncated_feed_moves_no_cursor_and_keeps_complete_records() {
    let world = World::new().await;
    world.simulator.inject(
        Rule::new(Fault::Truncate {
            after_bytes: 60_000,
            clean: true,
        })
        .on("xml-feed"),
    );
    let report = world.pull_one().await;
    assert_eq!(report.outcome, "failed");
    let covered = world
        .count("select count(*) from advisoryd.source where not isempty(covered)")
        .await;
    assert_eq!(covered, 0, "the cursor stays");
    assert!(report.tally.added > 0, "complete records stay");
    let again = world.pull_one().await;
    assert_eq!(again.outcome, "ok", "{:?}", again.error);
    assert_eq!(world.versions().await.len(), world.simulator.saids(1).len());
}
