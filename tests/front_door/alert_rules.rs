//! What is evaluated when, by which rules, and what is news.

use std::io::Write as _;
use std::process::Stdio;

use advisoryd::job::alerts::deliver::deliver_due;
use advisoryd::job::alerts::evaluate::{EvaluatedChanges, RuleSet, evaluate};
use advisoryd::job::context::Context;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::model::{Clause, Verdict};
use advisoryd::startup::open_sinks;

use crate::support::settings::Rule;
use crate::support::{Receiver, World};

/// A world with rules and the receiver `hook`, whose first load is its baseline.
async fn watched(rules: Vec<Rule>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = rules;
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    (world, receiver)
}

/// Whose messages wait for an hour.
fn gathering() -> Rule {
    Rule {
        group: Some("1h"),
        ..Rule::to_hook("soc", &["appeared"])
    }
}

/// Raises alerts and tells nobody.
fn recording(name: &str) -> Rule {
    Rule {
        sinks: &[],
        ..Rule::to_hook(name, &["appeared"])
    }
}

/// Evaluates without delivering.
async fn look(context: &Context) -> EvaluatedChanges {
    evaluate(context, &RuleSet::of(context, false))
        .await
        .unwrap()
}

async fn publish(world: &World, count: u32) -> Vec<String> {
    let saids = world.simulator.publish(count);
    world.pull_one().await;
    saids
}

#[tokio::test]
async fn what_came_and_was_withdrawn_in_one_outage_is_ended_where_it_was_told() {
    let rule = Rule::to_hook("soc", &["appeared", "rejected"]);
    let (world, receiver) = watched(vec![rule]).await;
    let said = publish(&world, 1).await.remove(0);
    world.later(chrono::TimeDelta::minutes(5));
    world.simulator.reject(&said);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let messages = receiver.received();
    let over = messages
        .iter()
        .map(|one| &one.body["alerts"][0])
        .find(|alert| alert["what"] == "rejected")
        .expect("the withdrawal");
    let severities = over["raised_severities"].as_array().unwrap();
    assert_eq!(severities.len(), 1, "under which it was told: {over}");
}

#[tokio::test]
async fn a_backlog_tells_what_was_stored_and_what_came_since_once_each() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.pull_one().await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.add_hook(&receiver);
    // The rule is written down, then more comes, and only then is it counted.
    world.context().await;
    publish(&world, 2).await;
    world.alert_with(true).await;
    world.alert_with(true).await;
    let per_key = "select coalesce(max(count), 0) from (
        select count(*) from advisoryd_v1.alerts group by key) as every";
    assert_eq!(world.count(per_key).await, 1);
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.alerts")
            .await,
        62
    );
}

#[tokio::test]
async fn a_rule_for_tickets_would_have_matched_no_stored_advisory() {
    let rule = Rule::to_hook("tickets", &["ticket_opened"]);
    let (world, _receiver) = watched(vec![rule]).await;
    let matches = world
        .count("select baseline_matches from advisoryd_v1.alert_rules")
        .await;
    assert_eq!(matches, 0);
    world.alert_with(true).await;
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.alerts")
            .await,
        0
    );
}

#[tokio::test]
async fn a_sink_that_a_rule_names_anew_is_told_from_then_on_though_a_message_gathers() {
    let (mut world, receiver) = watched(vec![gathering()]).await;
    let first = publish(&world, 1).await;
    look(&world.context().await).await;

    let second = Receiver::start().await;
    world.settings.alerts.rules[0].sinks = &["hook", "second"];
    world.add_webhook("second", &second);
    let later = publish(&world, 1).await;
    world.alert().await;
    let keys = |receiver: &Receiver| -> Vec<String> {
        let mut keys: Vec<String> = receiver.facts().into_iter().map(|(_, key)| key).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&second), later);
    let mut both = [first, later].concat();
    both.sort();
    assert_eq!(keys(&receiver), both);
}

