//! Alerts, from the change to the receiver.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;

use crate::support::settings::{EVERY_SECOND, Rule, Sink};
use crate::support::{HOOK_SECRET, PATIENCE, Receiver, World, eventually};

fn everything() -> Rule {
    let on = &[
        "appeared",
        "escalated",
        "deescalated",
        "rejected",
        "revised",
    ];
    Rule::to_hook("all", on)
}

async fn watched(rule: Rule) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![rule];
    world.add_hook(&receiver);
    (world, receiver)
}

fn kinds(receiver: &Receiver, key: &str) -> Vec<String> {
    receiver
        .facts()
        .into_iter()
        .filter_map(|(what, of)| (of == key).then_some(what))
        .collect()
}

#[tokio::test]
async fn a_first_load_is_the_baseline_and_what_comes_then_arrives_once() {
    let (world, receiver) = watched(everything()).await;
    world.pull_one().await;
    let passed = world.alert().await;
    assert_eq!(passed.evaluated.raised, 0, "a first load is no news");
    assert_eq!(passed.evaluated.baseline["all"], 60, "but it is counted");

    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    let said = world.simulator.saids(1).last().unwrap().clone();
    world.pull_one().await;
    world.alert().await;
    world.alert().await;
    assert_eq!(kinds(&receiver, &said), ["appeared"]);
    assert_eq!(
        receiver.received().len(),
        1,
        "once, however often one looks"
    );
    let state: Vec<String> = sqlx::query_scalar("select state from advisoryd_v1.alerts")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(state, ["delivered"]);
}

#[tokio::test]
async fn what_a_receiver_is_sent_is_signed_and_says_what_happened() {
    let (world, receiver) = watched(everything()).await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    world.later(TimeDelta::minutes(5));
    world.simulator.revise(&said, false);
    world.pull_back(LookBack::Full).await;
    world.alert().await;

    let result = receiver.received();
    let message = &result[0];
    let webhook = standardwebhooks::Webhook::new(HOOK_SECRET).unwrap();
    webhook.verify(&message.bytes, &message.headers).unwrap();
    assert_eq!(message.header("webhook-id"), message.body["id"]);
    let alert = &message.body["alerts"][0];
    assert_eq!(
        message.body["id"], alert["id"],
        "alone in its message, it gives it its id"
    );
    assert_eq!(alert["key"], said.as_str());
    assert_eq!(alert["version"], 2);
    let title: String =
        sqlx::query_scalar("select title from advisoryd_v1.advisories where said = $1")
            .bind(&said)
            .fetch_one(world.pool())
            .await
            .unwrap();
    assert_eq!(alert["title"], title.as_str());
}

#[tokio::test]
async fn an_escalation_that_was_taken_back_during_an_outage_still_alerts() {
    let (world, receiver) = watched(everything()).await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[1].clone();
    for rank in ["criticality = 1", "criticality = 4"] {
        // Two versions are stored before anybody looks.
        world.later(TimeDelta::minutes(5));
        world.simulator.revise(&said, rank.ends_with('1'));
        world.pull_back(LookBack::Full).await;
    }
    world.alert().await;
    // One alert for each version, in any order: the sink is not `ordered`.
    let mut kinds = kinds(&receiver, &said);
    kinds.sort_unstable();
    assert_eq!(kinds, ["escalated", "revised"]);
}

#[tokio::test]
async fn what_matches_within_the_time_of_a_rule_goes_into_one_message() {
    let (world, receiver) = watched(Rule {
        group: Some("5m"),
        ..everything()
    })
    .await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    world.alert().await;
    let result = receiver.received();
    assert_eq!(result.len(), 1);
    assert_eq!(result[0].facts().len(), 3);
}

#[tokio::test]
async fn tickets_alert_too() {
    let rule = Rule::to_hook("tickets", &["ticket_opened", "ticket_status"]);
    let (world, receiver) = watched(rule).await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    assert_eq!(receiver.received().len(), 0);
    world.later(TimeDelta::minutes(5));
    let ticket = world.simulator.add_tickets(1)[0];
    world.later(TimeDelta::minutes(1));
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    assert_eq!(kinds(&receiver, &ticket.to_string()), ["ticket_opened"]);
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_when_its_time_has_come() {
    let (world, receiver) = watched(everything()).await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(500, None);
    receiver.answer(429, Some("7200"));
    let first = world.alert().await;
    assert_eq!(
        (first.delivered.postponed, first.delivered.delivered),
        (1, 0)
    );
    let early = world.alert().await;
    assert_eq!(
        receiver.received().len(),
        1,
        "not before its time: {early:?}"
    );
    world.later(TimeDelta::seconds(7));
    world.alert().await;
    world.later(TimeDelta::minutes(119));
    world.alert().await;
    assert_eq!(receiver.received().len(), 2, "a 429 is obeyed");
    world.later(TimeDelta::minutes(2));
    world.alert().await;
    let ids: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(
        ids,
        vec![ids[0].clone(); 3],
        "the same message under the same id"
    );
    let attempts: Vec<(i32, String, Option<i32>)> = sqlx::query_as(
        "select attempt, outcome, status from advisoryd_v1.delivery_attempts order by attempt",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let outcomes: Vec<(&str, Option<i32>)> = attempts
        .iter()
        .map(|(_, outcome, status)| (outcome.as_str(), *status))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("postponed", Some(500)),
            ("postponed", Some(429)),
            ("delivered", Some(200))
        ]
    );
}

#[tokio::test]
async fn the_daemon_tells_within_moments_and_goes_on_after_a_kill() {
    let (mut world, receiver) = watched(everything()).await;
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    let mut daemon = world.run().await;
    // Also ended: otherwise it goes on after the kill, and what comes then is its baseline.
    let evaluated = "select case when exists (select from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok')
                                 then evaluated_seq else 0 end
                     from advisoryd.alerting";
    eventually("the first load is evaluated", PATIENCE, async || {
        (world.count(evaluated).await >= 60).then_some(())
    })
    .await;
    daemon.kill9();
    world.simulator.publish(1);
    let _daemon = world.run().await;
    let result = receiver.wait_for(1).await;
    assert_eq!(result[0].facts()[0].0, "appeared");
    let delivered = "select count(*) from advisoryd_v1.deliveries where state = 'delivered'";
    eventually("it is written down", PATIENCE, async || {
        (world.count(delivered).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_alerts_are_kept_the_end_is_not_told_before_the_beginning() {
    let keeper = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        sinks: &["keeper"],
        ..Rule::to_hook("all", &["appeared"])
    }];
    world.settings.alerts.sinks = vec![Sink {
        name: "keeper".to_owned(),
        kind: "alertmanager",
        url: Some(keeper.url.clone()),
        allow_private: Some(true),
        ..Sink::default()
    }];
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    let said = world.simulator.saids(1).last().unwrap().clone();
    world.pull_one().await;
    keeper.answer(503, Some("60"));
    assert_eq!(world.alert().await.delivered.postponed, 1);
    world.later(TimeDelta::seconds(10));
    world.simulator.reject(&said);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    assert_eq!(
        keeper.received().len(),
        1,
        "the end waits for the beginning"
    );
    world.later(TimeDelta::minutes(5));
    world.alert().await;
    world.alert().await;
    let ends: Vec<String> = keeper
        .received()
        .iter()
        .map(|one| one.body[0]["endsAt"].as_str().unwrap().to_owned())
        .collect();
    assert!(ends.len() >= 3, "{ends:?}");
    assert!(
        ends.last() < ends.get(1),
        "the last word is that it is over: {ends:?}"
    );
}
