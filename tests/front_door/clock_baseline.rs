//! Rules that are evaluated by the clock: what was overdue before the rule existed is its
//! baseline; what comes into the rule later is told.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::model::Severity;
use chrono::TimeDelta;
use toml::toml;

use crate::support::settings::{Health, Rule};
use crate::support::{Receiver, World, assert_reads};

/// What there was so many days ago.
async fn filled(days_ago: i64) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    world.add_hook(&receiver);
    world.later(TimeDelta::days(-days_ago));
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    (world, receiver)
}

fn rule(name: &str, clauses: toml::Table) -> Rule {
    Rule {
        clauses,
        ..Rule::to_hook(name, &[])
    }
}

/// Rule, kind of alert and key of each alert that was sent, sorted.
fn notified(receiver: &Receiver) -> Vec<String> {
    let mut notified: Vec<String> = receiver
        .received()
        .iter()
        .flat_map(|message| {
            let rule = message.body["rule"].as_str().unwrap().to_owned();
            let facts = message.facts().into_iter();
            facts.map(move |(what, key)| format!("{rule} {what} {key}"))
        })
        .collect();
    notified.sort();
    notified
}

fn worst(world: &World, said: &str) {
    for _ in 0..5 {
        world.simulator.revise(said, true);
    }
}

async fn read_all(world: &World) {
    world.later(TimeDelta::minutes(5));
    world.pull_back(LookBack::Full).await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
}

#[tokio::test]
async fn an_advisory_that_escalates_after_a_rule_was_added_is_told_though_it_was_overdue_before() {
    let (mut world, receiver) = filled(0).await;
    let new = world.simulator.publish(3);
    for said in &new {
        world.simulator.join(said, 1);
    }
    // The first one is known when the rule comes.
    worst(&world, &new[0]);
    world.pull_one().await;
    world.later(TimeDelta::days(10));
    let clauses = toml! { without_ticket_for = "3d" severity = "extremely_critical" };
    world.settings.alerts.rules = vec![rule("late", clauses.clone())];
    world.alert().await;
    assert_eq!(notified(&receiver), [""; 0], "the baseline");

    for said in &new[..2] {
        worst(&world, said);
    }
    read_all(&world).await;
    read_all(&world).await;
    let expected = format!("late without_ticket {}", new[1]);
    assert_eq!(notified(&receiver), std::slice::from_ref(&expected));
    let explained = |said: &str| world.cli(&["explain", said, "--rule", "late"]).stdout;
    // The commands go by the machine's clock, where it was stored a moment ago.
    assert_reads!(explained(&new[0]));

    // A changed rule tells what it would have told as it was, and nothing else that was
    // overdue before.
    let later = world.simulator.publish(2);
    for said in &later {
        world.simulator.join(said, 1);
    }
    worst(&world, &later[0]);
    world.later(TimeDelta::minutes(5));
    world.pull_back(LookBack::Full).await;
    world.later(TimeDelta::days(5));
    let clauses = toml! { without_ticket_for = "3d" severity = "not_critical" };
    world.settings.alerts.rules = vec![rule("late", clauses)];
    world.alert().await;
    read_all(&world).await;
    let mut expected = [expected, format!("late without_ticket {}", later[0])];
    expected.sort();
    assert_eq!(notified(&receiver), expected);
}

#[tokio::test]
async fn explain_says_that_something_is_in_the_baseline_or_was_told() {
    let (mut world, receiver) = filled(10).await;
    let new = world.simulator.publish(2);
    for said in &new {
        world.simulator.join(said, 1);
    }
    worst(&world, &new[0]);
    world.pull_one().await;
    world.set_our_clock(TimeDelta::zero());
    world.simulator.set_clock(TimeDelta::zero());
    let clauses = toml! { without_ticket_for = "3d" severity = "extremely_critical" };
    world.settings.alerts.rules = vec![rule("late", clauses)];
    world.alert().await;
    worst(&world, &new[1]);
    read_all(&world).await;
    let expected = format!("late without_ticket {}", new[1]);
    assert_eq!(notified(&receiver), [expected]);
    for (said, what) in [
        (
            &new[0],
            "; baseline: it was already overdue when the rule was added or changed",
        ),
        (&new[1], "the alert of this period was created"),
    ] {
        let explained = world.cli(&["explain", said, "--rule", "late"]);
        assert!(explained.stdout.contains(what), "{explained}");
    }
}

