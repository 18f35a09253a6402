//! Watch lists whose feeds cannot be read are served by the JSON API, without
//! anybody doing anything.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::Alerts;
use crate::support::{Documents, World, assert_reads, small};

const LIST: &str = "/api/advisories/?";

/// Two lists that may fall back; what is not asked about stays off.
async fn two_lists() -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.source = "auto";
    // The newest advisory is of this very second, which no window holds yet.
    world.later(TimeDelta::minutes(1));
    world
}

/// The feed of list 1 cannot be read from now on.
fn break_feed(world: &World, fault: AnswerFault) {
    let rule = FaultRule::new(fault).on("asset_list_id=1").times(1000);
    world.simulator.inject(rule);
}

async fn served(world: &World) -> Vec<(i64, String, Option<String>)> {
    sqlx::query_as("select watch_list_id, served_by, served_why from advisoryd.source where kind = 'watch_list' order by 1")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

fn modes(reports: &[RunReport]) -> Vec<(&'static str, &'static str)> {
    reports
        .iter()
        .map(|report| (report.mode.name(), report.outcome.name()))
        .collect()
}

async fn assert_proven(world: &World) {
    world.sync_tickets(TicketSync::Now).await;
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
}

fn status(world: &World) -> Value {
    world.cli(&["status", "--json"]).json()
}

#[tokio::test]
async fn a_list_whose_feed_is_html_unknown_or_refused_is_served_by_json() {
    let mut lines = Vec::new();
    for fault in [
        AnswerFault::Html200,
        AnswerFault::Damaged(Damage::NotRecognised),
        AnswerFault::Status(403),
        AnswerFault::Status(404),
    ] {
        let world = two_lists().await;
        break_feed(&world, fault);
        let reports = world.pull().await;
        assert_eq!(
            modes(&reports),
            [("json", "ok"), ("window", "ok")],
            "{reports:?}"
        );
        world.fetch_details().await;
        world.assert_all_is_stored().await;
        let served = served(&world).await;
        assert_eq!(
            (served[0].1.as_str(), served[1].1.as_str()),
            ("json", "feed")
        );
        let why = served[0].2.as_deref().unwrap();
        let page = world.cli(&["status"]).stdout;
        let line = page.lines().find(|line| line.contains(why));
        lines.push(line.expect(&page).to_owned());
        assert_eq!(status(&world)["sources"][0]["served_by"], "json");
        assert_proven(&world).await;
    }
    assert_reads!(lines.join("\n"));
}

#[tokio::test]
async fn only_members_become_advisories_and_others_are_asked_about_once() {
    let mut world = two_lists().await;
    world.lists = Some(vec![1]);
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    world.fetch_details().await;
    let members = world.simulator.saids(1).len();
    assert!(members < 60);
    assert_eq!(world.versions().await.len(), members);
    assert_eq!(
        world.count("select count(*) from advisoryd.detail").await,
        60
    );
    world.pull().await;
    assert!(world.fetch_details().await.is_empty(), "nothing is new");
    let lists =
        "select count(*) from advisoryd_v1.changes where what = 'appeared' and watch_list_id = 1";
    assert_eq!(world.count(lists).await, i64::try_from(members).unwrap());
}

#[tokio::test]
async fn what_json_lists_is_wanted_before_the_cursor_moves() {
    let world = two_lists().await;
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    let wanted = "select count(*) from advisoryd.wanted_detail where listed ->> 'title' <> ''";
    assert_eq!(world.count(wanted).await, 60);
    // Some fail at first, and come all the same.
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on("/api/advisories/SA")
            .times(6),
    );
    while world
        .count("select count(*) from advisoryd.wanted_detail")
        .await
        > 0
    {
        world.fetch_details().await;
        world.later(TimeDelta::hours(1));
    }
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_feed_that_can_be_read_again_serves_its_list_again() {
    let world = two_lists().await;
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    world.fetch_details().await;
    let before = world.versions().await;
    world.simulator.clear_faults();
    world.simulator.forget_requests();
    world.later(TimeDelta::minutes(15));
    assert_eq!(modes(&world.pull().await)[0], ("json", "ok"), "it rests");
    world.later(TimeDelta::hours(1));
    assert_eq!(modes(&world.pull().await)[0], ("window", "ok"));
    assert_eq!(served(&world).await[0].1, "feed");
    let all = world
        .pull_back(advisoryd::job::feeds::feed::LookBack::Full)
        .await;
    assert_eq!(modes(&all)[0], ("full", "ok"));
    world.assert_all_is_stored().await;
    assert_eq!(world.versions().await, before, "the feed says the same");
    let both = "select count(*) from advisoryd_v1.advisories where source = 'feed+json'";
    assert!(world.count(both).await > 0);
    assert_proven(&world).await;
}

#[tokio::test]
async fn news_come_through_json_and_through_the_feed_after_it() {
    let world = two_lists().await;
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    world.fetch_details().await;
    for _ in 0..3 {
        world.later(TimeDelta::minutes(30));
        world.simulator.publish(3);
        let said = world.simulator.saids(1)[5].clone();
        world.simulator.revise(&said, true);
        world.later(TimeDelta::minutes(30));
        world.pull().await;
        world.fetch_details().await;
        world.assert_all_is_stored().await;
    }
    world.simulator.clear_faults();
    let said = world.simulator.saids(1)[9].clone();
    world.simulator.revise(&said, true);
    world.later(TimeDelta::hours(2));
    world.pull().await;
    world.assert_all_is_stored().await;
    assert_eq!(world.versions().await[&said], 2);
}

#[tokio::test]
async fn a_full_pass_finds_members_that_joined_without_being_modified() {
    let mut world = two_lists().await;
    world.source = "json";
    world.pull().await;
    world.fetch_details().await;
    let outside = |world: &World| {
        let members = world.simulator.saids(1);
        let all = world.simulator.all_saids().into_iter();
        all.filter(|said| !members.contains(said))
            .collect::<Vec<_>>()
    };
    let said = outside(&world).remove(0);
    assert!(world.simulator.join(&said, 1));
    world.pull().await;
    world.fetch_details().await;
    let lists = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 1";
    let before = world.count(lists).await;
    world.pull_back(LookBack::Full).await;
    world.fetch_details().await;
    assert_eq!(world.count(lists).await, before + 1);
    world.assert_all_is_stored().await;
    let joined = "select count(*) from advisoryd_v1.changes where what = 'joined_watch_list' and watch_list_id = 1";
    assert!(world.count(joined).await >= 1);
}

#[tokio::test]
async fn an_account_without_json_fails_with_what_is_wrong_with_its_feed() {
    let world = two_lists().await;
    break_feed(&world, AnswerFault::Html200);
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Status(403)).on(LIST).times(10));
    let report = world.pull().await.remove(0);
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
    assert_eq!(served(&world).await[0].1, "feed");
}

