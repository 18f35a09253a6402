//! Messages about what came instead show it: invisible characters, and what upstream says.

use serde_json::json;

use crate::support::{World, assert_reads, record, world_of_documents};

#[tokio::test]
async fn an_invisible_character_in_an_identifier_can_be_seen() {
    let (world, documents) = world_of_documents().await;
    let bad = record(2).replace("SA2", "SA\u{200b}2");
    documents.set(1, format!("<advisories>{}{bad}</advisories>", record(1)));
    let sync = world.cli(&["sync", "feeds"]);
    assert_eq!(sync.code, 1);
    let reasons = "select reason from advisoryd_v1.quarantine";
    let reasons = world.texts(reasons).await;
    assert_reads!(reasons[0]);
}

#[tokio::test]
async fn what_upstream_says_in_place_of_an_answer_is_quoted() {
    let (mut world, documents) = world_of_documents().await;
    let detail = json!({"detail": "Your licence has\nexpired."});
    for path in ["/api/tickets/", "/api/advisories/SA1/"] {
        documents.set_json(path, &detail);
    }
    world.settings.feeds.details = None;
    documents.set(1, format!("<advisories>{}</advisories>", record(1)));
    world.pull_one().await;
    world.fetch_details().await;
    let reasons = world
        .texts("select reason from advisoryd_v1.quarantine")
        .await;
    assert_eq!(
        reasons,
        ["it has no identifier; it says `Your licence has expired.`"]
    );
    let sync = world.cli(&["sync", "tickets"]);
    assert_reads!(sync.stderr);
}

#[tokio::test]
async fn a_directory_in_place_of_a_file_says_what_to_give() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let commands = [
        &["import", "--watch-list", "1", path][..],
        &["inspect", path],
    ];
    let mut said = String::new();
    for files in [&[][..], &["b.xml", "a.xml.gz", "notes.txt"]] {
        for file in files {
            std::fs::write(directory.path().join(file), "<feed/>").unwrap();
        }
        for command in commands {
            let result = world.cli(command);
            assert_eq!(result.code, 1);
            said += &result.to_string().replace(path, "DIR");
        }
    }
    assert_reads!(said);
}
