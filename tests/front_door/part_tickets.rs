//! Rows that are only a part of a ticket, and values that come in another type of JSON: neither
//! is a change.

use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::{Value, json};

use crate::support::{Paged, World};

const TICKETS: &str = "/api/tickets/";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};
const EVENTS: &str = "select what || ' ' || key from advisoryd_v1.changes where what <> 'ticket_opened' order by seq";
const KEYS: &str = "select coalesce(key, '-') from advisoryd_v1.quarantine order by 1";

async fn world() -> (World, Paged) {
    let paged = Paged::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    (world, paged)
}

fn ticket(id: i64) -> Value {
    json!({"id": id, "pretty_id": 1000 + id, "title": format!("T{id}"), "description": "D",
        "created": "2026-01-01T10:00:00Z", "modified": "2026-03-01T10:00:00Z",
        "status": {"id": 1, "name": "Open"}, "priority": {"id": 2, "name": "Medium"},
        "assigned_to": null, "advisory": {"advisory_identifier": "SA1"}})
}

fn tickets() -> Vec<Value> {
    (1..=6).map(ticket).collect()
}

fn without(names: &[&str]) -> Value {
    let mut row = ticket(3);
    for name in names {
        row.as_object_mut().unwrap().remove(*name);
    }
    row
}

async fn full(world: &World) -> RunReport {
    let report = world.sync_tickets(FULL).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    report
}

#[tokio::test]
async fn a_row_that_is_a_part_of_a_ticket_changes_nothing() {
    let empty = json!({"id": 3, "title": null, "description": "", "status": {}, "priority": null,
        "created": null, "modified": null, "advisory": null, "assigned_to": null});
    for part in [
        json!({"id": 3}),
        json!({"id": "3", "pretty_id": 1003}),
        without(&["status", "priority"]),
        without(&["status", "modified"]),
        without(&["title", "description", "created", "modified", "advisory"]),
        empty,
    ] {
        let (world, paged) = world().await;
        paged.set(TICKETS, tickets());
        full(&world).await;
        let mut rows = tickets();
        rows[2] = part.clone();
        paged.set(TICKETS, rows);
        full(&world).await;
        full(&world).await;
        assert_eq!(world.texts(KEYS).await, ["3"], "{part}");
        let result = world.cli(&["quarantine", "retry"]);
        assert_eq!(world.texts(KEYS).await, ["3"], "{part} {result:?}");
        // Once more the whole ticket.
        paged.set(TICKETS, tickets());
        full(&world).await;
        assert_eq!(world.texts(EVENTS).await, [""; 0], "{part}");
        assert_eq!(world.texts(KEYS).await, [""; 0], "{part}");
    }
}

#[tokio::test]
async fn a_row_is_known_as_a_part_whatever_the_words_of_its_reason() {
    let (world, paged) = world().await;
    paged.set(TICKETS, tickets());
    full(&world).await;
    let mut rows = tickets();
    rows[2] = json!({"id": 3, "modified": "2026-03-02T10:00:00Z"});
    paged.set(TICKETS, rows);
    full(&world).await;
    sqlx::query("update advisoryd.quarantine set reason = 'in other words'")
        .execute(world.pool())
        .await
        .unwrap();
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(world.texts(KEYS).await, ["3"], "{result:?}");
    assert_eq!(world.texts(EVENTS).await, [""; 0], "{result:?}");
    paged.shelf().asked.clear();
    full(&world).await;
    let asked = paged.shelf().asked.clone();
    let is_alone = |path: &String| path.starts_with("/api/tickets/3/");
    assert!(asked.iter().any(is_alone), "{asked:?}");
}

