//! An advisory that left a watch list: only a complete full pull finds that, and only
//! among what it must contain.

use advisoryd::clock::Clock;
use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check::check_health;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::simulate::{FeedCounts, FeedOptions, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::settings::Rule;
use crate::support::{Documents, Receiver, World, assert_reads, small};

/// Two lists upstream, of which the first is followed.
async fn world() -> World {
    let mut world = World::with(SimulatorOptions {
        advisories: 120,
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(vec![1]);
    world
}

/// A full pull of the one list.
async fn full(world: &World) -> RunReport {
    world.pull_back(LookBack::Full).await.remove(0)
}

/// Members of list 1 that are older than a week, oldest first; each dated differently.
fn old_members(world: &World) -> Vec<String> {
    let week_ago = world.simulator.now() - TimeDelta::days(7);
    let dated = |said: &String| world.simulator.expected(said).unwrap().released_at;
    let mut saids = world.simulator.saids(1);
    saids.retain(|said| dated(said).is_some_and(|at| at < week_ago));
    saids.sort_by_key(dated);
    saids
}

/// The current members of list 1.
async fn members(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select said
         from advisoryd_v1.advisory_watch_lists
         where watch_list_id = 1
           and left_at is null
         order by said",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

/// The changes of one advisory with list 1.
async fn changes(world: &World, said: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select what from advisoryd_v1.changes where key = $1 and watch_list_id = 1 order by seq",
    )
    .bind(said)
    .fetch_all(world.pool())
    .await
    .unwrap()
}

fn sorted(mut saids: Vec<String>) -> Vec<String> {
    saids.sort();
    saids
}

#[tokio::test]
async fn what_left_the_list_is_no_member_any_more_and_stays_stored() {
    let world = world().await;
    world.pull_one().await;
    let said = old_members(&world).remove(5);
    assert!(world.simulator.leave(&said, 1));
    world.pull_one().await;
    assert!(members(&world).await.contains(&said), "no window finds it");
    let report = full(&world).await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    assert_eq!(
        changes(&world, &said).await,
        ["appeared", "left_watch_list"]
    );

    let left: (Value, bool) = sqlx::query_as(
        "select to_jsonb(a.watch_list_ids), w.left_at >= w.last_seen_at
         from advisoryd_v1.advisories a
         join advisoryd_v1.advisory_watch_lists w using (said)
         where said = $1",
    )
    .bind(&said)
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(left, (serde_json::json!([]), true));
    let counted = world
        .count("select advisories from advisoryd_v1.watch_lists where id = 1")
        .await;
    assert_eq!(usize::try_from(counted), Ok(world.simulator.saids(1).len()));
    let listed = world.cli(&[
        "advisories",
        "--watch-list",
        "1",
        "--limit",
        "1000",
        "--json",
    ]);
    assert!(!listed.stdout.contains(&said), "{said}");
    full(&world).await;
    assert_eq!(changes(&world, &said).await.len(), 2, "told once");
}

#[tokio::test]
async fn what_comes_back_joins_again_and_history_knows_when_it_was_away() {
    let world = world().await;
    world.pull_one().await;
    let began_at = Clock::system().now();
    let said = old_members(&world).remove(5);
    world.later(TimeDelta::hours(1));
    world.simulator.leave(&said, 1);
    full(&world).await;
    world.later(TimeDelta::hours(1));
    world.simulator.join(&said, 1);
    full(&world).await;
    world.later(TimeDelta::hours(1));
    full(&world).await;
    let all = ["appeared", "left_watch_list", "joined_watch_list"];
    assert_eq!(changes(&world, &said).await, all);
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    // Half an hour after each of the three.
    for (minutes, is_in) in [(30, true), (90, false), (150, true)] {
        let lists: Vec<i64> = sqlx::query_scalar(
            "select watch_list_ids from advisoryd_v1.advisories_as_of($2) where said = $1",
        )
        .bind(&said)
        .bind(began_at + TimeDelta::minutes(minutes))
        .fetch_one(world.pool())
        .await
        .unwrap();
        assert_eq!(lists == [1], is_in, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn rules_judge_by_the_lists_that_hold_now() {
    let receiver = Receiver::start().await;
    let mut world = world().await;
    world.lists = Some(vec![1, 2]);
    let rule = |name: &str, list: i64, on: &'static [&'static str]| Rule {
        clauses: toml::Table::from_iter([("watch_lists".to_owned(), vec![list].into())]),
        ..Rule::to_hook(name, on)
    };
    world.settings.alerts.rules = vec![
        rule("revised in 1", 1, &["revised"]),
        rule("left 1", 1, &["left_watch_list"]),
        rule("left 2", 2, &["left_watch_list"]),
    ];
    world.add_hook(&receiver);
    world.pull().await;
    world.alert().await;
    let second = world.simulator.saids(2);
    let both = |said: &&String| second.contains(said);
    let said = old_members(&world).iter().find(both).unwrap().clone();
    world.simulator.leave(&said, 1);
    world.pull_back(LookBack::Full).await;
    world.simulator.revise(&said, false);
    world.later(TimeDelta::minutes(5));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let raised: Vec<(String, String)> =
        sqlx::query_as("select rule, what from advisoryd_v1.alerts where key = $1 order by 1")
            .bind(&said)
            .fetch_all(world.pool())
            .await
            .unwrap();
    let left = ("left 1".to_owned(), "left_watch_list".to_owned());
    assert_eq!(raised, [left], "it is revised in list 2 only");
    let summary =
        "select count(*) from advisoryd_v1.alerts where summary like 'no longer in watch list 1,%'";
    assert_eq!(world.count(summary).await, 1);
}

#[tokio::test]
async fn an_advisory_that_is_in_no_list_any_more_raises_nothing() {
    let receiver = Receiver::start().await;
    let mut world = world().await;
    world.settings.alerts.rules = vec![Rule::to_hook("all", &["revised"])];
    world.add_hook(&receiver);
    world.settings.feeds.sweep = Some(true);
    world.pull_one().await;
    world.alert().await;
    let saids = old_members(&world);
    let (gone, kept) = (&saids[5], &saids[6]);
    world.simulator.leave(gone, 1);
    full(&world).await;
    world.later(TimeDelta::minutes(5));
    world.simulator.revise(gone, false);
    world.simulator.revise(kept, false);
    world.later(TimeDelta::minutes(5));
    world.pull_one().await;
    let scanned = scan_revisions(&world.context().await).await.unwrap();
    assert!(matches!(scanned, Some(Ran::Ended(_))), "{scanned:?}");
    world.later(TimeDelta::minutes(3));
    world.fetch_details().await;
    world.alert().await;
    assert_eq!(
        world.versions().await[gone],
        2,
        "the revision scan brought it"
    );
    let raised: Vec<String> = sqlx::query_scalar("select key from advisoryd_v1.alerts")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(&raised, std::slice::from_ref(kept));
}

#[tokio::test]
async fn what_the_window_cannot_contain_stays_a_member() {
    for counts in [FeedCounts::Released, FeedCounts::Modified] {
        let mut world = World::with(SimulatorOptions {
            advisories: 120,
            feed: FeedOptions {
                counts,
                ..FeedOptions::default()
            },
            ..small()
        })
        .await;
        world.pull_one().await;
        let all = members(&world).await;
        world.settings.feeds.first_days = Some(60);
        let report = full(&world).await;
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        assert!(report.tally.seen < all.len() as u64, "it is a part of them");
        assert_eq!(members(&world).await, all, "{counts:?}");
    }
}

#[tokio::test]
async fn a_loss_of_more_than_a_fifth_is_believed_when_the_next_night_confirms_it() {
    let mut world = world().await;
    world.pull_one().await;
    let all = members(&world).await;
    let saids = old_members(&world);
    let gone: Vec<&String> = saids.iter().skip(1).step_by(2).collect();
    for said in &gone {
        world.simulator.leave(said, 1);
    }
    let report = full(&world).await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
    assert_eq!(members(&world).await, all, "all stay");
    // A window does not end the doubt, and people are told of it.
    world.pull_one().await;
    check_health(&world.context().await).await.unwrap();
    let result = "select count(*) from advisoryd_v1.conditions
                where what = 'removals_unconfirmed' and key = 'watch list 1' and holds";
    assert_eq!(world.count(result).await, 1);
    let page = world.cli(&["status"]).stdout;
    assert!(page.contains("removals_unconfirmed"), "{page}");

    world.later(TimeDelta::hours(1));
    assert_eq!(full(&world).await.outcome.name(), "failed", "too early");
    world.later(TimeDelta::hours(12));
    assert_eq!(full(&world).await.outcome.name(), "ok");
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    check_health(&world.context().await).await.unwrap();
    assert_eq!(world.count(result).await, 0);

    // Accepted at once where somebody says so.
    let saids = old_members(&world);
    for said in saids.iter().skip(1).step_by(2) {
        world.simulator.leave(said, 1);
    }
    world.settings.tickets.enabled = Some(false);
    let refused = world.cli(&["sync", "feeds", "--full"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let accepted = world.cli(&["sync", "feeds", "--full", "--accept-removals"]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
}

/// The oldest members look as if upstream had not gone back far enough.
#[tokio::test]
async fn the_oldest_members_leave_when_somebody_says_so() {
    let mut world = world().await;
    world.settings.tickets.enabled = Some(false);
    world.pull_one().await;
    let all = members(&world).await;
    for said in old_members(&world).iter().take(4) {
        world.simulator.leave(said, 1);
    }
    let full = world.cli(&["sync", "feeds", "--full"]);
    assert_eq!(full.code, 0, "{full:?}");
    assert_eq!(members(&world).await, all);
    let accepted = world.cli(&["sync", "feeds", "--full", "--accept-removals"]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
}

#[tokio::test]
async fn a_loss_that_is_over_was_none() {
    let world = world().await;
    world.pull_one().await;
    let all = members(&world).await;
    let saids = old_members(&world);
    let gone: Vec<&String> = saids.iter().skip(1).step_by(2).collect();
    for said in &gone {
        world.simulator.leave(said, 1);
    }
    assert_eq!(full(&world).await.outcome.name(), "failed");
    for said in &gone {
        world.simulator.join(said, 1);
    }
    assert_eq!(full(&world).await.outcome.name(), "ok");
    for said in &gone {
        world.simulator.leave(said, 1);
    }
    world.later(TimeDelta::hours(13));
    let again = full(&world).await;
    assert_eq!(again.outcome.name(), "failed", "it is not the same loss");
    assert_eq!(members(&world).await, all);
}

#[tokio::test]
async fn a_list_that_is_read_by_json_loses_what_its_detail_no_longer_names() {
    let mut world = world().await;
    world.source = "json";
    // A window ends before the second in which the newest one was released.
    world.later(TimeDelta::minutes(1));
    world.pull_one().await;
    world.fetch_details().await;
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    let said = old_members(&world).remove(5);
    world.simulator.leave(&said, 1);
    world.later(TimeDelta::hours(1));
    full(&world).await;
    world.fetch_details().await;
    assert!(
        members(&world).await.contains(&said),
        "only a full pull finds it"
    );
    world.later(TimeDelta::hours(1));
    assert_eq!(full(&world).await.outcome.name(), "ok");
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    world.simulator.join(&said, 1);
    world.fetch_details().await;
    assert_eq!(members(&world).await, sorted(world.simulator.saids(1)));
    let all = ["appeared", "left_watch_list", "joined_watch_list"];
    assert_eq!(changes(&world, &said).await, all);
}

/// A feed of these advisories, the first so many days old, one a day.
fn document(records: impl Iterator<Item = (u32, i64)>, damaged: Option<u32>) -> String {
    let now = Clock::system().now();
    let record = |(number, days): (u32, i64)| {
        let date = (now - TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%SZ");
        let said = if damaged == Some(number) {
            "<other>SA?</other>".to_owned()
        } else {
            format!("<said>SA{number}</said>")
        };
        format!(
            "<advisory>{said}<title>Advisory {number}</title><released>{date}</released><modified_date>{date}</modified_date></advisory>"
        )
    };
    let records: String = records.map(record).collect();
    format!("<advisories>{records}</advisories>")
}

/// An upstream that serves documents, and a world that follows its list 1.
async fn with_documents() -> (Documents, World) {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1]);
    (documents, world)
}

/// Thirty advisories, one a day, the oldest first.
fn thirty() -> impl Iterator<Item = (u32, i64)> {
    (0..30).map(|number| (1000 + number, 32 - i64::from(number)))
}

#[tokio::test]
async fn upstream_that_does_not_go_back_far_enough_loses_no_member() {
    let (documents, world) = with_documents().await;
    documents.set(1, document(thirty(), None));
    world.pull_one().await;
    assert_eq!(members(&world).await.len(), 30);
    // The five oldest are not served any more, and a newer one has left.
    let rest = thirty().skip(5).filter(|(number, _)| *number != 1020);
    documents.set(1, document(rest, None));
    let report = full(&world).await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let members = members(&world).await;
    assert_eq!(members.len(), 29);
    assert!(!members.contains(&"SA1020".to_owned()));
}

#[tokio::test]
async fn an_emptied_feed_is_not_believed() {
    let (documents, world) = with_documents().await;
    documents.set(1, document(thirty(), None));
    world.pull_one().await;
    documents.set(1, "<advisories/>");
    let report = full(&world).await;
    assert_eq!(report.outcome.name(), "failed", "{:?}", report.outcome);
    assert_eq!(members(&world).await.len(), 30);
}

#[tokio::test]
async fn a_member_whose_record_cannot_be_read_has_not_left() {
    let (documents, world) = with_documents().await;
    documents.set(1, document(thirty(), None));
    world.pull_one().await;
    documents.set(1, document(thirty(), Some(1012)));
    let report = full(&world).await;
    assert_eq!((report.outcome.name(), report.tally.quarantined), ("ok", 1));
    assert_eq!(members(&world).await.len(), 30);
}

#[tokio::test]
async fn an_incomplete_full_pull_ends_no_membership() {
    let (documents, world) = with_documents().await;
    documents.set(1, document(thirty(), None));
    world.pull_one().await;
    let rest = document(thirty().filter(|(number, _)| *number != 1012), None);
    let cut = rest.trim_end_matches("</advisories>");
    documents.set(1, cut);
    assert_eq!(full(&world).await.outcome.name(), "failed");
    assert_eq!(members(&world).await.len(), 30);
    documents.set(1, rest);
    assert_eq!(full(&world).await.outcome.name(), "ok");
    assert_eq!(members(&world).await.len(), 29);
}
