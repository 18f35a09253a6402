//! Watch lists are found upstream, followed, and left alone again.

use std::collections::BTreeMap;

use advisoryd::job::health::check;
use advisoryd::job::lists::discover::{self, Discovered};
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use advisoryd::store::ledger::run::requests_of_last_day;
use chrono::TimeDelta;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::settings::{Discovery, EVERY_SECOND, NEVER, WatchList};
use crate::support::{Documents, PATIENCE, Running, World, assert_reads, eventually, small};

/// A world whose lists nobody names; `schedule` is that of discovery.
async fn discovering(lists: usize, schedule: &'static str, feeds: &'static str) -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: lists,
        max_page_size: 5,
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule,
    });
    world.settings.schedule.feeds = Some(feeds);
    world.settings.tickets.enabled = Some(false);
    world
}

async fn discover(world: &World) -> Discovered {
    let context = world.context().await;
    discover::discover(&context).await.unwrap().unwrap()
}

/// Waits until the views say that so many lists are followed and read.
async fn read(world: &World, lists: i64) {
    eventually("the lists are read", PATIENCE, async || {
        let read = world
            .count("select count(*) from advisoryd_v1.watch_lists where configured and last_success_at is not null")
            .await;
        (read == lists).then_some(())
    })
    .await;
}

/// What the views say of a list, as soon as it is this.
async fn notified(world: &World, id: i64, wanted: (&str, bool, bool)) {
    eventually(&format!("list {id} is {wanted:?}"), PATIENCE, async || {
        let row: (Option<String>, bool, bool) = sqlx::query_as(
            "select name, configured, discovered from advisoryd_v1.watch_lists where id = $1",
        )
        .bind(id)
        .fetch_optional(world.pool())
        .await
        .unwrap()?;
        let (name, configured, discovered) = row;
        ((name.as_deref()?, configured, discovered) == wanted).then_some(())
    })
    .await;
}

/// What discovery failed with, as soon as it has.
async fn discovery_error(world: &World) -> String {
    eventually("discovery fails", PATIENCE, async || {
        sqlx::query_scalar("select last_error from advisoryd.discovery")
            .fetch_one(world.pool())
            .await
            .unwrap()
    })
    .await
}

fn asked(world: &World, part: &str) -> Vec<String> {
    let seen = world.simulator.requests().into_iter();
    let targets = seen.map(|request| request.target);
    targets.filter(|target| target.contains(part)).collect()
}

