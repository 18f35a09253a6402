//! The program's own alerts: each condition is told once when it begins and once
//! when it is over.

use advisoryd::clock::Clock;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::feeds::feed::feeds;
use advisoryd::job::feeds::pull;
use advisoryd::job::health::check;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{
    AnswerFault, DEFAULT_TOKEN, Damage, FaultRule, SimulatorOptions, TicketFilters, TicketOptions,
};
use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;

use crate::support::{
    PATIENCE, Receiver, Running, World, assert_reads, eventually, get, settings, small,
};

/// One list, no tickets, and a sink called `hook`.
async fn watched() -> (World, Receiver) {
    watching(small()).await
}

/// The same whose feeds may be this old.
async fn watched_for(freshness: &'static str) -> (World, Receiver) {
    let (mut world, receiver) = watched().await;
    world.settings.freshness.feeds = Some(freshness);
    (world, receiver)
}

async fn watching(options: SimulatorOptions) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::with(options).await;
    world.settings.tickets.enabled = Some(false);
    world.add_hook(&receiver);
    (world, receiver)
}

/// Looks twice, as two daemons would, and delivers what was gathered.
async fn look(world: &World) {
    for _ in 0..2 {
        let context = world.context().await;
        check::check_health(&context).await.unwrap();
    }
    world.later(TimeDelta::seconds(6));
    world.alert().await;
}

/// What was told: condition, key, and whether it is over.
fn notified(receiver: &Receiver) -> Vec<(String, String, bool)> {
    let messages = receiver.received();
    let alerts = messages.iter().flat_map(|message| {
        assert_eq!(message.body["purpose"], "health");
        message.body["alerts"].as_array().unwrap().clone()
    });
    alerts
        .map(|alert| {
            let text = |name: &str| alert[name].as_str().unwrap().to_owned();
            assert_eq!(alert["kind"], "advisoryd");
            assert!(!text("summary").is_empty());
            (text("what"), text("key"), alert["resolved"] == true)
        })
        .collect()
}

/// Begun once and over once.
fn begun_and_over(what: &str, key: &str) -> Vec<(String, String, bool)> {
    [false, true]
        .map(|over| (what.to_owned(), key.to_owned(), over))
        .to_vec()
}

async fn holding(world: &World) -> Vec<String> {
    sqlx::query_scalar("select what from advisoryd_v1.conditions where holds order by what")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

fn failing(fault: AnswerFault) -> FaultRule {
    FaultRule::new(fault).on("xml-feed").times(1000)
}

#[tokio::test]
async fn nothing_is_told_while_all_is_well() {
    let (world, receiver) = watched().await;
    look(&world).await;
    for _ in 0..4 {
        world.pull_one().await;
        look(&world).await;
        world.later(TimeDelta::minutes(15));
    }
    assert_eq!(notified(&receiver), []);
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.conditions")
            .await,
        0
    );
}

#[tokio::test]
async fn data_that_is_older_than_its_schedule_explains_is_stale_until_it_is_read() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.simulator.inject(failing(AnswerFault::Status(500)));
    world.later(TimeDelta::minutes(70));
    world.pull_one().await;
    look(&world).await;
    assert_eq!(notified(&receiver), [], "one failure heals itself");
    for _ in 0..2 {
        world.later(TimeDelta::minutes(25));
        world.pull_one().await;
        look(&world).await;
    }
    assert_eq!(holding(&world).await, ["data_stale"]);
    world.simulator.clear_faults();
    world.pull_one().await;
    look(&world).await;
    assert_eq!(
        notified(&receiver),
        begun_and_over("data_stale", "watch list 1")
    );
}

#[tokio::test]
async fn a_source_that_was_never_read_is_as_old_as_it_is_followed() {
    let (world, receiver) = watched_for("30m").await;
    world.simulator.inject(failing(AnswerFault::Html200));
    world.pull_one().await;
    look(&world).await;
    assert_eq!(notified(&receiver), []);
    world.later(TimeDelta::minutes(31));
    look(&world).await;
    assert_eq!(notified(&receiver).len(), 1);
    let summary = &receiver.received()[0].body["alerts"][0]["summary"];
    assert_reads!(summary.as_str().unwrap());
}

