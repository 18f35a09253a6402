//! A watch list that does not exist upstream is told at once, with those that do.

use serde_json::Value;

use crate::support::{World, assert_reads};

/// Does not exist.
const MISSING: i64 = 99;

async fn world(source: &'static str) -> World {
    let mut world = World::new().await;
    world.source = source;
    world.lists = Some(vec![1, MISSING]);
    world
}

fn states(world: &World) -> Vec<(i64, String)> {
    let status = world.cli(&["status", "--json"]).json();
    let sources = status["sources"].as_array().unwrap().clone();
    let lists = sources
        .iter()
        .filter(|source| source["kind"] == "watch_list");
    lists
        .map(|list| {
            let state = list["state"].as_str().unwrap().to_owned();
            (list["id"].as_i64().unwrap(), state)
        })
        .collect()
}

#[tokio::test]
async fn a_list_that_does_not_exist_fails_sync_and_check_and_is_missing_in_status() {
    let mut all = Vec::new();
    for source in ["auto", "json", "feed"] {
        let world = world(source).await;
        world.simulator.forget_requests();
        let sync = world.cli(&["sync", "feeds", "--watch-list", "99"]);
        assert_eq!(sync.code, 1, "{source}: {sync:?}");
        let name = world.simulator.requests().len();
        assert!(name <= 4, "{source}: {name} requests");
        for _ in 0..2 {
            world.cli(&["sync", "feeds"]);
        }
        assert_eq!(
            states(&world),
            [(1, "ok".to_owned()), (MISSING, "missing".to_owned())],
            "{source}"
        );
        let via =
            "select count(*) from advisoryd.source where watch_list_id = 99 and served_by = 'json'";
        assert_eq!(
            world.count(via).await,
            0,
            "{source}: nothing takes its place"
        );

        let check = world.cli(&["check", "--json"]);
        assert_eq!(check.code, 1, "{source}: {check:?}");
        all.push(sync.stderr.lines().last().unwrap().to_owned());
        let lines = check.json().as_array().unwrap().clone();
        let mut messages = lines.iter().filter_map(|line| line["message"].as_str());
        let message = messages.find(|text| text.contains("not exist"));
        all.push(message.expect("it is told").to_owned());
    }
    assert_reads!(all.join("\n"));
}

#[tokio::test]
async fn a_list_that_appears_is_read_and_one_that_vanishes_is_told() {
    let mut world = World::new().await;
    world.source = "json";
    let id = world.simulator.watch_lists()[0];
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    world.simulator.remove_watch_list(id);
    world.lists = Some(vec![id]);
    world.later(chrono::TimeDelta::days(1));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    assert_reads!(report.outcome.error().unwrap());
}

#[tokio::test]
async fn a_feed_without_an_entry_for_its_list_is_still_read_by_json() {
    use advisoryd::simulate::{AnswerFault, FaultRule};
    let world = world("auto").await;
    let closed = |path: &str, status| {
        let rule = FaultRule::new(AnswerFault::Status(status))
            .on(path)
            .times(1000);
        world.simulator.inject(rule);
    };
    // The account may not read watch lists: nothing says that the list does not exist.
    closed("asset-lists", 403);
    closed("asset_list_id=1", 404);
    world.cli(&["sync", "feeds", "--watch-list", "1"]);
    let via: Value = world.cli(&["status", "--json"]).json();
    let lists = via["sources"].as_array().unwrap();
    let list = lists.iter().find(|source| source["id"] == 1).unwrap();
    assert_eq!(
        (&list["state"], &list["served_by"]),
        (&"ok".into(), &"json".into())
    );
}

fn answer(world: &World, path: &str, fault: advisoryd::simulate::AnswerFault) {
    let rule = advisoryd::simulate::FaultRule::new(fault)
        .on(path)
        .times(1000);
    world.simulator.inject(rule);
}

/// Its own entry says that there is no such list, whatever else can be read.
#[tokio::test]
async fn a_list_without_an_entry_does_not_exist_although_the_lists_cannot_be_read() {
    use advisoryd::simulate::AnswerFault;
    let feeds = [
        None,
        Some(AnswerFault::Html200),
        Some(AnswerFault::Status(403)),
    ];
    let listings = [None, Some(403), Some(404), Some(500)];
    for feed in feeds {
        for listing in listings {
            let world = world("auto").await;
            if let Some(fault) = &feed {
                answer(&world, "asset_list_id=99", fault.clone());
            }
            if let Some(status) = listing {
                answer(&world, "asset-lists/?", AnswerFault::Status(status));
            }
            let what = format!("{feed:?} {listing:?}");
            for arguments in [&["sync", "feeds", "--watch-list", "99"][..], &["check"]] {
                let result = world.cli(arguments);
                assert_eq!(result.code, 1, "{what}: {result:?}");
                let said = result.stdout.clone() + &result.stderr;
                let reason = "watch list does not exist upstream";
                assert!(said.contains(reason), "{what}: {result:?}");
            }
            assert_eq!(states(&world)[1], (MISSING, "missing".to_owned()), "{what}");
        }
    }
}

