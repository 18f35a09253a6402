//! Advisories whose identifiers are numbers, by `[feeds] id_pattern`, beside tickets, whose ids
//! are numbers too.

use toml::toml;

use crate::support::settings::Rule;
use crate::support::{Documents, Receiver, World};

fn feed(ids: &[u32]) -> String {
    let record = |id: &u32| {
        format!(
            "<advisory><advisory_identifier>{id}</advisory_identifier><title>title of {id}</title></advisory>"
        )
    };
    let records: String = ids.iter().map(record).collect();
    format!("<advisories>{records}</advisories>")
}

#[tokio::test]
async fn an_advisory_whose_identifier_is_a_number_is_not_taken_for_a_ticket() {
    let documents = Documents::serve().await;
    documents.set(1, feed(&[10001]));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.settings.feeds.id_pattern = Some("[0-9]{5}");
    world.settings.alerts.rules = vec![Rule {
        clauses: toml! { repeat = "24h" },
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world.add_hook(&Receiver::start().await);
    world.pull_one().await;
    documents.set(1, feed(&[10001, 10002]));
    world.pull_one().await;
    // `rules test` has the time of this machine.
    sqlx::raw_sql(
        "update advisoryd.change set at = at - interval '50 hours';
         update advisoryd.sighting set first_seen_at = first_seen_at - interval '50 hours'",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let tried = world.cli(&["rules", "test", "--since", "30d", "--json"]);
    let tried = tried.json_lines().remove(0);
    let messages = tried["messages"].as_array().unwrap().iter();
    let alerts = messages.flat_map(|one| one["alerts"].as_array().unwrap());
    let reminders: Vec<&str> = alerts
        .filter(|alert| alert["what"] == "reminder")
        .map(|alert| alert["key"].as_str().unwrap())
        .collect();
    assert_eq!(reminders, ["10002", "10002"], "{tried}");
    for command in ["show", "explain"] {
        let result = world.cli(&[command, "10002"]);
        assert_eq!(result.code, 0, "{result}");
        assert!(result.stdout.contains("title of 10002"), "{result}");
    }
}
