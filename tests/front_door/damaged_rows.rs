//! Rows of JSON that are damaged behind their identifier, or in it.

use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use axum::http::header::CONTENT_LANGUAGE;
use serde_json::{Value, json};

use crate::support::{Documents, World, world_of_documents};

const TICKETS: &str = "/api/tickets/";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

fn ticket(id: i64) -> String {
    format!(
        r#"{{"id": {id}, "pretty_id": 100{id}, "title": "T{id}", "modified": "2026-01-02T10:00:00Z"}}"#
    )
}

fn page(rows: &[String]) -> String {
    let count = rows.len();
    let rows = rows.join(", ");
    format!(r#"{{"count": {count}, "next": null, "results": [{rows}]}}"#)
}

/// Ten tickets are stored; two of them are not found alone.
async fn ten_tickets() -> (World, Documents, Vec<String>) {
    let (world, documents) = world_of_documents().await;
    let rows: Vec<String> = (1..=10).map(ticket).collect();
    for id in [3, 10] {
        let (path, header) = (format!("{TICKETS}{id}/"), (CONTENT_LANGUAGE, "en"));
        documents.set_answer(&path, 404, header, &json!({"detail": "Not found."}));
    }
    documents.set_text(TICKETS, &page(&rows));
    let report = full(&world).await;
    assert_eq!(report.tally.added, 10, "{report:?}");
    (world, documents, rows)
}

async fn full(world: &World) -> RunReport {
    let report = world.sync_tickets(FULL).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    report
}

async fn gone(world: &World) -> Vec<String> {
    let gone =
        "select t.id::text from advisoryd_v1.tickets t where deleted_at is not null order by t.id";
    world.texts(gone).await
}

async fn keys(world: &World) -> Vec<String> {
    let keys = "select coalesce(key, '-') from advisoryd_v1.quarantine";
    world.texts(keys).await
}

#[tokio::test]
async fn a_ticket_whose_row_is_damaged_is_not_gone() {
    let (world, documents, rows) = ten_tickets().await;
    let whole = ticket(3);
    for (damaged, key) in [
        (whole.replace(": 1003", ": 01003"), "3"),
        (whole.replace(r#""T3","#, r#""T3""#), "3"),
        (whole.replace(r#""T3""#, "'T3'"), "3"),
        (whole.replace(r#""id": 3,"#, r#""id": 3, "id": 3,"#), "3"),
        (whole.replace(r#""id": 3,"#, r#""id": 3.5,"#), "-"),
        (whole.replace(r#""id": 3,"#, r#""id": null,"#), "-"),
        ("null".to_owned(), "-"),
    ] {
        let mut rows = rows.clone();
        rows[2].clone_from(&damaged);
        documents.set_text(TICKETS, &page(&rows));
        full(&world).await;
        assert!(gone(&world).await.is_empty(), "{damaged}");
        assert_eq!(keys(&world).await, [key], "{damaged}");
        sqlx::query("delete from advisoryd.quarantine")
            .execute(world.pool())
            .await
            .unwrap();
    }
    // One of two that are missing may be that row.
    let mut rows = rows.clone();
    let whole = std::mem::replace(&mut rows[2], "null".to_owned());
    rows.truncate(9);
    documents.set_text(TICKETS, &page(&rows));
    full(&world).await;
    assert!(gone(&world).await.is_empty());
    rows[2] = whole;
    documents.set_text(TICKETS, &page(&rows));
    full(&world).await;
    assert_eq!(gone(&world).await, ["10"]);
}

#[tokio::test]
async fn the_whole_ticket_releases_its_damaged_row() {
    let (world, documents, mut rows) = ten_tickets().await;
    let whole = std::mem::replace(&mut rows[2], ticket(3).replace(": 1003", ": 01003"));
    documents.set_text(TICKETS, &page(&rows));
    full(&world).await;
    assert_eq!(keys(&world).await, ["3"]);
    rows[2] = whole;
    documents.set_text(TICKETS, &page(&rows));
    full(&world).await;
    assert!(keys(&world).await.is_empty());
}

#[tokio::test]
async fn details_are_requested_of_an_advisory_whose_row_is_damaged() {
    let (mut world, documents) = world_of_documents().await;
    world.source = "json";
    documents.set_json("/api/asset-lists/1/", &json!({"id": 1}));
    let row = |number: u8| -> Value {
        let modified = (world.now() - chrono::TimeDelta::days(2)).to_rfc3339();
        json!({"advisory_identifier": format!("SA{number}"), "title": "T", "modified_date": modified})
    };
    let rows = [1, 2].map(|number| row(number).to_string());
    let damaged = rows[1].replace(r#""title":"T""#, r#""title":'T'"#);
    let rows = [rows[0].clone(), damaged];
    documents.set_text("/api/advisories/", &page(&rows));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    assert_eq!(report.tally.quarantined, 1);
    let wanted = "select said from advisoryd.wanted_detail order by said";
    assert_eq!(world.texts(wanted).await, ["SA1", "SA2"]);
    assert_eq!(keys(&world).await, ["SA2"]);
}
