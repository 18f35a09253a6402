//! Every job, killed before and after each commit that it makes, and run again:
//! nothing is lost, nothing comes twice.

use advisoryd::clock::Clock;
use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{
    AnswerFault, Damage, FaultRule, FeedCounts, FeedOptions, SimulatorOptions,
};
use chrono::TimeDelta;
use sqlx::AssertSqlSafe;

use crate::support::settings::{Alerts, Discovery, NEVER, WatchList};
use crate::support::{Documents, Journey, World, small};

/// A world that began a while ago, and whose clocks still say so: what happens until
/// [`now`] lies in the windows that the commands ask for.
async fn earlier(options: SimulatorOptions, by: TimeDelta) -> World {
    let begun = Clock::system().now() - by;
    let world = World::with(SimulatorOptions {
        starts_at: Some(begun),
        ..options
    })
    .await;
    world.later(TimeDelta::minutes(1) - by);
    world
}

/// This machine's time, by all clocks.
fn now(world: &World) {
    world.set_our_clock(TimeDelta::zero());
    world.simulator.set_clock(TimeDelta::zero());
}

/// A world that reads advisories and no tickets.
async fn feeds(options: SimulatorOptions) -> World {
    let mut world = earlier(options, TimeDelta::minutes(2)).await;
    world.settings.tickets.enabled = Some(false);
    world
}

/// A world that reads tickets and nothing else, in several pages.
async fn tickets() -> World {
    let options = SimulatorOptions {
        tickets: 12,
        max_page_size: 5,
        ..small()
    };
    let mut world = earlier(options, TimeDelta::minutes(2)).await;
    world.lists = Some(Vec::new());
    world
}

async fn change(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(world.pool())
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The journey's number of commits is at least `least`.
async fn survives(world: &mut World, arguments: &'static [&'static str], least: u64) {
    let mut journey = Journey {
        world,
        arguments,
        codes: &[0],
        also: &[],
    };
    let commits = journey.survives_every_kill().await;
    assert!(commits >= least, "only {commits} commits");
}

/// What upstream has and what is stored, as far as it exists.
async fn tickets_agree(world: &World) {
    let stored = "select id from advisoryd_v1.tickets where deleted_at is null order by id";
    let stored: Vec<i64> = sqlx::query_scalar(stored)
        .fetch_all(world.pool())
        .await
        .unwrap();
    let mut ids = world.simulator.ticket_ids();
    ids.sort_unstable();
    let ids: Vec<i64> = ids.into_iter().map(u64::cast_signed).collect();
    assert_eq!(stored, ids);
    for id in ids {
        let sql = format!("select raw from advisoryd_v1.tickets where id = {id}");
        let raw: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(world.pool())
            .await
            .unwrap();
        assert_eq!(Some(raw), world.simulator.ticket(id.cast_unsigned()));
    }
}

#[tokio::test]
async fn a_first_load_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        advisories: 300,
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.alerts = Alerts::to_log(&[]);
    now(&world);
    survives(&mut world, &["sync", "feeds"], 8).await;
    world.assert_all_is_stored().await;
    let alerts = "select count(*) from advisoryd_v1.alerts";
    assert_eq!(world.count(alerts).await, 0, "a first load is no news");
}

#[tokio::test]
async fn a_window_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.alerts = Alerts::to_log(&[]);
    world.pull().await;
    world.alert().await;
    world.simulator.publish(3);
    for said in &world.simulator.saids(1)[..3] {
        world.simulator.revise(said, true);
    }
    let damaged = FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)).on("asset_list_id=2");
    world.simulator.inject(damaged.times(1000));
    now(&world);
    let mut journey = Journey {
        world: &mut world,
        arguments: &["sync", "feeds"],
        // Something new in quarantine is a failure of the run that stored it.
        codes: &[0, 1],
        also: &[],
    };
    let commits = journey.survives_every_kill().await;
    assert!(commits >= 8, "only {commits} commits");
    let alerts = "select count(distinct key) from advisoryd_v1.alerts where kind = 'advisory'";
    assert_eq!(world.count(alerts).await, 6);
}

