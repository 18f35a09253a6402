//! Documents and pages that say in any words that they are not all, or not what was asked for.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::{Value, json};

use crate::support::{Documents, World, assert_reads, record, world_of_documents};

const UNKNOWN: &str = "select name from advisoryd_v1.unknown_fields
                       where name like 'envelope/%' order by name";

/// A page of three tickets, with this beside its rows.
fn page(more: &Value) -> Value {
    let rows = (1..=3).map(|id| {
        json!({"id": id, "title": "t", "status": 1, "queue": 1, "modified": "2026-11-01T00:00:00Z"})
    });
    let rows: Vec<Value> = rows.collect();
    let mut page = json!({"count": 3, "next": null, "previous": null, "results": rows});
    for (name, value) in more.as_object().unwrap() {
        page[name] = value.clone();
    }
    page
}

async fn scan(world: &World) -> Option<String> {
    let ask = TicketSync::Full {
        accept_removals: false,
    };
    world.sync_tickets(ask).await[0]
        .outcome
        .error()
        .map(str::to_owned)
}

#[tokio::test]
async fn a_page_that_says_that_rows_are_missing_fails_the_run_and_is_stored() {
    let (world, documents) = world_of_documents().await;
    for more in [
        json!({"incomplete_results": true}),
        json!({"timed_out": true}),
        json!({"results_clipped": true}),
        json!({"has_more_rows": true}),
        json!({"from_stale_index": true}),
        json!({"_shards": {"total": 5, "successful": 3, "failed": 2}}),
        json!({"warning": "Results limited to 3 rows by your licence"}),
        json!({"warnings": ["shard 2 timed out"]}),
        json!({"detail": "Only the first 3 rows are shown"}),
        json!({"message": "More rows exist"}),
        json!({"meta": {"pagination": {"total": 5}}}),
        json!({"rows_matched": 5}),
        json!({"skipped_rows": 2}),
        json!({"archived": [{"id": 4, "title": "t", "status": 1, "queue": 1}]}),
        json!({"all_rows_sent": false}),
    ] {
        documents.set_json("/api/tickets/", &page(&more));
        let error = scan(&world).await;
        assert!(
            error.as_ref().is_some_and(|error| {
                error.contains("not complete") || error.contains("reports an error")
            }),
            "{more}: {error:?}"
        );
        assert_eq!(
            world
                .count("select count(*) from advisoryd_v1.tickets")
                .await,
            3
        );
    }
}

#[tokio::test]
async fn a_page_with_other_keys_is_complete_and_its_new_keys_are_told() {
    let (world, documents) = world_of_documents().await;
    let more = json!({
        "success": true, "message": "OK", "took": 15, "page_size": 100, "size": 20,
        "total": 3, "pages": 1, "warnings": [], "timed_out": false,
        "_shards": {"total": 5, "successful": 5, "failed": 0},
        "rate_limit": {"remaining": 240, "limit": 250},
        "facets": {"status": [{"id": 1, "name": "Open", "count": 3}]},
        "links": {"self": "/api/tickets/", "next": null}, "colour": "blue",
        "is_premium": true, "no_rows_omitted": true,
    });
    documents.set_json("/api/tickets/", &page(&more));
    assert_eq!(scan(&world).await, None);
    let unknown = world.texts(UNKNOWN).await;
    for name in [
        "envelope/colour",
        "envelope/took",
        "envelope/facets",
        "envelope/is_premium",
    ] {
        assert!(unknown.iter().any(|one| one == name), "{name}: {unknown:?}");
    }
    assert!(
        !unknown.iter().any(|one| one == "envelope/links"),
        "{unknown:?}"
    );
}

async fn pull(world: &World, documents: &Documents, list: i64, document: &str) -> Option<String> {
    documents.set(list, document);
    let report = world.pull_back(LookBack::Full).await.remove(0);
    report.outcome.error().map(str::to_owned)
}

fn feed(attributes: &str, before: &str, behind: &str) -> String {
    let records = record(1) + &record(2);
    format!("<advisories{attributes}>{before}{records}{behind}</advisories>")
}

#[tokio::test]
async fn a_feed_that_says_that_records_are_missing_fails_the_run() {
    let (world, documents) = world_of_documents().await;
    for (attributes, before, behind) in [
        (" timed_out=\"true\"", "", ""),
        (" incomplete_results=\"true\"", "", ""),
        (" skipped=\"3\"", "", ""),
        (" matches=\"5\"", "", ""),
        (" size=\"5\"", "", ""),
        (" all_sent=\"false\"", "", ""),
        ("", "<found>5</found>", ""),
        ("", "<results_clipped>true</results_clipped>", ""),
        ("", "<warning>Results limited by your licence</warning>", ""),
        (
            "",
            "<warnings><warning code=\"17\">shard 2 is slow</warning></warnings>",
            "",
        ),
        ("", "", "<note>Output stopped after 2 advisories</note>"),
        (
            "",
            "",
            "<summary><advisories_found>5</advisories_found></summary>",
        ),
    ] {
        let error = pull(&world, &documents, 1, &feed(attributes, before, behind)).await;
        assert!(error.is_some(), "{attributes} {before} {behind}");
    }
    assert_eq!(world.versions().await.len(), 2, "the records are stored");
}

#[tokio::test]
async fn a_feed_with_other_words_is_complete_and_they_are_told_once() {
    let (world, documents) = world_of_documents().await;
    let document = feed(
        " version=\"3\" premium=\"true\" generator=\"SVR\" size=\"2\" days=\"365\" valid=\"true\"",
        "<note>For licensed users only. Errors and omissions excepted.</note>",
        "<footer records=\"2\"/>",
    );
    assert_eq!(pull(&world, &documents, 1, &document).await, None);
    let unknown = world.texts(UNKNOWN).await;
    assert!(
        unknown.iter().any(|one| one == "envelope/@generator"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_feed_of_another_list_is_not_believed() {
    let (world, documents) = world_of_documents().await;
    let mut errors = Vec::new();
    for (attributes, before, behind) in [
        (" asset_list_id=\"2\"", "", ""),
        (" watch_list_id=\"2\"", "", ""),
        (" listId=\"2\"", "", ""),
        ("", "<asset_list_id>2</asset_list_id>", ""),
        ("", "", "<meta><list_id>2</list_id></meta>"),
        ("", "<watch_list id=\"2\" name=\"L2\"/>", ""),
    ] {
        let error = pull(&world, &documents, 1, &feed(attributes, before, behind)).await;
        errors.push(error.unwrap_or_default());
    }
    assert_reads!(errors.join("\n"));
    assert!(world.versions().await.is_empty(), "nothing is stored");
    let own = feed(" asset_list_id=\"1\"", "<list_id>1</list_id>", "");
    assert_eq!(pull(&world, &documents, 1, &own).await, None);
}
