//! What watch lists contain, and what awaits approval, is mirrored.

use advisoryd::job::feeds::feed::feeds;
use advisoryd::job::feeds::full;
use advisoryd::job::health::check;
use advisoryd::job::lists::mirror::{self, Mirrored};
use advisoryd::job::run::Ran;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use advisoryd::store::ledger::run::requests_of_last_day;
use chrono::TimeDelta;
use serde_json::json;

use crate::support::settings::{EVERY_SECOND, NEVER, Schedule};
use crate::support::{Documents, PATIENCE, World, assert_reads, eventually, get, small};

/// Upstream with three lists, of which these are followed.
async fn world(lists: &[i64]) -> World {
    let mut world = World::with(SimulatorOptions {
        advisories: 120,
        watch_lists: 3,
        max_page_size: 4,
        ..small()
    })
    .await;
    world.lists = Some(lists.to_vec());
    world
}

async fn mirror(world: &World) -> Mirrored {
    let mirrored = mirror::mirror(&world.context().await).await;
    mirrored.expect("it is written down").expect("nobody else")
}

/// What a tick of the list's schedule does: the modes of its runs.
async fn tick(world: &World) -> Vec<&'static str> {
    let context = world.context().await;
    let (feed, _) = feeds(&context.config).remove(0);
    let ran = full::pull_due(&context, &feed).await.unwrap();
    ran.into_iter()
        .map(|ran| match ran {
            Ran::Ended(report) => {
                assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
                report.mode.name()
            }
            Ran::Busy(_) => panic!("nobody else reads this list"),
        })
        .collect()
}

/// The products that list 1 contains.
async fn products(world: &World) -> Vec<String> {
    world
        .texts(
            "select name
             from advisoryd_v1.watch_list_products
             where watch_list_id = 1
               and kind = 'product'
               and left_at is null
             order by name",
        )
        .await
}

fn asked(world: &World, part: &str) -> usize {
    let requests = world.simulator.requests().into_iter();
    requests.filter(|one| one.target.contains(part)).count()
}

const PRESENT: &str = "select count(*) from advisoryd_v1.watch_list_products where left_at is null";

#[tokio::test]
async fn vendors_products_and_releases_of_each_followed_list_are_mirrored() {
    let world = world(&[1, 2]).await;
    let first = mirror(&world).await;
    assert_eq!((first.read, first.error, first.refused), (7, None, 0));
    let rows = world
        .texts(
            "select distinct format('%s %s: %s rows, first %s %s', watch_list_id, kind,
                        count(*) over list, first_value(upstream_id) over list,
                        first_value(name) over list)
             from advisoryd_v1.watch_list_products
             window list as (partition by watch_list_id, kind order by upstream_id
                             rows between unbounded preceding and unbounded following)
             order by 1",
        )
        .await;
    assert_reads!(rows.join("\n"));
    // All pages, four rows each, as upstream cuts them; each but the last again after the
    // next one, and the first again at the end.
    assert_eq!(asked(&world, "/asset-lists/1/products/"), 3 + 2 + 1);
    let context = world.context().await;
    let mut connection = world.pool().acquire().await.unwrap();
    let used = requests_of_last_day(&mut connection, context.clock.now()).await;
    let used: u64 = used.unwrap().iter().map(|(_, used)| u64::from(*used)).sum();
    assert_eq!(used, first.requests, "they count against the account's day");

    let again = mirror(&world).await;
    assert_eq!((again.read, again.came, again.left), (7, 0, 0));
}

#[tokio::test]
async fn what_comes_goes_and_comes_back_has_its_times() {
    let world = world(&[1]).await;
    mirror(&world).await;
    let before = products(&world).await;
    let name = world.simulator.add_product(1).unwrap();
    let came = mirror(&world).await;
    assert_eq!((came.came, came.left), (2, 0), "it and its release");
    assert!(products(&world).await.contains(&name.to_owned()));
    assert!(world.simulator.remove_product(1, name));
    let left = mirror(&world).await;
    assert_eq!((left.came, left.left), (0, 2));
    assert_eq!(products(&world).await, before);
    let kept =
        "select count(*) from advisoryd_v1.watch_list_products where left_at >= first_seen_at";
    assert_eq!(world.count(kept).await, 2, "what left is kept");
    world.later(TimeDelta::minutes(1));
    assert_eq!(world.simulator.add_product(1), Some(name));
    assert_eq!(mirror(&world).await.came, 2);
    let back = "select count(*) from advisoryd_v1.watch_list_products
                where left_at is null and upper(away) - lower(away) >= interval '1 minute'";
    assert_eq!(world.count(back).await, 2);
}

