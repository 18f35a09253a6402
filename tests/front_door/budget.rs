//! One request budget for all daemons and commands on one database.

use std::path::{Path, PathBuf};
use std::process::Command;

use advisoryd::http::{BodyType, Request};
use advisoryd::job::context::Context;
use advisoryd::simulate::{AnswerFault, FaultRule, SeenRequest, SimulatorOptions, ThrottleForm};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::settings::{NEVER, Schedule};
use crate::support::{PATIENCE, Running, World, assert_reads, binary, eventually, small};

/// Ten a second would be 600; a slice is eleven requests.
const PER_MINUTE: u32 = 360;
/// A daemon reads at most 16 lists at the same time, so that it leaves some to others.
const LISTS: usize = 64;

async fn busy() -> World {
    let mut world = World::with(SimulatorOptions {
        advisories: 12,
        tickets: 1,
        watch_lists: LISTS,
        ..small()
    })
    .await;
    world.settings.upstream.requests_per_minute = Some(PER_MINUTE);
    world.settings.schedule = Schedule {
        tickets: Some(NEVER),
        full_walk: Some(NEVER.to_owned()),
        ..Schedule::every_second()
    };
    world.settings.tickets.enabled = Some(false);
    assert_eq!(world.cli(&["migrate"]).code, 0);
    world
}

/// A configuration that stays as it is.
fn kept(world: &World, name: &str) -> PathBuf {
    let path = world.dir().join(name);
    std::fs::write(&path, world.toml()).unwrap();
    path
}

fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = binary();
    command.arg("--config").arg(config).args(arguments);
    command
}

fn times(requests: &[SeenRequest]) -> Vec<DateTime<Utc>> {
    let mut times: Vec<DateTime<Utc>> = requests.iter().map(|one| one.at).collect();
    times.sort_unstable();
    times
}

/// The most requests in any window of this length.
fn most_in(times: &[DateTime<Utc>], window: TimeDelta) -> usize {
    let from = |at: &DateTime<Utc>| times.partition_point(|one| one < at);
    let to = |at: &DateTime<Utc>| times.partition_point(|one| *one < *at + window);
    times.iter().map(|at| to(at) - from(at)).max().unwrap_or(0)
}

fn between(times: &[DateTime<Utc>], from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    times.iter().filter(|at| (from..to).contains(at)).count()
}

/// Eight requests at a time, one after the other, as long as the test runs.
fn keep_asking(context: &Context) {
    for _ in 0..8 {
        let client = context.client.clone();
        tokio::spawn(async move {
            let request = Request::new("/api/watch-lists/".to_owned(), BodyType::JsonObject);
            loop {
                // Whatever is answered, it was a request.
                let _ = client.get(&request).await;
            }
        });
    }
}

