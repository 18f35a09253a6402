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

/// Half a character, and NUL, which the database cannot hold, cost no record.
#[tokio::test]
async fn half_a_character_and_nul_become_one_that_stands_for_them() {
    let (world, documents) = world_of_documents().await;
    let odd = [r"a\ud83d", r"\ude00b", r"c\u0000d", r"\ud83d\ude00"];
    let rows = (1..).zip(odd);
    let rows = rows.map(|(id, text)| ticket(id).replace(&format!("T{id}"), text));
    let rows: Vec<String> = rows.collect();
    documents.set_text(TICKETS, &page(&rows));
    full(&world).await;
    let titles = "select title from advisoryd_v1.tickets order by id";
    let wanted = ["a\u{fffd}", "\u{fffd}b", "c\u{fffd}d", "\u{1f600}"];
    assert_eq!(world.texts(titles).await, wanted);
    assert!(keys(&world).await.is_empty());
    // The same again is no other version.
    full(&world).await;
    let versions = "select count(*) from advisoryd_v1.tickets where version > 1";
    assert_eq!(world.count(versions).await, 0);

    let (mut world, documents) = world_of_documents().await;
    world.source = "json";
    documents.set_json("/api/asset-lists/1/", &json!({"id": 1}));
    let modified = (world.now() - chrono::TimeDelta::days(2)).to_rfc3339();
    let listed = (1..).zip(odd).map(|(number, text)| {
        let said = format!("SA{number}");
        let row = format!(
            r#"{{"advisory_identifier": "{said}", "title": "{text}", "modified_date": "{modified}"}}"#
        );
        let lists = r#""custom_info": {"affected_asset_lists": [{"id": 1}]}}"#;
        let detail = row.replace('}', &format!(", {lists}"));
        documents.set_text(&format!("/api/advisories/{said}/"), &detail);
        row
    });
    let listed: Vec<String> = listed.collect();
    documents.set_text("/api/advisories/", &page(&listed));
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
    let titles = "select title || ' ' || repaired from advisoryd_v1.advisories order by said";
    let wanted = [
        "a\u{fffd} true",
        "\u{fffd}b true",
        "c\u{fffd}d true",
        "\u{1f600} false",
    ];
    assert_eq!(world.texts(titles).await, wanted);
    assert!(keys(&world).await.is_empty());
}