#[tokio::test]
async fn a_filter_that_is_ignored_moves_nothing() {
    let mut world = two_lists().await;
    world.source = "json";
    world.settings.feeds.first_days = Some(30);
    world.simulator.inject(
        FaultRule::new(AnswerFault::IgnoredFilter)
            .on(LIST)
            .times(10),
    );
    let report = world.pull().await.remove(0);
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
    assert_eq!(
        world
            .count("select count(*) from advisoryd.source where not isempty(covered)")
            .await,
        0
    );
}

#[tokio::test]
async fn the_captured_bodies_come_in_whole_through_json() {
    let Some(folder) = crate::samples::samples("nvdtools") else {
        return;
    };
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let mut list = read("advisory_list_example.json");
    let detail = read("advisory_details_example.json");
    // One page of its 80,529.
    list["count"] = json!(1);
    list["next"] = Value::Null;
    let documents = Documents::serve().await;
    documents.set_json("/api/asset-lists/1/", &json!({"id": 1, "name": "Captured"}));
    documents.set_json("/api/advisories/", &list);
    documents.set_json("/api/advisories/SA87735/", &detail);
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.source = "json";
    world.settings.feeds.first_days = Some(5000);
    world.settings.feeds.max_days = Some(5000);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let fetched = world.fetch_details().await.remove(0);
    assert_eq!((fetched.tally.added, fetched.tally.quarantined), (1, 0));
    let stored = crate::samples::stored(&world).await;
    crate::samples::compare(&detail, &stored);
    assert_eq!(stored["source"], "json");
    assert_eq!(stored["custom_info"], detail["custom_info"]);
    let raw: Value = serde_json::from_str(stored["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, detail, "nothing of it is lost");
    // The collection says the same in numbers.
    let element = &list["results"][0];
    for (ours, theirs) in [
        ("said", "advisory_identifier"),
        ("upstream_id", "id"),
        ("title", "title"),
        ("criticality", "criticality"),
        ("cvss3_score", "cvss3_score"),
        ("cvss3_vector", "cvss3_vector"),
        ("is_zero_day", "is_zero_day"),
        ("solution_status", "solution_status_description"),
    ] {
        assert_eq!(stored[ours], element[theirs], "{ours}");
    }
    assert_eq!(stored["attack_vector"], "remote");
    assert_eq!(stored["cvss2_score"], Value::Null);
    assert_eq!(stored["is_rejected"], false);
}

#[tokio::test]
async fn a_member_is_not_forgotten_because_another_feed_brought_its_revision() {
    let mut world = two_lists().await;
    world.settings.feeds.sweep = None;
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    world.fetch_details().await;
    let members = world.simulator.saids(1);
    let others = world.simulator.saids(2);
    let said = others.iter().find(|said| !members.contains(said)).unwrap();
    assert!(world.simulator.join(said, 1));
    world.later(TimeDelta::minutes(1));
    assert!(world.simulator.revise(said, true));
    world.later(TimeDelta::minutes(1));
    // The sweep is first, then the list from JSON, then the other list's feed.
    scan_revisions(&world.context().await)
        .await
        .expect("a sweep");
    world.pull().await;
    world.later(TimeDelta::minutes(3));
    world.fetch_details().await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_feed_that_comes_back_loses_nobody_whose_detail_is_still_wanted() {
    let mut world = two_lists().await;
    world.lists = Some(vec![1]);
    break_feed(&world, AnswerFault::Html200);
    world.pull().await;
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(2));
    assert_eq!(modes(&world.pull().await)[0], ("window", "ok"));
    world.fetch_details().await;
    world.pull().await;
    assert_eq!(world.versions().await.len(), world.simulator.saids(1).len());
}

#[tokio::test]
async fn the_first_load_of_a_list_from_json_is_no_news_however_long_it_takes() {
    let mut world = World::with(SimulatorOptions {
        advisories: 250,
        ..small()
    })
    .await;
    world.settings.feeds.details = None;
    world.source = "json";
    world.settings.alerts = Alerts::to_log(&[]);
    world.later(TimeDelta::minutes(1));
    world.pull().await;
    // Batch by batch; the last ones come when there were complete runs of details.
    assert!(world.fetch_details().await.len() > 1);
    assert_eq!(world.alert().await.evaluated.raised, 0);
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.later(TimeDelta::minutes(5));
    world.pull().await;
    world.fetch_details().await;
    assert_eq!(world.alert().await.evaluated.raised, 1);
}

#[tokio::test]
async fn what_a_list_from_json_brings_later_is_news_though_no_detail_was_fetched_before() {
    let mut world = two_lists().await;
    world.settings.alerts = Alerts::to_log(&["appeared"]);
    world.pull().await;
    world.alert().await;
    break_feed(&world, AnswerFault::Html200);
    world.later(TimeDelta::minutes(5));
    let news = world.simulator.publish(20).len();
    world.later(TimeDelta::minutes(5));
    world.pull().await;
    world.fetch_details().await;
    assert_eq!(news, 20);
    let through_json = "select count(*) from advisoryd_v1.changes where what = 'appeared'
        and run_id in (select id from advisoryd_v1.sync_runs where job = 'details')";
    assert!(world.count(through_json).await > 0);
    assert_eq!(world.alert().await.evaluated.raised, 20);
}
