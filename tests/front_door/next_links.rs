//! Links to the next page that are relative to their page, that contradict each other, or that
//! lead to another list.

use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use axum::http::header::LINK;
use serde_json::{Value, json};

use crate::support::{Paged, World, record, world_of_documents};

const TICKETS: &str = "/api/tickets/";

fn feed(next: &str, number: usize) -> String {
    format!("<advisories>{next}{}</advisories>", record(number))
}

fn next(list: usize, page: usize) -> String {
    format!("<next>/api/xml-feed/?asset_list_id={list}&amp;page={page}</next>")
}

fn assert_fails(report: &RunReport, part: &str) {
    let error = report.outcome.error().unwrap_or_default();
    assert!(error.contains(part), "{report:?}");
}

#[tokio::test]
async fn a_link_that_is_relative_to_its_page_is_followed() {
    let paged = Paged::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    let page = |id: u8, next: Value| {
        let rows = [json!({"id": id, "title": "T", "modified": "2026-01-02T10:00:00Z"})];
        json!({"count": 2, "next": next, "results": rows}).to_string()
    };
    let both = vec![
        page(1, json!("?page=2&page_size=100")),
        page(2, Value::Null),
    ];
    paged.set(TICKETS, Vec::new());
    paged.shelf().fixed.insert(false, both);
    let report = world.sync_tickets(TicketSync::Now).await.remove(0);
    assert_eq!((report.outcome.error(), report.tally.added), (None, 2));

    let (world, documents) = world_of_documents().await;
    let relative = "<next>?asset_list_id=1&amp;page=2</next>";
    documents.set(1, feed(relative, 1));
    documents.set_page("1", 2, feed("", 2));
    let report = world.pull_one().await;
    assert_eq!((report.outcome.error(), report.tally.added), (None, 2));
}

#[tokio::test]
async fn two_links_that_lead_to_different_pages_fail_the_run() {
    let (world, documents) = world_of_documents().await;
    for page in [2, 3] {
        documents.set_page("1", page, feed("", 10 + page as usize));
    }
    documents.set(1, feed(&format!("{}{}", next(1, 2), next(1, 3)), 1));
    assert_fails(&world.pull_one().await, "two different links");
    documents.set(1, feed(&next(1, 2), 1));
    documents.set_header(
        LINK,
        "</api/xml-feed/?asset_list_id=1&page=3>; rel=\"next\"",
    );
    assert_fails(&world.pull_one().await, "two different links");
    assert_eq!(world.versions().await.len(), 1, "the page itself is stored");
    // The same page in other words.
    documents.set_header(LINK, "<?page=2&asset_list_id=1>; rel=\"next\"");
    let report = world.pull_one().await;
    assert_eq!(report.outcome.error(), None);
    assert_eq!(world.versions().await.len(), 2);
}

#[tokio::test]
async fn a_page_of_tickets_whose_links_differ_is_stored_and_fails_the_run() {
    let (world, documents) = world_of_documents().await;
    let row = json!({"id": 1, "title": "T", "modified": "2026-01-02T10:00:00Z"});
    let body = json!({"count": 3, "next": "/api/tickets/?page=2", "results": [row]});
    documents.set_answer(
        TICKETS,
        200,
        (LINK, "</api/tickets/?page=3>; rel=\"next\""),
        &body,
    );
    let report = world.sync_tickets(TicketSync::Now).await.remove(0);
    assert_fails(&report, "two different links");
    assert_eq!(report.tally.added, 1);
}

#[tokio::test]
async fn a_link_to_the_feed_of_another_list_is_not_followed() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, feed(&next(2, 2), 1));
    documents.set_page("2", 2, feed("", 2));
    assert_fails(&world.pull_one().await, "another feed (asset_list_id=2)");
    assert_eq!(world.versions().await.len(), 1);
}