/// Waits for ten seconds in which nine tenths of the limit are used: at once, unless others
/// keep the machine busy. Asserts that no time has more than the limit.
async fn is_well_used(world: &World, from: DateTime<Utc>) {
    let limit = PER_MINUTE as usize;
    let all = eventually("nine tenths of the limit", PATIENCE, async || {
        let all = times(&world.simulator.requests());
        let lately: Vec<DateTime<Utc>> = all.iter().copied().filter(|at| *at >= from).collect();
        let is_used = most_in(&lately, TimeDelta::seconds(10)) * 60 >= limit * 9;
        is_used.then_some(all)
    })
    .await;
    let most = most_in(&all, TimeDelta::seconds(10));
    // Late by 1.5 s, and a burst of four after an idle time.
    assert!(most <= limit * 115 / 600 + 4, "{most} in ten seconds");
    assert!(most_in(&all, TimeDelta::minutes(1)) <= limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_loaded_clients_use_nine_tenths_of_one_limit_and_no_more() {
    let world = busy().await;
    let mut contexts = Vec::new();
    for _ in 0..5 {
        contexts.push(world.context().await);
    }
    contexts.iter().for_each(keep_asking);
    sends(&world, 20).await;
    let begun = world.simulator.now();
    is_well_used(&world, begun).await;
    let reserved = "select count(*)::bigint from advisoryd.budget_use";
    assert!(world.count(reserved).await > 0);
}

async fn sends(world: &World, requests: usize) {
    let more = world.simulator.requests().len() + requests;
    eventually("more requests", PATIENCE, async || {
        (world.simulator.requests().len() >= more).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_daemons_and_a_sync_share_the_limit_and_use_nine_tenths_of_it() {
    let world = busy().await;
    let config = kept(&world, "daemon.toml");
    let mut daemons: Vec<Running> = (0..5)
        .map(|_| Running::start(&mut command(&config, &["run"])))
        .collect();
    let users = "select count(*) from advisoryd.budget_holder where kind = 'daemon'";
    eventually("all daemons send requests", PATIENCE, async || {
        (world.count(users).await == 5).then_some(())
    })
    .await;
    let mut sync = Running::start(&mut command(&config, &["sync", "feeds"]));
    // On a busy machine daemons do not send as much as they may.
    let loaded = world.context().await;
    keep_asking(&loaded);
    sends(&world, 10).await;
    let begun = world.simulator.now();
    is_well_used(&world, begun).await;

    // What a killed daemon had reserved is over within seconds.
    daemons.remove(0).kill9();
    let killed = world.simulator.now();
    is_well_used(&world, killed + TimeDelta::seconds(4)).await;
    // It fails where a daemon reads a list at the same time.
    sync.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_of_one_stops_all() {
    let world = busy().await;
    let config = kept(&world, "daemon.toml");
    let _daemons: Vec<Running> = (0..3)
        .map(|_| Running::start(&mut command(&config, &["run"])))
        .collect();
    let users = "select count(*) from advisoryd.budget_holder";
    eventually("all daemons send requests", PATIENCE, async || {
        (world.count(users).await == 3).then_some(())
    })
    .await;
    let throttled = AnswerFault::Throttled {
        form: ThrottleForm::Seconds,
        seconds: 8,
    };
    world
        .simulator
        .inject(FaultRule::new(throttled).on("xml-feed"));
    let at = eventually("the 429", PATIENCE, async || {
        let requests = world.simulator.requests();
        requests
            .iter()
            .find(|one| one.status == 429)
            .map(|one| one.at)
    })
    .await;
    let paused = world.cli(&["budget", "--json"]).json();
    assert!(paused[0]["paused_until"].is_string(), "{paused}");
    assert!(
        paused[0]["paused_by"]
            .as_str()
            .unwrap()
            .starts_with("daemon ")
    );
    let page = world.cli(&["status"]).stdout;
    let line = page
        .lines()
        .find(|line| line.contains("all requests are paused until"));
    assert!(line.is_some_and(|line| line.contains("429")), "{page}");
    let refused = world.cli(&["budget", "take", "1", "--no-wait"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_reads!(refused);
    eventually("the end of the pause", PATIENCE, async || {
        (world.simulator.now() > at + TimeDelta::seconds(10)).then_some(())
    })
    .await;
    let all = times(&world.simulator.requests());
    // What was under way, and one question to the database, may take two seconds.
    let quiet = between(
        &all,
        at + TimeDelta::seconds(2),
        at + TimeDelta::milliseconds(7_900),
    );
    assert_eq!(quiet, 0, "requests during the pause");
    sends(&world, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_takes_part_and_the_budget_shows_who_uses_it() {
    let mut world = World::new().await;
    world.settings.upstream.requests_per_minute = Some(60);
    assert_eq!(world.cli(&["migrate"]).code, 0);
    assert_eq!(world.cli(&["budget"]).stdout, "no requests were sent yet\n");
    let granted = world.cli(&["budget", "take", "20"]);
    assert_eq!((granted.code, granted.stdout.as_str()), (0, "granted 20\n"));
    // Twenty more are too many for the next seconds.
    let refused = world.cli(&["budget", "take", "20", "--no-wait", "--json"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let refused = refused.json();
    assert_eq!(refused["granted"], 0);
    assert!(refused["in_seconds"].as_f64().unwrap() > 5.0, "{refused}");
    let many = world.cli(&["budget", "take", "60"]);
    assert_eq!(many.code, 1, "{many:?}");

    let budget = world.cli(&["budget", "--json"]).json();
    assert_eq!(budget[0]["used_today"], 20, "{budget}");
    assert_eq!(budget[0]["configured"], true);
    assert_eq!(budget[0]["holders"][0]["kind"], "script");
    let account = budget[0]["account"].as_str().unwrap().to_owned();
    assert_eq!(account.len(), 16);
    let page = world.cli(&["budget"]).stdout;
    assert!(
        page.starts_with(&format!("the account of this configuration ({account})\n")),
        "{page}"
    );
    let totals = page.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_reads!(many, totals.replace(&account, "[account]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_is_shared_and_what_was_not_used_is_given_back() {
    let mut world = World::new().await;
    world.settings.upstream.requests_per_day = Some(10);
    assert_eq!(world.cli(&["migrate"]).code, 0);
    let synced = world.cli(&["sync", "feeds"]);
    assert_eq!(synced.code, 0, "{synced}");
    let sent = i64::try_from(world.simulator.requests().len()).unwrap();
    let used = "select sum(requests)::bigint from advisoryd.budget_use";
    assert_eq!(
        world.count(used).await,
        sent,
        "what was reserved and not sent came back"
    );
    let rest = (10 - sent).to_string();
    let granted = world.cli(&["budget", "take", &rest]);
    assert_eq!(granted.code, 0, "{granted}");
    let refused = world.cli(&["budget", "take", "1", "--no-wait"]);
    assert_eq!(refused.code, 1, "{refused}");
    let synced = world.cli(&["sync", "feeds"]);
    assert_eq!(synced.code, 1, "{synced}");
    assert_reads!(refused, synced);
    assert_eq!(
        i64::try_from(world.simulator.requests().len()).unwrap(),
        sent
    );
}

/// A daemon joins once, and then runs for years.
#[tokio::test]
async fn what_no_longer_counts_is_deleted_by_retention() {
    let world = World::new().await;
    for sql in [
        "insert into advisoryd.budget (account) values ('a')",
        "insert into advisoryd.budget_holder
             (account, kind, host, pid, started, per_minute, per_day, since, seen_at)
         values ('a', 'daemon', 'h', 1, 1, 60, 0, now(), now())",
        "insert into advisoryd.budget_use (holder_id, minute, account, requests)
         select id, now() - hours * interval '1 hour', 'a', 1
         from advisoryd.budget_holder, generate_series(20, 30) hours",
    ] {
        sqlx::query(sql).execute(world.pool()).await.unwrap();
    }
    let result = world.cli(&["maintain"]);
    assert_eq!(result.code, 0, "{result}");
    let left = "select count(*) from advisoryd.budget_use";
    assert_eq!(world.count(left).await, 5);
}
