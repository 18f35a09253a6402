//! Feeds: what upstream said is stored whole, field by field.

use std::collections::BTreeMap;

use advisoryd::simulate::{FeedOptions, SimulatedProfile, SimulatorOptions};

use crate::support::settings::ExtraFeed;
use crate::support::{Documents, World, assert_reads, small};

#[tokio::test]
async fn every_profile_is_recognised_and_stored_field_by_field() {
    for profile in SimulatedProfile::ALL {
        let world = World::with(SimulatorOptions {
            profile,
            advisories: 250,
            watch_lists: 3,
            ..small()
        })
        .await;
        for report in world.pull().await {
            assert_eq!(
                report.outcome.name(),
                "ok",
                "{profile:?}: {:?}",
                report.outcome
            );
        }
        world.assert_all_is_stored().await;
    }
}

#[tokio::test]
async fn texts_keep_their_letters_and_lose_their_carriage_returns() {
    let world = World::new().await;
    world.pull_one().await;
    let broken = "select count(*) from advisoryd_v1.advisories
        where position(chr(13) in concat(title, description, solution)) > 0";
    assert_eq!(world.count(broken).await, 0);
    let lines = "select count(*) from advisoryd_v1.advisories
        where position(chr(10) in description) > 0";
    assert!(world.count(lines).await > 0);
    let foreign = "select count(*) from advisoryd_v1.advisories
        where octet_length(concat(title, description)) > length(concat(title, description))";
    assert!(world.count(foreign).await > 0, "the test's world has such");
}

#[tokio::test]
async fn an_advisory_in_two_lists_is_one_row_seen_twice() {
    let world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    let (first, second) = (world.simulator.saids(1), world.simulator.saids(2));
    let both = first.iter().filter(|said| second.contains(said)).count();
    assert!(both > 0, "the test's world has such");
    world.pull().await;
    let twice = "select count(*) from (
        select said from advisoryd_v1.advisory_watch_lists group by said having count(*) = 2) as g";
    assert_eq!(world.count(twice).await, i64::try_from(both).unwrap());
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn an_extra_feed_brings_advisories_without_list_membership() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 4,
        feed: FeedOptions::default(),
        ..small()
    })
    .await;
    world.settings.extra_feeds = vec![ExtraFeed {
        name: "Everything",
        query: BTreeMap::from([("feed_type", "all")]),
    }];
    let context = world.context().await;
    let (feed, _) = advisoryd::job::feeds::feed::feeds(&context.config)
        .pop()
        .unwrap();
    let look_back = advisoryd::job::feeds::feed::LookBack::Missing;
    advisoryd::job::feeds::pull::pull(&context, &feed, look_back)
        .await
        .unwrap();
    assert_eq!(
        world.versions().await.len(),
        world.simulator.all_saids().len()
    );
    let lists = "select count(*) from advisoryd_v1.advisory_watch_lists";
    assert_eq!(world.count(lists).await, 0);
    let members = "select count(*) from advisoryd_v1.advisories where watch_list_ids <> '{}'";
    assert_eq!(world.count(members).await, 0);
}

/// A structure that nobody has seen.
const STRANGE: &str = "<stock><thing><serial>SA7</serial><heading>Strange</heading>\
    <grade>2</grade></thing><thing><serial>SA8</serial></thing></stock>";

#[tokio::test]
async fn aliases_teach_a_new_structure_and_reach_what_is_stored_already() {
    let documents = Documents::serve().await;
    documents.set(1, STRANGE);
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_reads!(report.outcome.error().unwrap());

    world.settings.feeds.aliases.insert("said", ["serial"]);
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let titled = "select count(*) from advisoryd_v1.advisories where title = 'Strange'";
    assert_eq!(world.versions().await.len(), 2);
    assert_eq!(world.count(titled).await, 0, "the title has no alias yet");

    let others = [("title", ["heading"]), ("criticality", ["grade"])];
    world.settings.feeds.aliases.extend(others);
    assert_eq!(world.pull_one().await.tally.changed, 1);
    assert_eq!(world.count(titled).await, 1, "the same bytes are read anew");
}

/// Two first loads store the same new advisories; whoever comes second must
/// find them stored, however often they meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_that_overlap_load_side_by_side() {
    let world = World::with(advisoryd::simulate::SimulatorOptions {
        advisories: 3000,
        watch_lists: 5,
        ..small()
    })
    .await;
    let context = world.context().await;
    let pulls = advisoryd::job::feeds::feed::feeds(&context.config)
        .into_iter()
        .map(|(feed, _)| {
            let context = context.clone();
            async move {
                advisoryd::job::feeds::pull::pull(
                    &context,
                    &feed,
                    advisoryd::job::feeds::feed::LookBack::Full,
                )
                .await
            }
        });
    for ran in futures_util::future::join_all(pulls).await {
        match ran {
            Ok(advisoryd::job::run::Ran::Ended(report)) => {
                assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
            }
            other => panic!("{other:?}"),
        }
    }
    let stored = world.versions().await;
    assert!(
        stored.values().all(|version| *version == 1),
        "nothing flips"
    );
}