#[tokio::test]
async fn freshness_that_is_off_is_off() {
    let (world, receiver) = watched_for("off").await;
    world.pull_one().await;
    world.later(TimeDelta::days(30));
    look(&world).await;
    assert_eq!(notified(&receiver), []);
}

#[tokio::test]
async fn status_and_the_health_check_name_the_same_next_run_of_tickets_that_full_scans_read() {
    let filters = TicketFilters {
        modified: false,
        created: false,
    };
    let mut world = World::with(SimulatorOptions {
        ticket: TicketOptions {
            filters,
            ..TicketOptions::default()
        },
        ..small()
    })
    .await;
    // Once a week, and days away from now.
    let day = (Clock::system().now() + TimeDelta::days(3)).format("%a");
    world.settings.schedule.full_walk = Some(format!("0 0 3 * * {day}"));
    world.settings.freshness.feeds = Some("off");
    world.sync_tickets(TicketSync::Now).await;

    let status = world.cli(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let sources = status["sources"].as_array().unwrap();
    let tickets = sources.iter().find(|one| one["kind"] == "tickets").unwrap();
    let next_run: DateTime<Utc> = serde_json::from_value(tickets["scheduled_at"].clone()).unwrap();

    // The health check allows one more run after that, and an hour.
    let allowed = next_run + TimeDelta::days(7) + TimeDelta::hours(1);
    world.later(TimeDelta::days(20));
    look(&world).await;
    let summary: String = sqlx::query_scalar(
        "select summary from advisoryd_v1.conditions where what = 'data_stale' and key = 'tickets'",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let allowed = format!("allowed until {}", allowed.format("%Y-%m-%d %H:%M UTC"));
    assert!(summary.contains(&allowed), "{allowed}: {summary}");
}

#[tokio::test]
async fn a_rejected_token_is_told_until_upstream_accepts_one() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.simulator.set_token(&"0".repeat(40));
    world.pull_one().await;
    look(&world).await;
    world.simulator.set_token(DEFAULT_TOKEN);
    world.simulator.inject(failing(AnswerFault::Status(503)));
    world.pull_one().await;
    look(&world).await;
    assert_eq!(
        holding(&world).await,
        ["token_rejected"],
        "an upstream in trouble has accepted nothing"
    );
    world.simulator.clear_faults();
    world.pull_one().await;
    look(&world).await;
    assert_eq!(
        notified(&receiver),
        begun_and_over("token_rejected", "upstream")
    );
}

#[tokio::test]
async fn what_another_list_read_before_does_not_acquit_the_token() {
    let (world, receiver) = watching(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.pull().await;
    for status in [401, 503] {
        world.later(TimeDelta::minutes(1));
        world.simulator.clear_faults();
        world.simulator.inject(failing(AnswerFault::Status(status)));
        let context = world.context().await;
        let (second, _) = feeds(&context.config).remove(1);
        let pulled = pull::pull(&context, &second, LookBack::Missing).await;
        assert!(pulled.is_ok());
        look(&world).await;
        assert_eq!(holding(&world).await, ["token_rejected"], "after {status}");
    }
    assert_eq!(notified(&receiver).len(), 1);
}

#[tokio::test]
async fn a_token_that_was_accepted_for_one_list_is_not_rejected_for_another() {
    let (world, receiver) = watching(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.simulator.set_token(&"0".repeat(40));
    world.pull().await;
    look(&world).await;
    assert_eq!(holding(&world).await, ["token_rejected"]);
    world.later(TimeDelta::minutes(1));
    world.simulator.set_token(DEFAULT_TOKEN);
    let context = world.context().await;
    let (first, _) = feeds(&context.config).remove(0);
    let pulled = pull::pull(&context, &first, LookBack::Missing).await;
    assert!(pulled.is_ok());
    // The other list has not been asked for since.
    look(&world).await;
    assert_eq!(
        notified(&receiver),
        begun_and_over("token_rejected", "upstream")
    );
}

#[tokio::test]
async fn a_structure_that_is_not_recognised_is_told() {
    let (world, receiver) = watched().await;
    let damage = Damage::NotRecognised;
    world
        .simulator
        .inject(failing(AnswerFault::Damaged(damage)));
    world.pull_one().await;
    look(&world).await;
    world.simulator.clear_faults();
    world.pull_one().await;
    look(&world).await;
    let what = "structure_not_recognised";
    assert_eq!(notified(&receiver), begun_and_over(what, "watch list 1"));
}

#[tokio::test]
async fn records_in_quarantine_are_told_until_they_are_understood() {
    let (world, receiver) = watched().await;
    let damage = AnswerFault::Damaged(Damage::TooDeep);
    world.simulator.inject(FaultRule::new(damage));
    world.pull_one().await;
    look(&world).await;
    world.pull_back(LookBack::Full).await;
    look(&world).await;
    let what = "quarantine_grew";
    assert_eq!(notified(&receiver), begun_and_over(what, "watch list 1"));
}

#[tokio::test]
async fn an_unknown_field_is_told_once() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    look(&world).await;
    assert_eq!(notified(&receiver), []);
    let field = "insert into advisoryd.unknown_field (source_id, name, first_seen_at, sample)
                 select id, 'advisory/colour', now(), 'red' from advisoryd.source where watch_list_id = 1";
    sqlx::raw_sql(field).execute(world.pool()).await.unwrap();
    look(&world).await;
    look(&world).await;
    assert_eq!(notified(&receiver).len(), 1);
    world.later(TimeDelta::hours(25));
    world.pull_one().await;
    look(&world).await;
    let what = "unknown_field";
    assert_eq!(notified(&receiver), begun_and_over(what, "watch list 1"));
}

#[tokio::test]
async fn a_hole_in_what_is_covered_is_told_until_it_is_closed() {
    let (world, receiver) = watched_for("off").await;
    world.pull_one().await;
    world.later(TimeDelta::days(10));
    // Otherwise the list would also be quiet.
    world.simulator.publish(1);
    world.pull_back(LookBack::Days(1)).await;
    look(&world).await;
    world.pull_one().await;
    look(&world).await;
    assert_eq!(
        notified(&receiver),
        begun_and_over("coverage_hole", "watch list 1")
    );
}

#[tokio::test]
async fn an_exhausted_request_budget_is_told_until_requests_are_allowed() {
    let (mut world, receiver) = watched_for("off").await;
    world.settings.upstream.requests_per_day = Some(1);
    world.pull_one().await;
    look(&world).await;
    world.pull_one().await;
    look(&world).await;
    world.later(TimeDelta::hours(25));
    // The budget goes by the clock of the database.
    sqlx::query("update advisoryd.budget_use set minute = minute - interval '25 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    world.pull_one().await;
    look(&world).await;
    let what = "request_budget_exhausted";
    assert_eq!(notified(&receiver), begun_and_over(what, "upstream"));
}

#[tokio::test]
async fn a_failing_sink_is_told_of_through_the_others_only() {
    let (mut world, hook) = watched_for("off").await;
    world.settings.alerts.rules = vec![settings::Rule::to_hook("new", &["appeared"])];
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    world.pull_one().await;
    world.alert().await;
    world.simulator.publish(1);
    world.later(TimeDelta::minutes(5));
    world.pull_one().await;
    for minutes in [0, 1, 7, 40] {
        assert_eq!(notified(&other), []);
        hook.answer(500, None);
        world.later(TimeDelta::minutes(minutes));
        look(&world).await;
    }
    look(&world).await;
    assert_eq!(notified(&other).len(), 1, "after four failures in a row");
    world.later(TimeDelta::hours(3));
    for _ in 0..2 {
        look(&world).await;
    }
    assert_eq!(
        notified(&other),
        begun_and_over("sink_failing", "sink hook")
    );
    let of_hook: Vec<String> = hook.facts().into_iter().map(|(what, _)| what).collect();
    assert_eq!(of_hook, vec!["appeared"; 5], "it hears nothing of itself");
}

/// Lets four deliveries to `hook` fail in a row, a new alert among them.
async fn fail(world: &World, hook: &Receiver) {
    world.simulator.publish(1);
    world.later(TimeDelta::minutes(5));
    world.pull_one().await;
    for minutes in [0, 1, 7, 40] {
        hook.answer(500, None);
        world.later(TimeDelta::minutes(minutes));
        look(world).await;
    }
    look(world).await;
}

#[tokio::test]
async fn a_sink_that_works_again_or_is_removed_is_no_problem_although_it_flaps() {
    let (mut world, hook) = watched_for("off").await;
    world.settings.alerts.rules = vec![settings::Rule::to_hook("new", &["appeared"])];
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    world.pull_one().await;
    world.alert().await;
    let notified = |arguments: &[&str]| world.cli(arguments).stdout;
    let of_the_sink = |status: &str| {
        let line = status.lines().find(|line| line.contains("`hook`"));
        line.expect("the sink").to_owned()
    };
    let works = async || {
        world.later(TimeDelta::hours(3));
        for _ in 0..2 {
            look(&world).await;
        }
    };
    fail(&world, &hook).await;
    let status = notified(&["status"]);
    assert_eq!(status.matches("`hook`").count(), 1, "{status}");
    let failing = of_the_sink(&status);
    assert!(notified(&["status", "--check"]).contains("(sink_failing)"));
    works().await;
    assert_eq!(holding(&world).await, [""; 0]);
    // Within six hours again: it is resolved only after an hour without failures.
    fail(&world, &hook).await;
    works().await;
    assert_eq!(holding(&world).await, ["sink_failing"]);
    let status = notified(&["status"]);
    assert!(!status.contains("sink_failing"), "{status}");
    assert_eq!(status.matches("`hook`").count(), 1, "{status}");
    assert_reads!(failing, of_the_sink(&status));
    let check = notified(&["status", "--check"]);
    assert!(!check.contains("sink_failing"), "{check}");

    let sinks = &mut world.settings.alerts.sinks;
    sinks.retain(|sink| sink.name != "hook");
    world.settings.alerts.rules[0].sinks = &["other"];
    look(&world).await;
    assert_eq!(holding(&world).await, [""; 0]);
    let status = world.cli(&["status"]).stdout;
    assert!(!status.contains("`hook`"), "{status}");
}

#[tokio::test]
async fn conditions_that_begin_together_are_told_in_one_message() {
    let (world, receiver) = watching(SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    world.pull().await;
    world.later(TimeDelta::hours(2));
    look(&world).await;
    assert_eq!(notified(&receiver).len(), 3);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn what_is_switched_off_is_written_down_and_not_sent() {
    let (mut world, receiver) = watched().await;
    world.settings.alerts.health.enabled = Some(false);
    world.pull_one().await;
    world.later(TimeDelta::hours(2));
    look(&world).await;
    assert_eq!(notified(&receiver), []);
    assert_eq!(holding(&world).await, ["data_stale"]);
    assert_reads!(world.cli(&["status"]));
    let status = world.cli(&["status", "--json"]).json();
    assert_eq!(status["conditions"][0]["what"], "data_stale");
    assert_eq!(status["conditions"][0]["holds"], true);
}

#[tokio::test]
async fn a_daemon_that_dies_between_condition_and_delivery_tells_once() {
    let (mut world, receiver) = watched().await;
    let port = world.serve_health();
    world.simulator.set_token(&"0".repeat(40));
    let mut first = Running::start(&mut world.command(&["run"]));
    eventually("the condition", PATIENCE, async || {
        (holding(&world).await == ["token_rejected"]).then_some(())
    })
    .await;
    first.kill9();
    let mut second = Running::start(&mut world.command(&["run"]));
    receiver.wait_for(1).await;
    eventually("the metric", PATIENCE, async || {
        let (_, metrics) = get(port, "/metrics").await;
        let line = "advisoryd_condition{what=\"token_rejected\",key=\"upstream\"} 1";
        metrics.contains(line).then_some(())
    })
    .await;
    world.simulator.set_token(DEFAULT_TOKEN);
    second.signal(Signal::SIGHUP);
    receiver.wait_for(2).await;
    second.signal(Signal::SIGTERM);
    assert!(second.ended().await.success());
    assert_eq!(
        notified(&receiver),
        begun_and_over("token_rejected", "upstream")
    );
}

#[tokio::test]
async fn a_pass_without_a_daemon_tells_too() {
    let (world, receiver) = watched().await;
    world.simulator.set_token(&"0".repeat(40));
    let mut sync = Running::start(&mut world.command(&["sync"]));
    assert!(!sync.ended().await.success());
    assert_eq!(notified(&receiver).len(), 1);
}
