//! A damaged advisory, a quarantined record, a member that left and a ticket that is gone,
//! where people look: `status`, `show`, SQL and an alert.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::settings::Rule;
use crate::support::{Documents, Receiver, World};

/// The advisory that is damaged, the one that leaves the list, the one in quarantine.
const DAMAGED: &str = "SA1001";
const LEAVING: &str = "SA1002";
const KEPT: &str = "SA1003";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

/// A feed of ten advisories, one a day; without `LEAVING` if it `left`.
fn feed(now: DateTime<Utc>, left: bool) -> String {
    let numbers = (1000..1010).filter(|number| !(left && format!("SA{number}") == LEAVING));
    let record = |number: i64| {
        let date = (now - TimeDelta::days(1010 - number)).format("%Y-%m-%dT%H:%M:%SZ");
        let said = format!("SA{number}");
        let title = if said == DAMAGED {
            "fish & chips < 2.0"
        } else {
            "whole"
        };
        let once = format!(
            "<advisory><said>{said}</said><title>{title}</title><released>{date}</released><modified_date>{date}</modified_date></advisory>"
        );
        // Two of the same revision that contradict each other.
        let twice = once.replace("whole", "another");
        if said == KEPT { once + &twice } else { once }
    };
    format!(
        "<advisories>{}</advisories>",
        numbers.map(record).collect::<String>()
    )
}

fn tickets(ids: &[i64]) -> serde_json::Value {
    let row = |id: &i64| {
        json!({"id": id, "pretty_id": 4000 + id, "title": format!("Ticket {id}"),
               "created": "2026-11-01T00:00:00Z", "modified": "2026-11-01T00:00:00Z"})
    };
    json!({"count": ids.len(), "next": null, "results": ids.iter().map(row).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_wrong_is_seen_wherever_people_look() {
    let documents = Documents::serve().await;
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1]);
    world.add_hook(&receiver);
    let kinds = &["appeared", "left_watch_list", "ticket_gone"];
    world
        .settings
        .alerts
        .rules
        .push(Rule::to_hook("all", kinds));
    documents.set(1, feed(world.now(), false));
    documents.set_json("/api/tickets/", &tickets(&[1, 2, 3, 4, 5, 6, 7]));
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert_with(true).await;
    documents.set(1, feed(world.now(), true));
    documents.set_json("/api/tickets/", &tickets(&[1, 2, 3, 4, 5, 6]));
    world.pull_back(LookBack::Full).await;
    world.sync_tickets(FULL).await;
    world.alert().await;

    // `status` names what needs a person.
    let status = world.cli(&["status"]).stdout;
    assert!(status.contains("quarantine"), "{status}");
    // `show` says of each what it is.
    for (key, part) in [
        (DAMAGED, "repaired"),
        (LEAVING, "left"),
        (KEPT, "in quarantine since"),
        ("7", "deleted"),
    ] {
        let page = world.cli(&["show", key]).stdout;
        assert!(page.contains(part), "{key} without `{part}`:\n{page}");
    }
    // SQL, as documented.
    for (sql, wanted) in [
        (
            "select said from advisoryd_v1.advisories where repaired",
            DAMAGED,
        ),
        (
            "select said from advisoryd_v1.advisory_watch_lists where left_at is not null",
            LEAVING,
        ),
        ("select distinct key from advisoryd_v1.quarantine", KEPT),
        (
            "select id::text from advisoryd_v1.tickets where deleted_at is not null",
            "7",
        ),
    ] {
        assert_eq!(world.texts(sql).await, [wanted], "{sql}");
    }
    // And an alert each; the quarantined one has its intact copy to tell of.
    let result: Vec<(String, String)> = receiver.facts();
    for (key, what) in [
        (DAMAGED, "appeared"),
        (LEAVING, "left_watch_list"),
        (KEPT, "appeared"),
        ("7", "ticket_gone"),
    ] {
        let fact = result.iter().find(|fact| fact.0 == what && fact.1 == key);
        assert!(fact.is_some(), "{key} {what}: {result:?}");
    }
}