#[tokio::test]
async fn a_full_pull_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.pull().await;
    let only_first = |said: &String| !world.simulator.saids(2).contains(said);
    let joining: Vec<String> = world
        .simulator
        .saids(1)
        .into_iter()
        .filter(only_first)
        .collect();
    for said in &joining[..2] {
        assert!(world.simulator.join(said, 2));
    }
    world.simulator.revise(&joining[3], false);
    world.simulator.reject(&joining[4]);
    now(&world);
    survives(&mut world, &["sync", "feeds", "--full"], 6).await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_full_pull_with_members_that_leave_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.alerts = Alerts::to_log(&["left_watch_list", "joined_watch_list"]);
    world.pull().await;
    // Not the oldest ones, which a feed may only have stopped to go back to.
    let members = world.simulator.saids(1)[8..].to_vec();
    assert!(world.simulator.leave(&members[0], 1));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    assert!(world.simulator.join(&members[0], 1));
    for said in &members[1..4] {
        assert!(world.simulator.leave(said, 1));
    }
    let other = world.simulator.saids(2)[8].clone();
    assert!(world.simulator.leave(&other, 2));
    now(&world);
    survives(&mut world, &["sync", "feeds", "--full"], 8).await;
    let left = "select count(*) from advisoryd_v1.advisory_watch_lists where left_at is not null";
    assert_eq!(world.count(left).await, 4);
    let back = "select count(*) from advisoryd_v1.advisory_watch_lists where left_at is null and away is not null";
    assert_eq!(world.count(back).await, 1);
    let result = "select count(*) from advisoryd_v1.alerts where what = 'left_watch_list'";
    assert_eq!(world.count(result).await, 5);
}

#[tokio::test]
async fn a_full_scan_of_the_tickets_survives_every_kill() {
    let mut world = tickets().await;
    now(&world);
    survives(&mut world, &["sync", "tickets"], 8).await;
    tickets_agree(&world).await;
}

#[tokio::test]
async fn changes_of_tickets_survive_every_kill() {
    let mut world = tickets().await;
    world.sync_tickets(TicketSync::Now).await;
    for id in &world.simulator.ticket_ids()[..6] {
        world.simulator.touch_ticket(*id);
    }
    world.simulator.add_tickets(2);
    now(&world);
    survives(&mut world, &["sync", "tickets"], 4).await;
    tickets_agree(&world).await;
}

#[tokio::test]
async fn tickets_that_are_gone_survive_every_kill() {
    let mut world = tickets().await;
    world.sync_tickets(TicketSync::Now).await;
    let ids = world.simulator.ticket_ids();
    world.simulator.touch_ticket(ids[0]);
    world.simulator.remove_ticket(ids[5]);
    world.simulator.remove_ticket(ids[9]);
    now(&world);
    survives(&mut world, &["sync", "tickets", "--full"], 8).await;
    tickets_agree(&world).await;
}

#[tokio::test]
async fn a_list_read_from_json_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        advisories: 3,
        watch_lists: 2,
        max_page_size: 2,
        ..small()
    })
    .await;
    world.source = "json";
    world.settings.feeds.details = None;
    now(&world);
    survives(&mut world, &["sync", "feeds"], 12).await;
    world.assert_all_is_stored().await;
}

/// The feeds count days since the release, so that revisions are found by the scan
/// alone. Their details wait some minutes for the feeds: those of an earlier scan are
/// fetched, and more are found.
#[tokio::test]
async fn a_revision_scan_and_details_survive_every_kill() {
    let options = SimulatorOptions {
        feed: FeedOptions {
            counts: FeedCounts::Released,
            ..FeedOptions::default()
        },
        max_page_size: 3,
        ..small()
    };
    let mut world = earlier(options, TimeDelta::minutes(20)).await;
    world.settings.tickets.enabled = Some(false);
    world.settings.feeds.details = None;
    world.settings.feeds.sweep = Some(true);
    world.pull().await;
    world.fetch_details().await;
    let saids = world.simulator.saids(1);
    for said in &saids[..3] {
        world.simulator.revise(said, true);
    }
    world.later(TimeDelta::minutes(5));
    let context = world.context().await;
    scan_revisions(&context).await.expect("a scan");
    world.simulator.revise(&saids[3], true);
    now(&world);
    survives(&mut world, &["sync", "feeds"], 10).await;
    let fetched = "select count(*) from advisoryd_v1.changes where what = 'revised'";
    // Also that which its own revision scan has found.
    assert_eq!(world.count(fetched).await, 4);
    world.later(TimeDelta::minutes(5));
    world.fetch_details().await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn discovery_survives_every_kill() {
    let mut world = feeds(SimulatorOptions {
        advisories: 20,
        watch_lists: 5,
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    // Lists that are known and not read, so that one of five is no mass removal.
    let unread = [4, 5].map(|id| WatchList {
        id,
        follow: Some(false),
        ..WatchList::default()
    });
    world.settings.watch_lists.extend(unread);
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: NEVER,
    });
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result:?}");
    let added = world.simulator.add_watch_list().unwrap();
    world.simulator.join(&world.simulator.saids(1)[0], added);
    world.simulator.rename_watch_list(2, "Printers");
    world.simulator.remove_watch_list(3);
    now(&world);
    survives(&mut world, &["sync", "feeds"], 8).await;
    let lists = "select string_agg(id || ' ' || configured, ', ' order by id) from advisoryd_v1.watch_lists";
    assert_eq!(
        world.texts(lists).await,
        ["1 true, 2 true, 3 false, 4 false, 5 false, 6 true"]
    );
}