#[tokio::test]
async fn tickets_that_open_again_or_come_late_are_told_though_they_were_created_before_the_rule() {
    let (mut world, receiver) = filled(0).await;
    let tickets = world.simulator.add_tickets(2);
    world.later(TimeDelta::seconds(2));
    world.sync_tickets(TicketSync::Now).await;
    let unread = world.simulator.add_tickets(1)[0].to_string();
    world.later(TimeDelta::days(20));
    let status = |id: u64| {
        let ticket = world.simulator.ticket(id).unwrap();
        ticket["status"]["name"].as_str().unwrap().to_owned()
    };
    // Any other status of the first ticket means open.
    let mut clauses = toml! { ticket_open_for = "14d" };
    let closed = toml::Table::from_iter([(
        "ticket_status".to_owned(),
        toml::Value::from(vec![status(tickets[0])]),
    )]);
    clauses.insert("not".to_owned(), closed.into());
    let rules = vec![
        rule("open", clauses),
        rule("any", toml! { ticket_open_for = "14d" }),
    ];
    world.settings.alerts.rules = rules;
    world.alert().await;
    assert_eq!(notified(&receiver), [""; 0], "the baseline");

    world.simulator.touch_ticket(tickets[0]);
    read_all(&world).await;
    read_all(&world).await;
    // The second one is as it was.
    let all = notified(&receiver);
    let of = |id: &str| {
        let lines = all.iter().filter(|line| line.ends_with(&format!(" {id}")));
        lines.cloned().collect::<Vec<_>>()
    };
    let again = tickets[0].to_string();
    assert_eq!(of(&again), [format!("open ticket_open {again}")]);
    assert_eq!(of(&tickets[1].to_string()), [""; 0]);
    assert!(
        of(&unread).contains(&format!("any ticket_open {unread}")),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_ticket_of_an_advisory_that_escalates_is_told_without_a_change_of_the_ticket() {
    let (mut world, receiver) = filled(0).await;
    let clauses = toml! { ticket_open_for = "14d" severity = "extremely_critical" };
    world.settings.alerts.rules = vec![rule("open", clauses)];
    world.alert().await;
    let of_list = world.simulator.saids(1);
    let about = |ticket: &u64| -> Option<String> {
        let ticket = world.simulator.ticket(*ticket)?;
        let said = ticket["advisory"]["advisory_identifier"].as_str()?;
        let severity = world.simulator.expected(said)?.severity()?;
        let is_lower = severity < Severity::ExtremelyCritical && severity > Severity::Rejected;
        (is_lower && of_list.contains(&said.to_owned())).then(|| said.to_owned())
    };
    let tickets = world.simulator.add_tickets(40);
    let (ticket, said) = tickets
        .iter()
        .find_map(|ticket| Some((ticket, about(ticket)?)))
        .expect("a ticket about an advisory of the list");
    read_all(&world).await;
    world.later(TimeDelta::days(20));
    worst(&world, &said);
    read_all(&world).await;
    let all = notified(&receiver);
    assert!(
        all.contains(&format!("open ticket_open {ticket}")),
        "{ticket} {said}: {all:?}"
    );
}

#[tokio::test]
async fn reminders_and_escalation_begin_anew_when_an_acknowledgement_ends() {
    let (mut world, receiver) = filled(6).await;
    let on = |name: &str, on: &'static [&'static str], clauses| Rule {
        clauses,
        ..Rule::to_hook(name, on)
    };
    world.settings.alerts.rules = vec![
        on("soc", &["appeared"], toml! { repeat = "24h" }),
        on("pager", &[], toml! { unacknowledged_for = "4h" }),
    ];
    world.alert().await;
    let said = world.simulator.publish(1).remove(0);
    world.simulator.join(&said, 1);
    world.pull_one().await;
    world.alert().await;
    let mut expected = vec![format!("soc appeared {said}")];
    assert_eq!(notified(&receiver), expected);

    world.set_our_clock(TimeDelta::zero());
    assert_eq!(world.cli(&["ack", &said]).code, 0);
    world.alert().await;
    assert_eq!(notified(&receiver), expected);
    let explained = |rule: &str| world.cli(&["explain", &said, "--rule", rule]).stdout;
    let acknowledged = ["soc", "pager"].map(&explained);
    assert_eq!(world.cli(&["ack", &said, "--withdraw"]).code, 0);
    let withdrawn = ["soc", "pager"].map(explained);
    assert_reads!(acknowledged.join("\n"), withdrawn.join("\n"));
    // Withdrawn.
    world.later(TimeDelta::hours(25));
    world.alert().await;
    expected.insert(0, format!("pager unacknowledged {said}"));
    expected.push(format!("soc reminder {said}"));
    assert_eq!(notified(&receiver), expected);
    // Expired.
    assert_eq!(world.cli(&["ack", &said, "--until", "25h"]).code, 0);
    world.later(TimeDelta::hours(1));
    world.alert().await;
    assert_eq!(notified(&receiver), expected);
    world.later(TimeDelta::hours(25));
    world.alert().await;
    expected.insert(0, format!("pager unacknowledged {said}"));
    expected.push(format!("soc reminder {said}"));
    assert_eq!(notified(&receiver), expected);
}
