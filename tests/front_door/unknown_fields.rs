//! Fields that upstream sends and no column is read from: stored, and told once.

use advisoryd::job::feeds::feed::LookBack;
use serde_json::Value;

use crate::support::{World, world_of_documents};

const FIELDS: &str = "select source || ' | ' || name || ' | ' || sample
                      from advisoryd_v1.unknown_fields order by source, name";
const UNRECOGNISED: &str =
    "select unrecognised::text from advisoryd_v1.advisories where said = 'SA1'";

fn feed(more: &str) -> String {
    format!(
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T1</title>{more}\
         </advisory></advisories>"
    )
}

async fn pull(world: &World) {
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
}

#[tokio::test]
async fn what_no_column_is_read_from_is_listed_once_per_source() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1, 2]);
    documents.set(1, feed("<colour shade=\"dark\">red</colour>"));
    documents.set(2, feed(""));
    pull(&world).await;
    let first = [
        "watch list 1 | advisory/colour | red",
        "watch list 1 | advisory/colour/@shade | dark",
    ];
    assert_eq!(world.texts(FIELDS).await, first);
    let stored = world.texts(UNRECOGNISED).await;
    assert!(
        stored[0].contains("\"advisory/colour\": \"red\""),
        "{stored:?}"
    );

    // Another value of a known name is not another field.
    documents.set(
        1,
        feed("<colour shade=\"dark\">blue</colour><grade>A</grade>"),
    );
    documents.set(2, feed("<colour>green</colour>"));
    pull(&world).await;
    let all = world.texts(FIELDS).await;
    assert_eq!(all[..2], first);
    assert_eq!(
        all[2..],
        [
            "watch list 1 | advisory/grade | A",
            "watch list 2 | advisory/colour | green",
        ]
    );
    let status = world.told(&["status"]).stdout;
    let line = status
        .lines()
        .find(|line| line.starts_with("unknown fields"));
    insta::assert_snapshot!(line.unwrap());
    let status: Value = world.told(&["status", "--json"]).json();
    assert_eq!(status["unknown_fields"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn names_that_never_repeat_do_not_fill_the_table() {
    let (world, documents) = world_of_documents().await;
    for round in 0..3 {
        let record = |number: usize| {
            format!(
                "<advisory><advisory_identifier>SA{number}</advisory_identifier>\
                 <title>T</title><field{number}>x</field{number}></advisory>"
            )
        };
        let numbers = round * 600..(round + 1) * 600;
        let records: Vec<String> = numbers.map(record).collect();
        let records = records.concat();
        documents.set(1, format!("<advisories>{records}</advisories>"));
        pull(&world).await;
    }
    let stored = world
        .count("select count(*) from advisoryd_v1.unknown_fields")
        .await;
    assert_eq!(stored, 1000);
}
