//! A list that is read from the JSON API is incomplete while advisories that it names cannot
//! be fetched, and everybody who asks is told.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use chrono::TimeDelta;

use crate::support::{World, assert_reads, small, without, world_of_documents};

/// One list whose feed is a web page, and whose details upstream refuses like this.
async fn refused(status: u16) -> World {
    let mut world = World::with(small()).await;
    world.source = "auto";
    world.settings.tickets.enabled = Some(false);
    world.later(TimeDelta::minutes(1));
    let rules = [
        ("asset_list_id=1", AnswerFault::Html200),
        ("/api/advisories/SA", AnswerFault::Status(status)),
    ];
    for (part, fault) in rules {
        world
            .simulator
            .inject(FaultRule::new(fault).on(part).times(100_000));
    }
    world
}

async fn problems(world: &World) -> Vec<String> {
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    proof.problems.into_iter().map(|one| one.says).collect()
}

/// The summary of the condition while it is raised.
async fn condition(world: &World) -> Option<String> {
    check::check_health(&world.context().await).await.unwrap();
    let summaries = "select summary from advisoryd_v1.conditions
                     where what = 'details_missing' and key = 'watch list 1' and holds";
    world.texts(summaries).await.pop()
}

#[tokio::test]
async fn a_list_whose_advisories_cannot_be_fetched_is_incomplete() {
    let mut all = Vec::new();
    for status in [404, 403] {
        let world = refused(status).await;
        let report = world.pull_one().await;
        assert_eq!((report.mode.name(), report.outcome.name()), ("json", "ok"));
        assert_eq!(report.tally.unchanged, 0, "nothing is stored");
        let waits = problems(&world).await;
        all.extend(waits);
        world.fetch_details().await;
        assert!(world.versions().await.is_empty());

        all.extend(problems(&world).await);
        let status_page = world.cli(&["status"]).stdout;
        let line = status_page.lines().find(|line| line.contains("incomplete"));
        all.push(line.expect("it is told").to_owned());
        let source = &world.cli(&["status", "--json"]).json()["sources"][0];
        assert_eq!(source["state"], "incomplete");
        assert_eq!(source["missing_details"], 60);
        let summary = condition(&world).await.expect("it is told");
        assert!(summary.contains("60 advisories"), "{summary}");

        // The feed is requested at the next scheduled time, and once it can be read all is well.
        world.simulator.forget_requests();
        world.later(TimeDelta::minutes(15));
        world.pull_one().await;
        let asked = world.simulator.requests();
        assert!(
            asked
                .iter()
                .any(|one| one.target.contains("asset_list_id=1"))
        );
        world.simulator.clear_faults();
        world.later(TimeDelta::minutes(15));
        let report = world.pull_one().await;
        assert_eq!(
            (report.mode.name(), report.outcome.name()),
            ("window", "ok")
        );
        world.assert_all_is_stored().await;
        assert_eq!(problems(&world).await, [""; 0]);
        assert_eq!(condition(&world).await, None);
        let source = &world.cli(&["status", "--json"]).json()["sources"][0];
        assert_eq!(source["missing_details"], 0);
    }
    assert_reads!(without(&all.join("\n"), r"/SA\d+/", "/[said]/"));
}

#[tokio::test]
async fn sync_fails_while_a_list_is_incomplete() {
    let mut world = refused(404).await;
    world.clock_offset = std::sync::Arc::default();
    world.simulator.set_clock(TimeDelta::zero());
    world.settings.feeds.first_days = Some(30);
    let sync = world.cli(&["sync", "feeds"]);
    assert_eq!(sync.code, 1, "{sync}");
    let line = sync.stderr.lines().last().unwrap();
    // How many of them there are depends on the day.
    assert_reads!(without(
        &line,
        r"\d+ advisories \(.*?\)|SA\d+",
        "[advisories]"
    ));
}

/// As the documents say: after an hour, at a scheduled time.
#[tokio::test]
async fn a_feed_that_is_replaced_is_requested_again_after_an_hour() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 1,
        ..small()
    })
    .await;
    world.source = "auto";
    world.later(TimeDelta::minutes(1));
    let page = FaultRule::new(AnswerFault::Html200)
        .on("asset_list_id=1")
        .times(1000);
    world.simulator.inject(page);
    world.pull_one().await;
    world.fetch_details().await;
    world.assert_all_is_stored().await;
    let mut asked = Vec::new();
    for _ in 0..9 {
        world.later(TimeDelta::minutes(15));
        world.simulator.forget_requests();
        world.pull_one().await;
        let requests = world.simulator.requests();
        asked.push(
            requests
                .iter()
                .any(|one| one.target.contains("asset_list_id=1")),
        );
    }
    let wanted = [false, false, false, true, false, false, false, true, false];
    assert_eq!(asked, wanted);
    world.pull_back(LookBack::Full).await;
    world.fetch_details().await;
    world.sync_tickets(TicketSync::Now).await;
    assert_eq!(problems(&world).await, [""; 0]);
}

/// Only the details say which lists an advisory is in.
#[tokio::test]
async fn a_list_is_incomplete_while_a_detail_does_not_say_its_lists() {
    for custom in [
        "null",
        r#"{"affected_asset_lists": "error"}"#,
        r#"{"affected_asset_lists": [{"asset_list_id": "1x"}]}"#,
        r#"{"affected_asset_lists": [{"asset_list_id": 1}, {"name": "x"}]}"#,
    ] {
        let (mut world, documents) = world_of_documents().await;
        world.source = "auto";
        world.settings.tickets.enabled = Some(false);
        let modified = (world.now() - TimeDelta::minutes(1)).format("%Y-%m-%dT%H:%M:%SZ");
        let element = format!(
            r#""advisory_identifier": "SA1", "title": "one", "modified_date": "{modified}", "released": "{modified}""#
        );
        documents.set(1, "<html><body>Log in</body></html>");
        let page = format!(r#"{{"count": 1, "next": null, "results": [{{{element}}}]}}"#);
        documents.set_text("/api/advisories/", &page);
        documents.set_text("/api/asset-lists/1/", r#"{"id": 1, "name": "one"}"#);
        let set = |custom: &str| {
            let detail = format!(r#"{{{element}, "custom_info": {custom}}}"#);
            documents.set_text("/api/advisories/SA1/", &detail);
        };
        set(custom);
        world.later(TimeDelta::seconds(2));
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
        world.fetch_details().await;
        let result = problems(&world).await;
        assert!(
            result
                .iter()
                .any(|one| one.contains("affected_asset_lists")),
            "{custom}: {result:?}"
        );
        let source = &world.cli(&["status", "--json"]).json()["sources"][0];
        assert_eq!(source["state"], "incomplete", "{custom}");

        set(r#"{"affected_asset_lists": [{"asset_list_id": 1}]}"#);
        // As a week later; upstream's clock is that of this machine.
        sqlx::query("update advisoryd.wanted_detail set next_at = next_at - interval '8 days'")
            .execute(world.pool())
            .await
            .unwrap();
        world.fetch_details().await;
        let lists = "select watch_list_ids::text from advisoryd_v1.advisories";
        assert_eq!(world.texts(lists).await, ["{1}"], "{custom}");
        let source = &world.cli(&["status", "--json"]).json()["sources"][0];
        assert_eq!(source["missing_details"], 0, "{custom}");
    }
}