#[tokio::test]
async fn a_message_that_is_full_waits_for_no_more() {
    let (world, receiver) = watched(vec![gathering()]).await;
    let context = world.context().await;
    for count in [1, 120] {
        publish(&world, count).await;
        look(&context).await;
    }
    for sink in open_sinks(&context.config).unwrap() {
        deliver_due(&context, &sink).await.unwrap();
    }
    let sizes: Vec<usize> = receiver
        .received()
        .iter()
        .map(|one| one.facts().len())
        .collect();
    assert_eq!(sizes, [100], "the rest gathers");
    let gathering = "select alerts::bigint from advisoryd.message where sealed_at is null";
    assert_eq!(world.count(gathering).await, 21);
}

#[tokio::test]
async fn a_daemon_whose_configuration_is_older_evaluates_by_the_newer_rules() {
    let rule = Rule::to_hook("soc", &["appeared"]);
    let (mut world, receiver) = watched(vec![rule]).await;
    let old = world.context().await;
    world.settings.alerts.rules[0].shadow = Some(true);
    world.context().await;
    world.simulator.publish(1);
    world.pull_one().await;
    assert_eq!(look(&old).await.raised, 1);
    world.alert().await;
    let states = world
        .count("select count(*) from advisoryd_v1.alerts where state = 'shadow'")
        .await;
    assert_eq!((states, receiver.received().len()), (1, 0));
}

fn import(world: &World, said: &str) {
    let document = format!(
        "<advisories><advisory><advisory_identifier>{said}</advisory_identifier>\
         <title>One</title></advisory></advisories>"
    );
    let mut child = world
        .command(&["import", "-", "--watch-list", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(document.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn where_nothing_but_files_comes_the_first_is_the_baseline_and_the_next_is_news() {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![recording("soc")];
    import(&world, "SA1");
    assert_eq!(world.alert().await.evaluated.raised, 0);
    import(&world, "SA2");
    assert_eq!(world.alert().await.evaluated.raised, 1);
}

#[tokio::test]
async fn a_file_that_comes_before_the_first_pull_does_not_make_that_pull_news() {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![recording("soc")];
    import(&world, "SA1");
    world.alert().await;
    world.pull_one().await;
    let passed = world.alert().await;
    assert_eq!(
        (passed.evaluated.raised, passed.evaluated.baseline["soc"]),
        (0, 60)
    );
    publish(&world, 1).await;
    assert_eq!(world.alert().await.evaluated.raised, 1);
}

#[tokio::test]
async fn rules_that_match_all_of_much_are_evaluated_in_bounded_portions() {
    let rules = (0..120).map(|n| recording(&format!("r{n}"))).collect();
    let (world, _receiver) = watched(rules).await;
    publish(&world, 50).await;
    let context = world.context().await;
    assert_eq!(look(&context).await.raised, 6000);
    let portions = "select count(distinct raised_at) from advisoryd_v1.alerts";
    assert_eq!(world.count(portions).await, 2);
}

#[tokio::test]
async fn verdicts_have_the_same_codes_in_the_program_and_in_the_database() {
    let world = World::new().await;
    let rows: Vec<(i16, String, Option<String>)> =
        sqlx::query_as("select code, verdict, clause from advisoryd.verdict order by code")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let plain = [
        (Verdict::Matched, "matched"),
        (Verdict::NotAsked, "not_asked"),
        (Verdict::NotFollowed, "not_followed"),
        (Verdict::Baseline, "baseline"),
        (Verdict::Reported, "already_reported"),
    ]
    .map(|(verdict, name)| (verdict.code(), name.to_owned(), None));
    let clauses = Clause::ALL.into_iter().flat_map(|clause| {
        let name = Some(clause.name().to_owned());
        [
            (
                Verdict::False(clause).code(),
                "clause_false".to_owned(),
                name.clone(),
            ),
            (
                Verdict::Missing(clause).code(),
                "value_missing".to_owned(),
                name,
            ),
        ]
    });
    let mut known: Vec<(i16, String, Option<String>)> = plain.into_iter().chain(clauses).collect();
    known.sort();
    assert_eq!(rows, known);
}
