//! What an alert says, and how many alerts one advisory is worth.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::SimulatorOptions;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::settings::{Rule, WatchList};
use crate::support::{Receiver, World, assert_reads, small};

/// Two lists, the first of which has a name, and rules that tell the receiver.
async fn two_lists(rules: Vec<Rule>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(vec![2]);
    world.settings.watch_lists = vec![WatchList {
        id: 1,
        name: Some("Linux servers"),
        source: Some("feed"),
        ..WatchList::default()
    }];
    world.settings.upstream.advisory_url = Some("https://svr.example.org/a/{said}?id={id}");
    world.settings.upstream.ticket_url = Some("https://svr.example.org/t/{number}/{id}");
    world.settings.alerts.rules = rules;
    world.add_hook(&receiver);
    world.pull().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    (world, receiver)
}

/// All alerts of an advisory that the receiver got.
fn alerts(receiver: &Receiver, key: &str) -> Vec<Value> {
    let messages = receiver.received();
    let alerts = messages
        .iter()
        .flat_map(|message| message.body["alerts"].as_array().unwrap());
    alerts
        .filter(|alert| alert["key"] == key)
        .cloned()
        .collect()
}

/// Publishes an advisory that is in both lists.
fn publish(world: &World) -> String {
    let said = world.simulator.publish(1).remove(0);
    world.simulator.join(&said, 1);
    world.simulator.join(&said, 2);
    said
}