#[tokio::test]
async fn only_a_complete_read_finds_that_something_left() {
    let world = world(&[1]).await;
    mirror(&world).await;
    let (before, name) = (world.count(PRESENT).await, products(&world).await.remove(0));
    assert!(world.simulator.remove_product(1, &name));
    // The second page fails, and is requested twice.
    let fault = FaultRule::new(AnswerFault::Status(500))
        .on("page=2")
        .times(2);
    world.simulator.inject(fault);
    let failed = mirror(&world).await;
    let error = failed.error.expect("a page is missing");
    assert!(error.contains("500"), "{error}");
    assert_eq!(world.count(PRESENT).await, before);
    let result = "select count(*) from advisoryd_v1.mirrors where last_error is not null";
    assert_eq!(world.count(result).await, 1);

    assert_eq!(mirror(&world).await.left, 2);
    assert_eq!(world.count(PRESENT).await, before - 2);
    assert_eq!(world.count(result).await, 0);
}

#[tokio::test]
async fn a_count_that_does_not_agree_is_read_again_and_never_believed() {
    let documents = Documents::serve().await;
    let mut world = world(&[1]).await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let page = |count: u32, ids: std::ops::Range<u32>| {
        let rows: Vec<_> = ids.map(|id| json!({"id": id, "name": "a"})).collect();
        json!({"count": count, "next": null, "results": rows}).to_string()
    };
    documents.set_text("/api/asset-lists/1/vendors/", &page(0, 0..0));
    documents.set_text("/api/asset-lists/1/product-releases/", &page(0, 0..0));
    documents.set_text("/api/asset-lists/1/products/", &page(12, 0..12));
    mirror(&world).await;
    documents.set_text("/api/asset-lists/1/products/", &page(12, 0..11));
    let result = mirror(&world).await;
    let error = result.error.expect("one row is missing");
    assert_reads!(error);
    assert_eq!(world.count(PRESENT).await, 12);
}