#[tokio::test]
async fn retention_survives_every_kill() {
    let options = SimulatorOptions {
        advisories: 20,
        ..small()
    };
    let mut world = earlier(options, TimeDelta::days(10)).await;
    world.settings.alerts = Alerts::to_log(&[]);
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)).on("xml-feed"));
    for _ in 0..3 {
        world.pull_back(LookBack::Full).await;
        world.sync_tickets(TicketSync::Now).await;
        world.alert().await;
        let said = &world.simulator.saids(1)[0];
        world.simulator.revise(said, true);
        world
            .simulator
            .touch_ticket(world.simulator.ticket_ids()[3]);
        world.later(TimeDelta::minutes(5));
    }
    now(&world);
    let kept = &mut world.settings.retention;
    kept.versions = Some("2d");
    kept.runs = Some("3d");
    kept.quarantine = Some("1d");
    kept.evaluations = Some("1d");
    kept.alerts = Some("1d");
    let mut journey = Journey {
        world: &mut world,
        arguments: &["maintain"],
        codes: &[0],
        also: &[
            (
                "runs",
                "select to_jsonb(id) from advisoryd.sync_run order by id",
            ),
            (
                "evaluations",
                "select to_jsonb(count(*)) from advisoryd.evaluation",
            ),
        ],
    };
    let commits = journey.survives_every_kill().await;
    assert!(commits >= 6, "only {commits} commits");
    let left = "select count(*) from advisoryd.advisory_version";
    assert_eq!(world.count(left).await, 0);
}

#[tokio::test]
async fn a_replay_survives_every_kill() {
    let mut world = World::with(SimulatorOptions {
        advisories: 510,
        ..small()
    })
    .await;
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    world.simulator.revise(&world.simulator.saids(1)[0], true);
    world.pull().await;
    change(
        &world,
        "update advisoryd.advisory set title = 'by hand';
         update advisoryd.advisory_version set criticality = null;
         update advisoryd.ticket set title = 'by hand'",
    )
    .await;
    survives(&mut world, &["replay", "--yes"], 4).await;
    world.assert_all_is_stored().await;
    let corrected = "select count(*) from advisoryd_v1.changes where what = 'corrected'";
    assert_eq!(world.count(corrected).await, 510 + 25, "each is told once");
}

/// New aliases bring a record out of quarantine and show that a copy is newer.
#[tokio::test]
async fn a_replay_that_makes_versions_survives_every_kill() {
    let record = |said: &str, title: &str, day: u32| {
        format!(
            "<advisories><advisory>{said}<title>{title}</title><stamp>2026-03-{day:02}T10:00:00Z</stamp></advisory></advisories>"
        )
    };
    let named = "<advisory_identifier>SA1</advisory_identifier>";
    let documents = Documents::serve().await;
    documents.set(1, record(named, "first", 2));
    documents.set(2, record(named, "newer", 3));
    let serial = record("<serial>SA2</serial>", "other", 1);
    let third = record("<advisory_identifier>SA3</advisory_identifier>", "third", 1);
    documents.set(
        3,
        serial.replace("</advisories>", "") + &third.replace("<advisories>", ""),
    );
    let mut world = feeds(small()).await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2, 3]);
    world.pull().await;
    let aliases = [("said", ["serial"]), ("modified_at", ["stamp"])];
    world.settings.feeds.aliases.extend(aliases);
    survives(&mut world, &["replay", "--yes"], 3).await;
    let versions = world.versions().await;
    assert_eq!((versions["SA1"], versions["SA2"]), (2, 1));
}