#[tokio::test]
async fn a_list_that_appears_is_read_from_its_first_days_on_without_a_restart() {
    let world = discovering(6, EVERY_SECOND, NEVER).await;
    let mut daemon = Running::start(&mut world.command(&["run"]));
    read(&world, 6).await;
    let new = world.simulator.add_watch_list().unwrap();
    world.simulator.join("SA70003", new);
    read(&world, 7).await;
    let pulls = asked(&world, "asset_list_id=7");
    assert!(pulls[0].contains("days=365"), "{pulls:?}");
    assert_eq!(asked(&world, "xml-feed").len(), 7, "the others went on");
    let found = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 7";
    assert_eq!(world.count(found).await, 1);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

#[tokio::test]
async fn lists_are_renamed_disabled_enabled_and_gone_while_the_daemon_runs() {
    let world = discovering(8, EVERY_SECOND, EVERY_SECOND).await;
    let mut daemon = world.run().await;
    read(&world, 8).await;
    let simulator = &world.simulator;
    simulator.rename_watch_list(2, "Printers");
    notified(&world, 2, ("Printers", true, true)).await;
    simulator.enable_watch_list(2, false);
    notified(&world, 2, ("Printers", false, true)).await;
    simulator.enable_watch_list(2, true);
    notified(&world, 2, ("Printers", true, true)).await;
    let before = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 2";
    let before = world.count(before).await;
    simulator.remove_watch_list(2);
    notified(&world, 2, ("Printers", false, false)).await;
    daemon.manager.hears_of(7).await;
    let kept = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 2";
    assert_eq!(world.count(kept).await, before, "its data stays");
    // A last run may have been under way; after it the list is asked for no more.
    eventually("pulls of the others alone", PATIENCE, async || {
        simulator.forget_requests();
        eventually("pulls of another", PATIENCE, async || {
            (asked(&world, "asset_list_id=3&").len() > 1).then_some(())
        })
        .await;
        asked(&world, "asset_list_id=2&").is_empty().then_some(())
    })
    .await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    let of_the_list = |event: &&Value| event["watch_list.id"] == 2;
    let events = daemon.events();
    let said = events
        .iter()
        .filter(of_the_list)
        .map(|event| event["message"].as_str().unwrap());
    assert_reads!(said.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_run_goes_on_to_its_end_although_its_list_goes() {
    let world = discovering(6, EVERY_SECOND, NEVER).await;
    let hold = AnswerFault::Hold {
        after_bytes: 500,
        gate: "half".to_owned(),
    };
    world
        .simulator
        .inject(FaultRule::new(hold).on("asset_list_id=1&"));
    let mut daemon = world.run().await;
    world.reached("half").await;
    world.simulator.remove_watch_list(1);
    daemon.manager.hears_of(5).await;
    world.simulator.open("half");
    eventually("the run's end", PATIENCE, async || {
        let ok = world
            .count("select count(*) from advisoryd_v1.sync_runs where watch_list_id = 1 and outcome = 'ok' and added > 0")
            .await;
        (ok == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_loses_many_lists_is_believed_only_when_it_stays() {
    let world = discovering(6, NEVER, NEVER).await;
    assert_eq!(discover(&world).await.followed, 6);
    world.simulator.remove_watch_list(1);
    assert_eq!(
        discover(&world).await.outcome.error(),
        None,
        "a sixth is believed"
    );
    world.simulator.remove_watch_list(2);
    world.simulator.enable_watch_list(3, false);
    let doubted = discover(&world).await;
    assert_eq!(doubted.followed, 5, "the last known set stays");
    assert_reads!(doubted.outcome.error().unwrap());
    world.later(TimeDelta::minutes(4));
    assert!(
        discover(&world).await.outcome.error().is_some(),
        "at once is too soon"
    );
    // A good answer between ends the doubt: the next loss begins anew.
    world.simulator.enable_watch_list(3, true);
    assert_eq!(discover(&world).await.outcome.error(), None);
    world.simulator.enable_watch_list(3, false);
    world.simulator.enable_watch_list(4, false);
    world.later(TimeDelta::minutes(4));
    assert!(discover(&world).await.outcome.error().is_some());
    world.later(TimeDelta::minutes(6));
    let believed = discover(&world).await;
    assert_eq!((believed.outcome.error(), believed.followed), (None, 2));
    let followed = "select count(*) from advisoryd_v1.watch_lists where configured";
    assert_eq!(world.count(followed).await, 2);
}

#[tokio::test]
async fn every_page_is_walked_and_what_is_not_whole_changes_nothing() {
    let world = discovering(12, NEVER, NEVER).await;
    let notified = discover(&world).await;
    assert_eq!((notified.listed, notified.requests), (12, 3));
    let context = world.context().await;
    let mut connection = world.pool().acquire().await.unwrap();
    let used = requests_of_last_day(&mut connection, context.clock.now())
        .await
        .unwrap();
    let used: u32 = used.iter().map(|(_, requests)| requests).sum();
    assert_eq!(used, 3, "they count against the account's day");
    world.simulator.add_watch_list();
    let evil =
        AnswerFault::EvilNext("https://elsewhere.example/api/asset-lists/?page=2".to_owned());
    let mut errors = Vec::new();
    for fault in [evil, AnswerFault::Html200, AnswerFault::Status(403)] {
        world
            .simulator
            .inject(FaultRule::new(fault).on("asset-lists"));
        let notified = discover(&world).await;
        assert_eq!(notified.followed, 12, "{notified:?}");
        errors.push(notified.outcome.error().unwrap().to_owned());
    }
    assert_reads!(errors.join("\n"));
    assert_eq!(discover(&world).await.followed, 13);
}

#[tokio::test]
async fn explicit_entries_refine_and_exclude() {
    let mut world = discovering(4, NEVER, NEVER).await;
    world.settings.watch_lists = vec![
        WatchList {
            id: 2,
            name: Some("Ours"),
            query: BTreeMap::from([("language", "en")]),
            ..WatchList::default()
        },
        WatchList {
            id: 3,
            follow: Some(false),
            ..WatchList::default()
        },
        WatchList {
            id: 77,
            ..WatchList::default()
        },
    ];
    let notified = discover(&world).await;
    assert_eq!(
        notified.followed, 4,
        "1, 2, 4 and the one that only the configuration knows"
    );
    let names: Vec<(i64, Option<String>, bool)> =
        sqlx::query_as("select id, name, configured from advisoryd_v1.watch_lists order by id")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let ids: Vec<(i64, bool)> = names
        .iter()
        .map(|(id, _, followed)| (*id, *followed))
        .collect();
    assert_eq!(
        ids,
        [(1, true), (2, true), (3, false), (4, true), (77, true)]
    );
    assert_eq!(names[1].1.as_deref(), Some("Ours"));
    assert!(names[0].1.is_some() && names[2].1.is_some());
    let pulled = world.pull().await;
    assert_eq!(pulled.len(), 4);
    assert_eq!(asked(&world, "asset_list_id=2&language=en").len(), 1);
}

#[tokio::test]
async fn a_daemon_killed_while_it_discovers_goes_on_with_the_lists_it_knew() {
    let mut world = discovering(6, EVERY_SECOND, NEVER).await;
    let mut first = Running::start(&mut world.command(&["run"]));
    read(&world, 6).await;
    let hold = AnswerFault::Hold {
        after_bytes: 10,
        gate: "second page".to_owned(),
    };
    world.simulator.inject(FaultRule::new(hold).on("page=2"));
    world.simulator.add_watch_list();
    world.reached("second page").await;
    first.kill9();
    world.simulator.open("second page");
    let down = FaultRule::new(AnswerFault::Status(503))
        .on("asset-lists")
        .times(1000);
    world.simulator.inject(down);
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    world.simulator.forget_requests();
    let mut second = world.run().await;
    second.manager.hears_of(6).await;
    assert_reads!(discovery_error(&world).await);
    eventually("each list is read again", PATIENCE, async || {
        let is_read = |id: i64| !asked(&world, &format!("asset_list_id={id}&")).is_empty();
        (1..=6).all(is_read).then_some(())
    })
    .await;
    world.simulator.clear_faults();
    read(&world, 7).await;
}

#[tokio::test]
async fn an_empty_database_and_upstream_down_are_waited_out() {
    let world = discovering(2, NEVER, NEVER).await;
    // Two attempts each: the first two discoveries fail.
    let down = FaultRule::new(AnswerFault::Status(503))
        .on("asset-lists")
        .times(4);
    world.simulator.inject(down);
    let _daemon = Running::start(&mut world.command(&["run"]));
    discovery_error(&world).await;
    read(&world, 2).await;
    assert_eq!(world.simulator.faults_left(), 0);
}

#[tokio::test]
async fn the_commands_know_discovered_lists() {
    let world = discovering(3, NEVER, NEVER).await;
    let refused = world.cli(&["sync", "feeds", "--watch-list", "2"]);
    assert_eq!(refused.code, 1);
    let check = world.cli(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    let sync = world.cli(&["sync", "feeds"]);
    assert_eq!(sync.code, 0, "{sync:?}");
    assert_eq!(sync.stdout.lines().count(), 4);
    world.simulator.forget_requests();
    assert_eq!(world.cli(&["sync", "feeds", "--watch-list", "2"]).code, 0);
    assert!(
        asked(&world, "asset-lists").is_empty(),
        "known lists need no asking"
    );
    let status = world.cli(&["status", "--json"]).json();
    assert!(
        status["discovery"]["last_success_at"].is_string(),
        "{status}"
    );
    assert!(status["sources"][0]["scheduled_at"].is_string(), "{status}");
    assert_reads!(refused, check, sync, world.cli(&["status"]));
    assert_eq!(world.cli(&["prove"]).code, 0);
}

/// Nobody knows which list a row without an id is: discovery fails and says so, follows the
/// others, and regards none as gone.
#[tokio::test]
async fn a_list_without_an_id_is_told_and_no_list_is_regarded_as_gone() {
    let mut world = discovering(1, NEVER, NEVER).await;
    let documents = Documents::serve().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let list = |id: i64| json!({"id": id, "name": format!("List {id}"), "enabled": true});
    let nameless = json!({"name": "No\u{1b} id", "enabled": true});
    let set = |rows: Vec<Value>| {
        let page = json!({"count": rows.len(), "next": null, "results": rows});
        documents.set_json("/api/asset-lists/", &page);
    };
    let condition = "select summary from advisoryd_v1.conditions
                     where what = 'discovery_incomplete' and holds";
    set(vec![list(1), list(2)]);
    assert_eq!(discover(&world).await.outcome.name(), "ok");
    let mut all = Vec::new();
    for _ in 0..2 {
        set(vec![list(1), list(3), nameless.clone()]);
        let notified = discover(&world).await;
        assert_eq!((notified.outcome.name(), notified.followed), ("failed", 3));
        all.push(notified.outcome.error().unwrap().to_owned());
        check::check_health(&world.context().await).await.unwrap();
        all.extend(world.texts(condition).await);
        let status = world.cli(&["status"]).stdout;
        assert!(
            status.contains("discovery_incomplete") && status.contains("No"),
            "{status}"
        );
        let check = world.cli(&["check"]);
        assert_eq!(check.code, 1, "{check}");
        let line = check
            .stdout
            .lines()
            .find(|line| line.contains("no usable id"));
        all.push(line.expect("it is told").to_owned());
    }
    assert_reads!(all.join("\n"));
    set(vec![list(1), list(2), list(3)]);
    assert_eq!(discover(&world).await.outcome.name(), "ok");
    check::check_health(&world.context().await).await.unwrap();
    assert_eq!(world.texts(condition).await, [""; 0]);
}

#[tokio::test]
async fn a_list_that_the_configuration_names_is_not_told_as_newly_followed() {
    let mut world = discovering(2, NEVER, NEVER).await;
    world.settings.watch_lists = vec![WatchList {
        id: 2,
        ..WatchList::default()
    }];
    let mut daemon = world.run().await;
    read(&world, 2).await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    let events = daemon.events();
    let of_list = |id: i64| -> Vec<&str> {
        let found = events.iter().filter(|event| event["watch_list.id"] == id);
        let texts = found.filter_map(|event| event["message"].as_str());
        texts.filter(|text| text.contains("upstream")).collect()
    };
    assert_eq!(
        of_list(1),
        ["watch list 1 (`Linux servers`) appeared upstream; now followed"]
    );
    assert_eq!(
        of_list(2),
        [
            "watch list 2 (`Workstations`) was found upstream; the configuration names it, and it is followed as before"
        ]
    );
}

#[tokio::test]
async fn a_list_is_chosen_by_a_part_of_its_name_that_only_it_has() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    world.settings.tickets.enabled = Some(false);
    let list = |id, name| WatchList {
        id,
        name: Some(name),
        ..WatchList::default()
    };
    world.settings.watch_lists = vec![
        list(1, "Linux servers"),
        list(2, "Mail"),
        list(3, "Mail servers"),
    ];
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    let chosen = |name: &str| world.cli(&["advisories", "--watch-list", name, "--json"]);
    let all = chosen("1");
    assert_eq!(all.code, 0, "{all}");
    assert_eq!(chosen("LINUX").stdout, all.stdout);
    assert_eq!(chosen("mail").stdout, chosen("2").stdout, "its whole name");
    let several = chosen("servers");
    assert_eq!(several.code, 1, "{several}");
    assert_reads!(several);
    assert_eq!(chosen("").code, 1);
}

#[tokio::test]
async fn tickets_name_a_list_as_the_configuration_does() {
    let mut world = World::new().await;
    world.lists = Some(Vec::new());
    world.settings.watch_lists = vec![WatchList {
        id: 1,
        name: Some("Our machines"),
        ..WatchList::default()
    }];
    assert_eq!(world.cli(&["sync"]).code, 0);
    let of_list =
        "select pretty_id from advisoryd_v1.tickets where watch_list_id = 1 order by id limit 1";
    let number = format!("#{}", world.count(of_list).await);
    let notified = world.cli(&["show", &number]).stdout;
    assert!(notified.contains(" Our machines\n"), "{notified}");
    let raw = "select count(*) from advisoryd_v1.tickets
               where watch_list_id = 1 and raw::text like '%Linux servers%'";
    assert!(
        world.count(raw).await > 0,
        "what upstream says is there too"
    );
}

/// What can be read of a list is enough to follow it.
#[tokio::test]
async fn a_list_with_half_a_character_in_its_name_or_an_odd_number_is_followed() {
    let mut world = discovering(1, NEVER, NEVER).await;
    let documents = Documents::serve().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    documents.set_text(
        "/api/asset-lists/",
        r#"{"count": 3, "next": null, "results": [{"id": 2, "name": "Cut \ud83d"},
            {"id": 3.0, "name": "Three"}, {"id": "4.0", "name": "Four"}]}"#,
    );
    let notified = discover(&world).await;
    assert_eq!((notified.outcome.error(), notified.followed), (None, 3));
    let names = "select id || ' ' || name from advisoryd.discovered_list order by id";
    assert_eq!(
        world.texts(names).await,
        ["2 Cut \u{fffd}", "3 Three", "4 Four"]
    );
}