#[tokio::test]
async fn a_loss_of_more_than_a_fifth_must_be_confirmed() {
    let world = world(&[1]).await;
    mirror(&world).await;
    let (before, names) = (world.count(PRESENT).await, products(&world).await);
    for name in names.iter().take(3) {
        assert!(world.simulator.remove_product(1, name));
    }
    assert_eq!(mirror(&world).await.left, 0);
    assert_eq!(world.count(PRESENT).await, before);
    let errors =
        "select last_error from advisoryd_v1.mirrors where last_error is not null order by kind";
    assert_reads!(world.texts(errors).await.join("\n"));
    world.later(TimeDelta::minutes(40));
    assert_eq!(mirror(&world).await.left, 0, "at once is too soon");
    world.later(TimeDelta::minutes(20));
    assert_eq!(mirror(&world).await.left, 6);
    assert_eq!(world.texts(errors).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_edit_upstream_brings_old_advisories_at_the_next_tick() {
    let world = world(&[1]).await;
    tick(&world).await;
    mirror(&world).await;
    assert_eq!(
        tick(&world).await,
        ["window"],
        "the first mirror is no edit"
    );
    let members = world.simulator.saids(1).len();
    world.simulator.add_product(1).unwrap();
    let more = world.simulator.saids(1).len();
    assert!(more > members, "there are old advisories of it");
    assert_eq!(tick(&world).await, ["window"], "nothing is known of it yet");
    mirror(&world).await;
    assert_eq!(tick(&world).await, ["full"]);
    let stored = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 1 and left_at is null";
    assert_eq!(world.count(stored).await, i64::try_from(more).unwrap());
    assert_eq!(tick(&world).await, ["window"], "once");

    let name = products(&world).await.remove(0);
    assert!(world.simulator.remove_product(1, &name));
    mirror(&world).await;
    assert_eq!(tick(&world).await, ["full"], "what leaves is an edit too");
}

#[tokio::test]
async fn an_edit_of_a_list_read_by_json_fetches_what_is_older_than_the_edit() {
    let mut world = world(&[1]).await;
    world.source = "json";
    tick(&world).await;
    world.fetch_details().await;
    mirror(&world).await;
    world.simulator.add_product(1).unwrap();
    world.later(TimeDelta::seconds(5));
    mirror(&world).await;
    assert_eq!(tick(&world).await, ["json"]);
    world.fetch_details().await;
    let stored = "select count(*) from advisoryd_v1.advisory_watch_lists where watch_list_id = 1 and left_at is null";
    let members = world.simulator.saids(1).len();
    assert_eq!(world.count(stored).await, i64::try_from(members).unwrap());
}

#[tokio::test]
async fn what_upstream_refuses_is_off_by_itself_and_told_once() {
    let mut world = world(&[1, 2, 3]).await;
    world.settings.schedule = Schedule {
        list_contents: Some(EVERY_SECOND),
        feeds: Some(EVERY_SECOND),
        ..Schedule::never()
    };
    world.settings.tickets.enabled = Some(false);
    for path in [
        "approve-advisories",
        "vendors",
        "products",
        "product-releases",
    ] {
        let fault = FaultRule::new(AnswerFault::Status(403))
            .on(path)
            .times(1000);
        world.simulator.inject(fault);
    }
    let daemon = world.run().await;
    eventually("the feeds go on for some ticks", PATIENCE, async || {
        let runs = "select count(*) from advisoryd_v1.sync_runs where outcome = 'ok'";
        (world.count(runs).await > 9 && asked(&world, "approve") > 0).then_some(())
    })
    .await;
    let failed = "select count(*) from advisoryd_v1.sync_runs where outcome = 'failed'";
    assert_eq!(world.count(failed).await, 0);
    let below = asked(&world, "/asset-lists/") + asked(&world, "approve-advisories");
    assert_eq!(
        below, 5,
        "one request for the name, and one for each kind of collection"
    );
    let said: Vec<String> = daemon
        .events()
        .iter()
        .filter_map(|event| event["message"].as_str().map(str::to_owned))
        .filter(|message| message.contains("refuses"))
        .map(|message| message.replace(&world.simulator.base_url(), "http://upstream"))
        .collect();
    assert_reads!(said.join("\n"));
}

#[tokio::test]
async fn what_was_refused_is_tried_again_the_next_day() {
    let world = world(&[1, 2]).await;
    let fault = FaultRule::new(AnswerFault::Status(404))
        .on("/1/products/")
        .times(1000);
    world.simulator.inject(fault);
    let first = mirror(&world).await;
    assert_eq!((first.refused, first.read, first.error), (1, 6, None));
    let second = mirror(&world).await;
    assert_eq!((second.refused, second.read), (0, 6));
    assert_eq!(asked(&world, "/1/products/"), 1);
    let status = world.cli(&["status"]).stdout;
    let line = status.lines().find(|line| line.contains("not mirrored"));
    assert_reads!(line.expect("it is told"));
    world.later(TimeDelta::hours(25));
    assert_eq!(mirror(&world).await.refused, 0, "it is told once");
    assert_eq!(asked(&world, "/1/products/"), 2);
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(25));
    assert_eq!(mirror(&world).await.read, 7);
    assert!(!world.cli(&["status"]).stdout.contains("not mirrored"));
}

#[tokio::test]
async fn odd_rows_stop_no_neighbour_and_let_nothing_leave() {
    let documents = Documents::serve().await;
    let mut world = world(&[1]).await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let page = |rows: &[String]| {
        let (count, rows) = (rows.len(), rows.join(","));
        format!(r#"{{"count": {count}, "next": null, "results": [{rows}]}}"#)
    };
    let long = "x".repeat(100_000);
    let odd = [
        r#"{"id": 1, "name": "first"}"#.to_owned(),
        format!(r#"{{"id": 2, "name": "{long}"}}"#),
        format!(r#"{{"id": "{long}", "name": "no id"}}"#),
        r#"{"id": 3, "name": "a\u0000b"}"#.to_owned(),
        r#"{"id": "4\u0000", "name": "no id"}"#.to_owned(),
        r#"{"id": 5, "name": "\ud800"}"#.to_owned(),
        r#"{"id": 1e999}"#.to_owned(),
        r#"{"id": 9223372036854775808, "name": {"en": "x"}}"#.to_owned(),
        r#"{"name": "no id"}"#.to_owned(),
        "null".to_owned(),
        "[[]]".to_owned(),
        r#"{"id": 6, "name": "last"}"#.to_owned(),
    ];
    let approvals = [
        r#"{"id": 1, "advisory": {"advisory_identifier": "SA1", "title": "a\u0000b"}, "asset_list": 1e999}"#.to_owned(),
        format!(r#"{{"id": 2, "advisory": "SA2", "note": "{long}", "asset_list": {{"id": 9223372036854775808}}}}"#),
        r#"{"id": 3, "note": "\u0000"}"#.to_owned(),
        r#"{"title": "nothing else"}"#.to_owned(),
        r#"{"advisory": "SA4", "asset_list": 7}"#.to_owned(),
    ];
    documents.set_text("/api/asset-lists/1/vendors/", &page(&[]));
    documents.set_text("/api/asset-lists/1/products/", &page(&odd));
    documents.set_text("/api/asset-lists/1/product-releases/", &page(&odd));
    documents.set_text("/api/approve-advisories/", &page(&approvals));
    let result = mirror(&world).await;
    assert_eq!((result.read, result.error), (4, None));
    let ids = "select upstream_id || ' ' || left(name, 10) from advisoryd_v1.watch_list_products where kind = 'product' and name is not null order by 1";
    let pending = "select upstream_id || ' ' || coalesce(said, '-') || ' ' || coalesce(title, '-') from advisoryd_v1.pending_approvals order by 1";
    let unreadable = "select kind || ' ' || unreadable from advisoryd_v1.mirrors order by 1";
    let mut read = Vec::new();
    for sql in [ids, pending, unreadable] {
        read.push(world.texts(sql).await.join("\n"));
    }
    assert_reads!(read.join("\n\n"));
    // One of the rows without an id may be the first.
    documents.set_text("/api/asset-lists/1/products/", &page(&odd[1..]));
    assert_eq!(mirror(&world).await.left, 0);
}

#[tokio::test]
async fn pending_approvals_come_and_go() {
    let world = world(&[1]).await;
    mirror(&world).await;
    let pending = "select count(*) from advisoryd_v1.pending_approvals
                   where left_at is null and watch_list_id = 3 and said is not null and title is not null and watch_list is not null";
    assert_eq!(world.count(pending).await, 3);
    // The newest three of the list await approval.
    let published = loop {
        let published = world.simulator.publish(1).remove(0);
        if world.simulator.join(&published, 3) {
            break published;
        }
    };
    let result = mirror(&world).await;
    assert_eq!((result.came, result.left), (1, 1));
    assert_eq!(world.count(pending).await, 3);
    let left = "select count(*) from advisoryd_v1.pending_approvals where left_at is not null";
    assert_eq!(world.count(left).await, 1);
    world.simulator.leave(&published, 3);
    assert_eq!(mirror(&world).await.came, 1);
    let back = "select count(*) from advisoryd_v1.pending_approvals where left_at is null and away is not null";
    assert_eq!(world.count(back).await, 1);
    for request in world.simulator.requests() {
        assert_eq!(request.method, "GET", "{request:?}");
    }
}

#[tokio::test]
async fn a_daily_limit_leaves_the_mirror_a_tenth_and_every_list_gets_its_turn() {
    let mut world = world(&[1, 2, 3]).await;
    world.settings.upstream.requests_per_day = Some(480);
    let first = mirror(&world).await;
    assert_eq!(first.read, 4, "the approvals and one list");
    for _ in 0..2 {
        world.later(TimeDelta::hours(1));
        mirror(&world).await;
    }
    let lists = "select count(distinct watch_list_id) from advisoryd_v1.watch_list_products";
    assert_eq!(world.count(lists).await, 3);
}

#[tokio::test]
async fn the_daemon_mirrors_by_its_schedule_and_metrics_and_status_say_so() {
    let mut world = world(&[1]).await;
    world.settings.schedule = Schedule {
        list_contents: Some(EVERY_SECOND),
        feeds: Some(EVERY_SECOND),
        ..Schedule::never()
    };
    world.settings.tickets.enabled = Some(false);
    let port = world.serve_health();
    let _daemon = world.run().await;
    eventually("the first mirror", PATIENCE, async || {
        let read = "select count(*) from advisoryd_v1.mirrors where last_success_at is not null";
        (world.count(read).await == 4).then_some(())
    })
    .await;
    let (_, page) = get(port, "/metrics").await;
    for labels in [
        "source=\"watch list 1\",kind=\"product\"",
        "source=\"account\",kind=\"approval\"",
    ] {
        let line = format!("advisoryd_mirror_last_success_timestamp_seconds{{{labels}}}");
        assert!(page.contains(&line), "{line}: {page}");
    }
    let full = "select count(*) from advisoryd_v1.sync_runs where mode = 'full'";
    let before = world.count(full).await;
    world.simulator.add_product(1).unwrap();
    eventually("the full pull", PATIENCE, async || {
        (world.count(full).await > before).then_some(())
    })
    .await;
    let status = world.cli(&["status", "--json"]).json();
    assert_eq!(status["mirrors"].as_array().unwrap().len(), 4, "{status}");
    let page = world.cli(&["status"]).stdout;
    let line = page.lines().find(|line| line.contains("approvals"));
    assert_reads!(line.expect("when they were read"));
}

#[tokio::test]
async fn nothing_is_mirrored_before_the_schedule_says_so() {
    let mut world = world(&[1]).await;
    world.settings.schedule.list_contents = Some(NEVER);
    world.pull_one().await;
    let status = world.cli(&["status"]).stdout;
    assert!(status.contains("list contents: never read"), "{status}");
    assert_eq!(asked(&world, "/asset-lists/"), 0);
}

#[tokio::test]
async fn contents_that_cannot_be_read_for_a_day_are_a_condition() {
    let mut world = world(&[1]).await;
    world.settings.schedule.list_contents = Some("0 20 * * * *");
    let holds = async |world: &World| {
        check::check_health(&world.context().await).await.unwrap();
        let stale = "select key || ': ' || summary from advisoryd_v1.conditions
                     where what = 'list_contents_stale' and holds";
        world.texts(stale).await
    };
    mirror(&world).await;
    let broken = FaultRule::new(AnswerFault::Status(500)).on("/asset-lists/1/products/");
    world.simulator.inject(broken.times(1000));
    for (hours, is_long) in [(20, false), (5, true)] {
        world.later(TimeDelta::hours(hours));
        mirror(&world).await;
        let result = holds(&world).await;
        assert_eq!(result.len(), usize::from(is_long), "{result:?}");
        if is_long {
            assert!(
                result[0].starts_with("watch list 1: products of watch list 1 not read for 25 h"),
                "{result:?}"
            );
        }
    }
    // What upstream refuses is off, and no failure.
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(1));
    mirror(&world).await;
    assert_eq!(holds(&world).await, [""; 0]);
}

/// A site that calls `sync` from a timer has no daemon that would read them.
#[tokio::test]
async fn sync_reads_what_lists_contain_when_it_is_due_and_pulls_edited_lists_in_full() {
    let mut world = world(&[1]).await;
    world.settings.tickets.enabled = Some(false);
    world.settings.schedule.list_contents = Some(EVERY_SECOND);
    let sync = world.cli(&["sync"]);
    assert_eq!(sync.code, 0, "{sync}");
    let line = sync.stdout.lines().find(|line| line.contains("contents"));
    assert_reads!(line.expect("what was read"));
    assert!(world.count(PRESENT).await > 0);
    world.simulator.add_product(1).unwrap();
    // Due with the next second.
    let lines = eventually("contents that are due", PATIENCE, async || {
        let lines = world.cli(&["sync", "--json"]).json_lines();
        (lines[0]["source"] == "list contents").then_some(lines)
    })
    .await;
    assert_eq!(lines[0]["came"], 2);
    let pulled = lines.last().unwrap();
    assert_eq!(pulled["mode"], "full", "an edit brings a full pull");
    // Within the same second the contents are not due again.
    let lines = world.cli(&["sync", "--json"]).json_lines();
    assert_eq!(lines.last().unwrap()["mode"], "window");
    world.settings.schedule.list_contents = Some(NEVER);
    let lines = world.cli(&["sync", "--json"]).json_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}
