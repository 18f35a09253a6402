//! When an advisory becomes a new version, and when it does not.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::simulate::{FeedOptions, SimulatorOptions};
use chrono::TimeDelta;

use crate::support::{Documents, World, small};

/// A world with two lists whose feeds the test writes itself.
async fn two_lists() -> (World, Documents) {
    let documents = Documents::serve().await;
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    (world, documents)
}

/// One advisory as a feed.
fn feed(modified: &str, title: &str) -> String {
    format!(
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier>\
         <title>{title}</title><modified_date>{modified}</modified_date></advisory></advisories>"
    )
}

/// Version and title of the one advisory.
async fn stored(world: &World) -> (i32, String) {
    sqlx::query_as("select version, title from advisoryd_v1.advisories where said = 'SA1'")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_revision_is_the_next_version_and_moves_changed_at() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[5].clone();
    world.later(TimeDelta::hours(1));
    world.simulator.revise(&said, true);
    let report = world.pull_one().await;
    assert_eq!(report.tally.changed, 1);
    assert_eq!(world.versions().await[&said], 2);
    let moved = "select count(*) from advisoryd_v1.advisories where changed_at > first_seen_at";
    assert_eq!(world.count(moved).await, 1);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_rejection_is_a_version_and_removes_nothing() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[5].clone();
    world.simulator.reject(&said);
    world.pull_one().await;
    assert_eq!(world.versions().await[&said], 2);
    let rejected = "select count(*) from advisoryd_v1.advisories where is_rejected and severity_rank = 0 and version = 2";
    assert_eq!(world.count(rejected).await, 1);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn an_older_modified_at_never_overwrites_a_newer_one() {
    let (world, documents) = two_lists().await;
    documents.set(1, feed("2026-01-02T00:00:00Z", "newer"));
    documents.set(2, feed("2026-01-01T00:00:00Z", "older"));
    world.pull().await;
    assert_eq!(stored(&world).await, (1, "newer".to_owned()));
    // Not even from the very list that the newer one came from.
    documents.set(1, feed("2025-12-31T00:00:00Z", "oldest"));
    world.pull().await;
    assert_eq!(stored(&world).await, (1, "newer".to_owned()));
    let kept = "select count(*) from advisoryd.sighting where dissent like '%old%'";
    assert_eq!(world.count(kept).await, 2, "what was received is kept");
}

#[tokio::test]
async fn a_time_in_the_future_does_not_win_over_what_its_list_sends_later() {
    let (world, documents) = two_lists().await;
    documents.set(1, feed("2099-01-01T00:00:00Z", "bad date"));
    documents.set(2, feed("2026-01-01T00:00:00Z", "other list"));
    world.pull().await;
    world.pull_back(LookBack::Full).await;
    assert_eq!(stored(&world).await, (1, "bad date".to_owned()));
    documents.set(1, feed("2026-01-02T00:00:00Z", "fixed"));
    world.pull().await;
    assert_eq!(stored(&world).await, (2, "fixed".to_owned()));
    // From here on the order counts again.
    documents.set(1, feed("2026-01-01T12:00:00Z", "older"));
    world.pull_back(LookBack::Full).await;
    assert_eq!(stored(&world).await, (2, "fixed".to_owned()));
}

#[tokio::test]
async fn a_newer_one_counts_whichever_list_it_comes_through() {
    let (world, documents) = two_lists().await;
    documents.set(1, feed("2026-01-01T00:00:00Z", "first"));
    documents.set(2, feed("2026-01-02T00:00:00Z", "second"));
    world.pull().await;
    assert_eq!(stored(&world).await, (2, "second".to_owned()));
}

#[tokio::test]
async fn two_lists_that_disagree_make_no_versions_in_turn() {
    let world = World::with(SimulatorOptions {
        watch_lists: 2,
        feed: FeedOptions {
            lists_disagree: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    for _ in 0..5 {
        world.pull_back(LookBack::Full).await;
    }
    assert!(world.versions().await.values().all(|version| *version == 1));
    let both = "select count(*) from (
        select said from advisoryd.sighting group by said having count(*) = 2) as g";
    let dissents = "select count(*) from advisoryd.sighting where dissent is not null";
    let both = world.count(both).await;
    assert!(both > 0, "the test's world has such");
    assert_eq!(
        world.count(dissents).await,
        both,
        "the other list's is kept"
    );

    let said = world.simulator.saids(2)[0].clone();
    world.simulator.revise(&said, true);
    for _ in 0..5 {
        world.pull_back(LookBack::Full).await;
    }
    assert_eq!(
        world.versions().await[&said],
        2,
        "one revision, one version"
    );
}

#[tokio::test]
async fn the_list_that_is_left_speaks_for_itself() {
    let (mut world, documents) = two_lists().await;
    documents.set(1, feed("2026-01-01T00:00:00Z", "one"));
    documents.set(2, feed("2026-01-01T00:00:00Z", "two"));
    world.pull().await;
    assert_eq!(stored(&world).await, (1, "one".to_owned()));
    world.lists = Some(vec![2]);
    documents.set(2, feed("2026-01-01T00:00:00Z", "three"));
    world.pull().await;
    assert_eq!(stored(&world).await, (2, "three".to_owned()));
}

#[tokio::test]
async fn other_line_ends_and_other_orders_make_no_version() {
    let (mut world, documents) = two_lists().await;
    world.lists = Some(vec![1]);
    let feed = |line_end: &str, products: [&str; 2], cves: [&str; 2]| {
        let [first, second] = products;
        let [one, other] = cves;
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier>\
             <title>x</title><description>A{line_end}B</description>\
             <products><product><id>{first}</id><name>P{first}</name></product>\
             <product><id>{second}</id><name>P{second}</name></product></products>\
             <vulnerabilities><vulnerability><cve>CVE-2026-{one}</cve></vulnerability>\
             <vulnerability><cve>CVE-2026-{other}</cve></vulnerability></vulnerabilities>\
             <references><reference><url>https://a{one}</url></reference>\
             <reference><url>https://a{other}</url></reference></references>\
             </advisory></advisories>"
        )
    };
    let texts = [
        feed("\r\n", ["1", "2"], ["1111", "2222"]),
        feed("\n", ["1", "2"], ["1111", "2222"]),
        feed("&#13;\n", ["2", "1"], ["1111", "2222"]),
        feed("\n", ["2", "1"], ["2222", "1111"]),
    ];
    for (number, text) in texts.iter().enumerate() {
        documents.set(1, text.as_str());
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        let added = u64::from(number == 0);
        assert_eq!((report.tally.added, report.tally.changed), (added, 0));
    }
    let newest = "select count(*) from advisoryd_v1.advisories
        where version = 1 and position('CVE-2026-2222' in raw) < position('CVE-2026-1111' in raw)";
    assert_eq!(world.count(newest).await, 1, "the newest bytes are kept");
}

#[tokio::test]
async fn an_advisory_that_stands_twice_in_one_feed_makes_no_versions_in_turn() {
    let (mut world, documents) = two_lists().await;
    world.lists = Some(vec![1]);
    let twice = ["one", "two"].map(|title| feed("2026-01-01T00:00:00Z", title));
    let [one, two] = twice.map(|feed| {
        feed.replace("<advisories>", "")
            .replace("</advisories>", "")
    });
    documents.set(1, format!("<advisories>{one}{two}</advisories>"));
    for _ in 0..4 {
        world.pull().await;
        assert_eq!(stored(&world).await, (1, "one".to_owned()));
        let aside =
            "select count(*) from advisoryd_v1.quarantine where key = 'SA1' and raw like '%two%'";
        assert_eq!(world.count(aside).await, 1, "nothing received is lost");
    }
    documents.set(1, feed("2026-01-01T00:00:00Z", "two"));
    world.pull().await;
    assert_eq!(stored(&world).await, (2, "two".to_owned()));
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.quarantine")
            .await,
        0
    );
}
