//! Rules about what has not happened for some time, evaluated by the clock.

use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use toml::toml;

use crate::support::settings::{Health, Rule};
use crate::support::{Receiver, World, assert_reads};

async fn watched(rules: Vec<Rule>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = rules;
    world.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    world.add_hook(&receiver);
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    (world, receiver)
}

fn rule(name: &str, clauses: toml::Table) -> Rule {
    Rule {
        clauses,
        ..Rule::to_hook(name, &[])
    }
}

/// What the receiver got: rule, kind of alert, key and summary.
fn notified(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.received();
    let mut notified: Vec<String> = requests
        .iter()
        .flat_map(|message| {
            let rule = message.body["rule"].as_str().unwrap();
            let alerts = message.body["alerts"].as_array().unwrap().iter();
            alerts.map(move |alert| {
                let text = |key: &str| alert[key].as_str().unwrap().to_owned();
                let (what, key, summary) = (text("what"), text("key"), text("summary"));
                format!("{rule} {what} {key} {summary}")
            })
        })
        .collect();
    notified.sort();
    notified
}

#[tokio::test]
async fn an_advisory_without_a_ticket_is_told_once_and_only_if_it_is_new() {
    let (world, receiver) = watched(vec![rule("late", toml! { without_ticket_for = "3d" })]).await;
    let new = world.simulator.publish(1).remove(0);
    world.simulator.join(&new, 1);
    world.pull_one().await;
    world.later(TimeDelta::hours(71));
    world.alert().await;
    let early = notified(&receiver);
    assert!(!early.iter().any(|line| line.contains(&new)), "{early:?}");

    // Five days late, as after an outage, and twice.
    world.later(TimeDelta::days(5));
    world.alert().await;
    world.alert().await;
    let all = notified(&receiver);
    let of_new: Vec<&String> = all.iter().filter(|line| line.contains(&new)).collect();
    let severity = "select replace(severity, '_', ' ') from advisoryd_v1.advisories
                    order by first_seen_at desc, said limit 1";
    let severity = world.texts(severity).await.remove(0);
    assert_eq!(
        of_new,
        [&format!(
            "late without_ticket {new} no ticket for 7 days, {severity}"
        )]
    );
    // What was published long before the rule is its baseline.
    let stored =
        "select said from advisoryd_v1.advisories where released_at < now() - interval '30 days'";
    for old in world.texts(stored).await {
        assert!(
            !all.iter().any(|line| line.contains(&old)),
            "{old}: {all:?}"
        );
    }
}

#[tokio::test]
async fn other_clauses_and_acknowledgements_hold_for_deadlines_too() {
    let (world, receiver) = watched(vec![
        rule("open", toml! { without_ticket_for = "3d" state = "open" }),
        rule(
            "none",
            toml! { without_ticket_for = "3d" where = "title = nothing" },
        ),
    ])
    .await;
    let new = world.simulator.publish(2);
    for said in &new {
        world.simulator.join(said, 1);
    }
    world.pull_one().await;
    assert_eq!(world.cli(&["ack", &new[0]]).code, 0);
    world.later(TimeDelta::days(4));
    world.alert().await;
    let all = notified(&receiver);
    assert!(!all.iter().any(|line| line.contains(&new[0])), "{all:?}");
    assert_eq!(
        all.iter().filter(|line| line.contains(&new[1])).count(),
        1,
        "{all:?}"
    );
    assert!(!all.iter().any(|line| line.starts_with("none")), "{all:?}");
    // Somebody who withdraws the acknowledgement is told.
    assert_eq!(world.cli(&["ack", &new[0], "--withdraw"]).code, 0);
    world.later(TimeDelta::hours(1));
    world.alert().await;
    let all = notified(&receiver);
    assert_eq!(
        all.iter().filter(|line| line.contains(&new[0])).count(),
        1,
        "{all:?}"
    );
}

#[tokio::test]
async fn a_ticket_that_stays_open_is_told_once() {
    let (world, receiver) = watched(vec![rule("open", toml! { ticket_open_for = "14d" })]).await;
    let ticket = world.simulator.add_tickets(1)[0].to_string();
    // A window ends before the second of the answer.
    world.later(TimeDelta::seconds(2));
    world.sync_tickets(TicketSync::Now).await;
    world.later(TimeDelta::days(13));
    world.alert().await;
    let is_new = |line: &&String| line.contains(&format!(" {ticket} "));
    assert_eq!(notified(&receiver).iter().filter(is_new).count(), 0);
    world.later(TimeDelta::days(2));
    world.alert().await;
    world.alert().await;
    let all = notified(&receiver);
    let lines: Vec<&String> = all.iter().filter(is_new).collect();
    assert_eq!(lines.len(), 1, "{ticket}: {all:?}");
    assert!(lines[0].contains("open ticket_open"), "{lines:?}");
    assert!(lines[0].contains("15 days"), "{lines:?}");
}

#[test]
fn a_rule_has_either_changes_or_a_deadline() {
    let refused = |rule: &str| {
        let text = format!("[[alerts.rules]]\nname = \"x\"\n{rule}");
        let config = advisoryd::config::Config::from_text("c.toml", &text);
        config
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        refused("without_ticket_for = \"3d\"\nno_solution_for = \"30d\""),
        ""
    );
    let both = refused("without_ticket_for = \"3d\"\non = [\"appeared\"]");
    let mixed = refused("without_ticket_for = \"3d\"\nticket_open_for = \"3d\"");
    let short = refused("without_ticket_for = \"3s\"");
    assert_reads!(both, mixed, short);
}