fn both() -> Rule {
    Rule::to_hook("soc", &["appeared", "joined_watch_list"])
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one fact after the other")]
async fn an_alert_says_what_a_person_needs_and_so_does_the_view() {
    let rule = Rule::to_hook("soc", &["revised", "ticket_opened"]);
    let (world, receiver) = two_lists(vec![rule]).await;
    let said: String = sqlx::query_scalar(
        "select a.said
         from advisoryd_v1.advisories a
         where 1 = any(a.watch_list_ids)
           and a.severity_rank between 1 and 4
           and a.cvss3_vector is not null
           and (select count(*) from advisoryd_v1.advisory_products p where p.said = a.said) > 0
           and exists (select from advisoryd_v1.tickets t where t.said = a.said and t.deleted_at is null)
         order by a.said
         limit 1",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let before: String =
        sqlx::query_scalar("select severity from advisoryd_v1.advisories where said = $1")
            .bind(&said)
            .fetch_one(world.pool())
            .await
            .unwrap();
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    world.alert().await;

    let alert = alerts(&receiver, &said).remove(0);
    let expected: Value = sqlx::query_scalar(
        "select jsonb_build_object(
             'said', a.said,
             'severity', a.severity,
             'cvss_score', coalesce(a.cvss4_score, a.cvss3_score),
             'cvss_vector', coalesce(a.cvss4_vector, a.cvss3_vector),
             'threat_score', a.threat_score,
             'watch_list_ids', a.watch_list_ids,
             'products', (
                 select jsonb_agg(p.name)
                 from (select name from advisoryd_v1.advisory_products where said = a.said limit 10) as p),
             'more_products', (
                 select greatest(count(*) - 10, 0) from advisoryd_v1.advisory_products where said = a.said),
             'more_tickets', (
                 select count(*) - 1 from advisoryd_v1.tickets t where t.said = a.said and t.deleted_at is null),
             'advisory_url', format('https://svr.example.org/a/%s?id=%s', a.said, a.upstream_id))
         from advisoryd_v1.advisories a
         where a.said = $1",
    )
    .bind(&said)
    .fetch_one(world.pool())
    .await
    .unwrap();
    for (name, value) in expected.as_object().unwrap() {
        match value.as_f64() {
            Some(number) => assert_eq!(alert[name].as_f64(), Some(number), "{name}"),
            None => assert_eq!(alert[name], *value, "{name}"),
        }
    }
    assert_eq!(alert["severity_before"], before.as_str());
    assert_ne!(alert["severity"], before.as_str());
    let severity = json!({"field": "severity", "old": before, "new": alert["severity"]});
    let changed = alert["changed"].as_array().unwrap();
    assert!(changed.contains(&severity), "{changed:?}");
    assert_eq!(alert["watch_list_names"][0], "Linux servers");
    let solution = alert["solution"].as_str().unwrap();
    assert!(solution.chars().count() <= 400 && !solution.contains('\n'));
    let ticket: (i64, i64, Option<String>) = sqlx::query_as(
        "select id, pretty_id, status from advisoryd_v1.tickets
         where said = $1 and deleted_at is null
         order by created_at desc, id desc
         limit 1",
    )
    .bind(&said)
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(alert["ticket_id"], ticket.0);
    assert_eq!(alert["ticket_number"], ticket.1);
    assert_eq!(alert["ticket_status"], json!(ticket.2));
    let url = format!("https://svr.example.org/t/{}/{}", ticket.1, ticket.0);
    assert_eq!(alert["ticket_url"], url);
    let stored: Value =
        sqlx::query_scalar("select body from advisoryd_v1.alerts where id = $1::uuid")
            .bind(alert["id"].as_str())
            .fetch_one(world.pool())
            .await
            .unwrap();
    assert_eq!(stored, alert, "the view says what was sent");
}

#[tokio::test]
async fn what_appears_in_several_lists_at_once_is_one_alert_that_names_them() {
    let (world, receiver) = two_lists(vec![both()]).await;
    let said = publish(&world);
    world.pull().await;
    world.alert().await;
    let result = alerts(&receiver, &said);
    assert_eq!(result.len(), 1, "{result:?}");
    assert_eq!(result[0]["what"], "appeared");
    assert_eq!(result[0]["watch_list_ids"], json!([1, 2]));
    assert_eq!(result[0]["watch_list_names"][0], "Linux servers");
    let explained = world.cli(&["explain", &said]);
    assert!(
        explained
            .stdout
            .contains("another alert of the rule reports it already"),
        "{explained}"
    );
    let tried = world.cli(&["rules", "test", "--since", "1h"]);
    assert_reads!(explained, tried.stdout.lines().next().unwrap());
}

#[tokio::test]
async fn a_list_that_is_pulled_after_the_evaluation_makes_no_second_alert_within_the_hour() {
    let grouped = Rule {
        group: Some("1h"),
        ..Rule::to_hook("grouped", &["appeared", "joined_watch_list"])
    };
    let (world, receiver) = two_lists(vec![both(), grouped]).await;
    let said = world.simulator.publish(1).remove(0);
    world.simulator.join(&said, 1);
    world.simulator.leave(&said, 2);
    world.pull().await;
    let context = world.context().await;
    let look = async || {
        let rules = advisoryd::job::alerts::evaluate::RuleSet::of(&context, false);
        advisoryd::job::alerts::evaluate::evaluate(&context, &rules)
            .await
            .unwrap()
            .raised
    };
    assert_eq!(look().await, 2);
    world.later(TimeDelta::minutes(5));
    world.simulator.join(&said, 2);
    world.pull_back(LookBack::Full).await;
    assert_eq!(look().await, 0, "it was reported five minutes ago");
    world.alert().await;
    let lists =
        "select rule || ' ' || (body ->> 'watch_list_ids') from advisoryd_v1.alerts order by rule";
    assert_eq!(
        world.texts(lists).await,
        ["grouped [1, 2]", "soc [1]"],
        "what waits is completed, what was sent stays as it was"
    );

    world.later(TimeDelta::hours(2));
    world.simulator.leave(&said, 2);
    world.pull_back(LookBack::Full).await;
    world.later(TimeDelta::minutes(5));
    world.simulator.join(&said, 2);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let result = alerts(&receiver, &said);
    let later = result
        .iter()
        .filter(|one| one["what"] == "joined_watch_list");
    assert!(later.count() >= 1, "hours later it is news: {result:?}");
}

#[tokio::test]
async fn who_asks_for_one_list_is_not_told_that_an_advisory_joined_another() {
    let of_list = |list: i64| {
        let mut rule = Rule::to_hook(
            if list == 1 { "one" } else { "two" },
            &["joined_watch_list"],
        );
        rule.clauses
            .insert("watch_lists".to_owned(), vec![list].into());
        rule
    };
    let (world, receiver) = two_lists(vec![of_list(1), of_list(2)]).await;
    let said = world
        .simulator
        .saids(1)
        .into_iter()
        .find(|said| !world.simulator.saids(2).contains(said))
        .unwrap();
    world.simulator.join(&said, 2);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let rules: Vec<Value> = receiver
        .received()
        .iter()
        .map(|message| message.body["rule"].clone())
        .collect();
    assert_eq!(rules, ["two"], "only who asks for the list that it joined");
    let explained = world.cli(&["explain", &said, "--rule", "one"]);
    let no = "no match: `watch_lists` requires";
    assert!(explained.stdout.contains(no), "{explained}");
}

#[tokio::test]
async fn lists_are_called_by_name_and_tickets_by_number_in_the_first_line() {
    let rules = vec![
        Rule::to_hook("lists", &["joined_watch_list", "left_watch_list"]),
        Rule::to_hook("tickets", &["ticket_opened"]),
    ];
    let (world, receiver) = two_lists(rules).await;
    let said = world.simulator.saids(2)[0].clone();
    world.simulator.leave(&said, 1);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let before = receiver.received().len();
    world.later(TimeDelta::hours(2));
    world.simulator.join(&said, 1);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let joined = receiver.received()[before..].to_vec();
    let title = joined[0].body["title"].as_str().unwrap();
    assert!(title.contains("now in watch list Linux servers"), "{title}");

    let before = receiver.received().len();
    let id = world.simulator.add_tickets(1)[0];
    world.later(TimeDelta::minutes(1));
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    let ticket = receiver.received()[before].body.clone();
    let alert = &ticket["alerts"][0];
    let number = alert["ticket_number"].as_i64().unwrap();
    assert_eq!(alert["key"], id.to_string().as_str());
    let title = ticket["title"].as_str().unwrap();
    assert!(title.starts_with(&format!("#{number}: ")), "{title}");
    let listed = world.cli(&["alerts", "list", "--key", &format!("#{number}")]);
    let row = listed.stdout.lines().last().unwrap();
    assert!(row.contains(&format!("#{number}")), "{listed}");
    let listed = world.cli(&["alerts", "list", "--rule", "tickets", "--json"]);
    assert_eq!(listed.json_lines()[0]["pretty_id"], number);
}
