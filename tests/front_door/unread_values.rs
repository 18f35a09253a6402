//! Values of tickets that no column can hold, and names that are too long for an index.

use advisoryd::job::health::check;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::{Value, json};

use crate::support::{World, world_of_documents};

const FIELDS: &str = "select source || ' | ' || name || ' | ' || sample
                      from advisoryd_v1.unknown_fields order by name";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

async fn sync(world: &World) {
    let report = world.sync_tickets(FULL).await.remove(0);
    assert_eq!(report.outcome.error(), None, "{report:?}");
}

fn page(ticket: &Value) -> Value {
    json!({"count": 1, "next": null, "results": [ticket]})
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_told_once_and_shown() {
    let (world, documents) = world_of_documents().await;
    let mut ticket = json!({"id": 3, "pretty_id": 1003, "title": "T", "status": "Open",
        "modified": "2026-01-02T10:00:00Z"});
    documents.set_json("/api/tickets/", &page(&ticket));
    sync(&world).await;
    assert!(world.texts(FIELDS).await.is_empty());
    check::check_health(&world.context().await).await.unwrap();

    ticket["status"] = json!([{"id": 9, "name": "Open"}]);
    ticket["created"] = json!("25/11/2026");
    documents.set_json("/api/tickets/", &page(&ticket));
    for _ in 0..2 {
        sync(&world).await;
        assert_eq!(
            world.texts(FIELDS).await,
            [
                "tickets | ticket/created | 25/11/2026",
                r#"tickets | ticket/status | [{"id":9,"name":"Open"}]"#
            ]
        );
    }
    let shown = world.cli(&["show", "#1003"]).to_string();
    assert!(shown.contains("ticket/status"), "{shown}");
    assert!(shown.contains("25/11/2026"), "{shown}");
    let shown = world.cli(&["show", "#1003", "--json"]).json();
    assert_eq!(shown["unrecognised"]["ticket/created"], "25/11/2026");
    check::check_health(&world.context().await).await.unwrap();
    let result =
        "select summary from advisoryd_v1.conditions where what = 'unknown_field' and holds";
    let result = world.texts(result).await;
    assert!(result[0].contains("ticket/"), "{result:?}");
}

#[tokio::test]
async fn an_attribute_with_a_long_name_does_not_quarantine_its_record() {
    let (world, documents) = world_of_documents().await;
    // Not compressible: an index compresses what is long.
    let letter = |at: u64| char::from(b'a' + u8::try_from(at * at % 7919 % 26).unwrap());
    let name: String = (0..9000).map(letter).collect();
    documents.set(
        1,
        format!(
            "<advisories><advisory {name}=\"x\"><advisory_identifier>SA1</advisory_identifier>\
             <title>T</title></advisory></advisories>"
        ),
    );
    let report = world.pull_one().await;
    assert_eq!((report.tally.added, report.tally.quarantined), (1, 0));
}