/// Nothing shows that the list exists, and no advisory of it is found.
#[tokio::test]
async fn a_list_that_nothing_shows_is_not_complete() {
    use advisoryd::simulate::AnswerFault;
    for source in ["auto", "json"] {
        let world = world(source).await;
        answer(&world, "asset-lists", AnswerFault::Status(403));
        answer(&world, "asset_list_id=99", AnswerFault::Status(404));
        // The first runs request the details that would show it.
        for _ in 0..3 {
            world.cli(&["sync"]);
        }
        let second = world.cli(&["sync", "feeds", "--watch-list", "99"]);
        assert_eq!(second.code, 1, "{source}: {second}");
        let what = "it cannot be verified that watch list 99 exists";
        let path = "/api/asset-lists/99/: the account has no permission";
        if source == "json" {
            assert!(second.stderr.contains(what), "{second}");
            assert!(second.stderr.contains(path), "{second}");
        }
        assert_ne!(world.cli(&["status", "--check"]).code, 0, "{source}");
        // The other list has advisories, and no other proof.
        let other = world.cli(&["sync", "feeds", "--watch-list", "1"]);
        assert_eq!(other.code, 0, "{source}: {other}");
    }
}

/// Another reason than missing permissions is named as it is.
#[tokio::test]
async fn what_keeps_a_list_from_being_seen_is_named() {
    use advisoryd::simulate::AnswerFault;
    let world = world("json").await;
    answer(&world, "asset-lists/99/", AnswerFault::Status(403));
    answer(&world, "asset-lists/?", AnswerFault::Status(500));
    for _ in 0..3 {
        world.cli(&["sync"]);
    }
    let result = world.cli(&["sync", "feeds", "--watch-list", "99"]);
    assert_eq!(result.code, 1, "{result}");
    for said in [
        "it cannot be verified that watch list 99 exists",
        "/api/asset-lists/99/: the account has no permission",
        "returned status 500",
        "empty",
    ] {
        assert!(result.stderr.contains(said), "{said}: {result}");
    }
}

/// A list without advisories is shown by the list of all lists, if not by its own entry.
#[tokio::test]
async fn an_empty_list_whose_entry_is_closed_is_shown_by_the_list_of_lists() {
    use advisoryd::simulate::AnswerFault;
    let mut world = World::new().await;
    world.source = "auto";
    let id = world.simulator.watch_lists()[0];
    world.lists = Some(vec![id]);
    for said in world.simulator.saids(id) {
        world.simulator.leave(&said, id);
    }
    let feed = format!("asset_list_id={id}");
    answer(&world, &feed, AnswerFault::Html200);
    answer(
        &world,
        &format!("asset-lists/{id}/"),
        AnswerFault::Status(403),
    );
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
}

/// A document, although nothing in it is recognised, is no sign that there is no list.
#[tokio::test]
async fn a_list_whose_feed_has_an_unknown_structure_is_not_called_missing() {
    use advisoryd::simulate::{AnswerFault, Damage};
    let world = world("auto").await;
    answer(
        &world,
        "asset_list_id=1",
        AnswerFault::Damaged(Damage::NotRecognised),
    );
    answer(&world, "asset-lists/1/", AnswerFault::Status(404));
    answer(&world, "asset-lists/?", AnswerFault::Status(403));
    for arguments in [&["check"][..], &["sync", "feeds", "--watch-list", "1"]] {
        let result = world.cli(arguments);
        let said = result.stdout.clone() + &result.stderr;
        assert!(
            !said.contains("watch list 1: the watch list does not exist"),
            "{result}"
        );
    }
    let check = world.cli(&["check"]);
    let line = check
        .stdout
        .lines()
        .find(|line| line.contains("watch list 1"))
        .unwrap();
    assert!(line.contains("structure not recognised"), "{line}");
    assert!(
        line.contains("/api/asset-lists/1/ returned status 404"),
        "{line}"
    );
}
