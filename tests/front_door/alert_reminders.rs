//! Reminders of advisories that were rejected and reinstated.

use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use toml::toml;

use crate::support::settings::{Health, Rule};
use crate::support::{Receiver, World};

async fn pulled(world: &World) {
    world.pull_back(LookBack::Full).await;
    world.alert().await;
}

/// What was sent, in order.
fn notified(receiver: &Receiver) -> Vec<String> {
    receiver.facts().into_iter().map(|(what, _)| what).collect()
}

/// The period begins again when it is reinstated: the alert about that is reminder enough.
#[tokio::test]
async fn an_advisory_that_is_reinstated_is_reminded_of_a_period_later() {
    for on in [&["appeared"][..], &["appeared", "reinstated"]] {
        let on: &'static [&'static str] = on;
        let receiver = Receiver::start().await;
        let mut world = World::new().await;
        world.settings.alerts.rules = vec![Rule {
            clauses: toml! { repeat = "24h" },
            ..Rule::to_hook("soc", on)
        }];
        world.settings.alerts.health = Health {
            enabled: Some(false),
            ..Health::default()
        };
        world.add_hook(&receiver);
        pulled(&world).await;
        let said = world.simulator.publish(1).remove(0);
        world.later(TimeDelta::minutes(1));
        pulled(&world).await;
        assert!(world.simulator.reject(&said));
        world.later(TimeDelta::hours(1));
        pulled(&world).await;
        world.later(TimeDelta::hours(70));
        world.alert().await;
        assert_eq!(notified(&receiver), ["appeared"], "it is rejected");
        assert!(world.simulator.reinstate(&said));
        pulled(&world).await;
        let so_far = on;
        assert_eq!(notified(&receiver), so_far, "no reminder in this second");
        world.later(TimeDelta::hours(23));
        world.alert().await;
        assert_eq!(notified(&receiver), so_far);
        world.later(TimeDelta::hours(2));
        world.alert().await;
        let expected = [so_far, &["reminder"]].concat();
        assert_eq!(notified(&receiver), expected);
        let tried = world.cli(&["rules", "test", "--since", "7d", "--json"]);
        let kinds: Vec<String> = tried.json_lines()[0]["messages"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|message| message["alerts"].as_array().unwrap())
            .map(|alert| alert["what"].as_str().unwrap().to_owned())
            .collect();
        // Its clock is that of the machine, three days before.
        assert_eq!(kinds, so_far, "{kinds:?}");
    }
}

/// An alert that waits for a digest was not sent, and escalates once, a period after it was.
#[tokio::test]
async fn a_reinstatement_that_waits_for_a_digest_escalates_once_and_after_it() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![
        Rule {
            clauses: toml! { digest = "0 0 8 * * *" },
            ..Rule::to_hook("daily", &["appeared", "reinstated"])
        },
        Rule {
            clauses: toml! { unacknowledged_for = "4h" },
            ..Rule::to_hook("late", &[])
        },
    ];
    world.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    world.add_hook(&receiver);
    pulled(&world).await;
    let said = world.simulator.publish(1).remove(0);
    world.later(TimeDelta::minutes(1));
    pulled(&world).await;
    let mut hours = Vec::new();
    for hour in 0..80 {
        if hour == 32 {
            assert!(world.simulator.reject(&said));
            pulled(&world).await;
        }
        if hour == 33 {
            assert!(world.simulator.reinstate(&said));
            pulled(&world).await;
        }
        world.later(TimeDelta::hours(1));
        world.alert().await;
        hours.resize(notified(&receiver).len(), hour);
    }
    let kinds = notified(&receiver);
    assert_eq!(
        kinds,
        ["appeared", "unacknowledged", "reinstated", "unacknowledged"]
    );
    assert!((4..=5).contains(&(hours[3] - hours[2])), "{hours:?}");
}