#[tokio::test]
async fn a_ticket_of_which_a_part_came_is_asked_for_alone() {
    let (world, paged) = world().await;
    paged.set(TICKETS, tickets());
    full(&world).await;
    let mut rows = tickets();
    rows[2] = json!({"id": 3});
    paged.set(TICKETS, rows);
    let whole = r#"{"id": 3, "title": "new", "description": "D", "created": "2026-01-01T10:00:00Z",
        "modified": "2026-03-02T10:00:00Z", "status": {"id": 4, "name": "Closed"}, "priority": 2,
        "advisory": null, "pretty_id": 1003, "assigned_to": null}"#;
    full(&world).await;
    assert_eq!(world.texts(KEYS).await, ["3"]);
    paged.set(
        TICKETS,
        (1..=2).map(ticket).chain((4..=6).map(ticket)).collect(),
    );
    paged.shelf().alone = Some((200, "application/json", whole));
    full(&world).await;
    assert_eq!(world.texts(KEYS).await, [""; 0]);
    let status = "select status from advisoryd_v1.tickets where id = 3";
    assert_eq!(world.texts(status).await, ["Closed"]);
}

/// A field that upstream no longer sends at all is gone, after a day.
#[tokio::test]
async fn a_field_that_no_row_has_any_more_is_believed_after_a_day() {
    let (world, paged) = world().await;
    paged.set(TICKETS, tickets());
    full(&world).await;
    let mut rows = tickets();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("priority");
    }
    paged.set(TICKETS, rows);
    full(&world).await;
    assert_eq!(world.texts(EVENTS).await, [""; 0]);
    assert_eq!(world.texts(KEYS).await.len(), 6);
    sqlx::query("update advisoryd.quarantine set at = at - interval '25 hours'")
        .execute(world.pool())
        .await
        .unwrap();
    full(&world).await;
    assert_eq!(world.texts(KEYS).await, [""; 0]);
    let priority = "select count(*) from advisoryd_v1.tickets where priority is null";
    assert_eq!(world.count(priority).await, 6);
}

/// Where upstream leaves a field out if it is empty, a row without it says so.
#[tokio::test]
async fn a_field_that_other_tickets_lack_may_be_left_out() {
    let (world, paged) = world().await;
    let mut rows = tickets();
    for row in &mut rows[..3] {
        row["assigned_to"] = json!({"id": 9, "username": "ada"});
    }
    for row in &mut rows[3..] {
        row.as_object_mut().unwrap().remove("assigned_to");
    }
    paged.set(TICKETS, rows.clone());
    full(&world).await;
    rows[2].as_object_mut().unwrap().remove("assigned_to");
    rows[2]["modified"] = json!("2026-03-02T10:00:00Z");
    paged.set(TICKETS, rows);
    full(&world).await;
    assert_eq!(
        world.texts(EVENTS).await,
        ["ticket_revised 3", "ticket_assigned 3"]
    );
    assert_eq!(world.texts(KEYS).await, [""; 0]);
}

#[tokio::test]
async fn a_value_in_another_type_is_no_change() {
    for has_time in [true, false] {
        let (world, paged) = world().await;
        let rows = || {
            let mut rows = tickets();
            for row in &mut rows {
                row["is_closed"] = json!(false);
                row["weight"] = json!(5);
                if !has_time {
                    row.as_object_mut().unwrap().remove("modified");
                }
            }
            rows
        };
        paged.set(TICKETS, rows());
        full(&world).await;
        let as_text = |value: &Value| json!(value.to_string());
        let mut texts = rows();
        for row in &mut texts {
            for name in ["id", "pretty_id", "is_closed", "weight"] {
                row[name] = as_text(&row[name]);
            }
            row["status"]["id"] = json!("1");
            row["priority"]["id"] = json!(2.0);
        }
        for rows in [texts, rows()] {
            paged.set(TICKETS, rows);
            let report = full(&world).await;
            assert_eq!(report.tally.changed, 0, "{has_time}");
        }
        assert_eq!(world.texts(EVENTS).await, [""; 0], "{has_time}");
        let mut other = rows();
        other[0]["status"] = json!({"id": "4", "name": "Closed"});
        paged.set(TICKETS, other);
        full(&world).await;
        assert_eq!(
            world.texts(EVENTS).await,
            ["ticket_revised 1", "ticket_status 1"]
        );
    }
}
