//! Of two rows with one identifier on a page of JSON, the newest is read, wherever it
//! stands.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Documents, World};

/// Both orders of two rows, as pages.
fn pages(older: &Value, newer: &Value) -> [Value; 2] {
    [[older, newer], [newer, older]].map(|rows| json!({"count": 1, "next": null, "results": rows}))
}

#[tokio::test]
async fn the_newest_of_two_rows_of_a_ticket_is_stored() {
    let older = json!({"id": 7, "title": "older", "modified": "2026-01-01T10:00:00Z"});
    let newer = json!({"id": 7, "title": "newer", "modified": "2026-01-02T10:00:00Z"});
    let undated = json!({"id": 7, "title": "undated"});
    for page in pages(&older, &newer)
        .into_iter()
        .chain(pages(&undated, &newer))
    {
        let documents = Documents::serve().await;
        let mut world = World::new().await;
        world.settings.upstream.base_url = Some(documents.base_url.clone());
        documents.set_json("/api/tickets/", &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(reports[0].outcome.name(), "ok", "{:?}", reports[0].outcome);
        let titles = "select title from advisoryd_v1.tickets";
        assert_eq!(world.texts(titles).await, ["newer"], "{page}");
    }
}

#[tokio::test]
async fn the_newest_of_two_rows_of_an_advisory_is_compared() {
    let mut world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    let row = |modified_at: chrono::DateTime<chrono::Utc>| json!({"advisory_identifier": said, "title": "x", "modified_date": modified_at.to_rfc3339()});
    let now = world.simulator.now();
    let stored = world
        .simulator
        .expected(&said)
        .unwrap()
        .modified_at
        .unwrap();
    let (older, newer) = (row(stored), row(now - TimeDelta::seconds(30)));
    let documents = Documents::serve().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.settings.feeds.sweep = None;
    for page in pages(&older, &newer) {
        documents.set_json("/api/advisories/", &page);
        scan_revisions(&world.context().await)
            .await
            .expect("a scan");
        let wanted = world
            .texts("select said from advisoryd.wanted_detail")
            .await;
        assert_eq!(wanted, [said.as_str()], "{page}");
        sqlx::raw_sql("truncate advisoryd.wanted_detail")
            .execute(world.pool())
            .await
            .unwrap();
    }
}
