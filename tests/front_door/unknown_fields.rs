//! Fields that upstream sends and no column is read from: stored, and told once.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use serde_json::{Value, json};

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
    let status = world.cli(&["status"]).stdout;
    let line = status
        .lines()
        .find(|line| line.starts_with("unknown fields"));
    insta::assert_snapshot!(line.unwrap());
    let status: Value = world.cli(&["status", "--json"]).json();
    assert_eq!(status["unknown_fields"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn keys_beside_the_rows_of_the_revision_scan_are_listed() {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.sweep = None;
    documents.set(1, feed(""));
    pull(&world).await;
    let at = world.now() - chrono::TimeDelta::hours(1);
    let row = json!({"advisory_identifier": "SA1", "modified_date": at.to_rfc3339()});
    let page = json!({"count": 1, "next": null, "colour": "red", "results": [row]});
    documents.set_json("/api/advisories/", &page);
    scan_revisions(&world.context().await).await.unwrap();
    assert_eq!(
        world.texts(FIELDS).await,
        ["sweep | envelope/colour | \"red\""]
    );
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

/// Names that a column is read from elsewhere, and names that upstream documents.
#[tokio::test]
async fn texts_under_known_names_within_others_are_kept_and_change() {
    let (world, documents) = world_of_documents().await;
    let with = |workaround: &str, solution: &str| {
        feed(&format!(
            "<workaround><description>{workaround}</description></workaround>\
             <content><title>Real</title></content><extended_solution>{solution}</extended_solution>"
        ))
    };
    documents.set(1, with("Disable the service", "More"));
    pull(&world).await;
    let kept = "select unrecognised ->> 'advisory/workaround/description'
                       || ' | ' || (unrecognised ->> 'advisory/content/title')
                       || ' | ' || (unrecognised ->> 'advisory/extended_solution')
                from advisoryd_v1.advisories";
    assert_eq!(
        world.texts(kept).await,
        ["Disable the service | Real | More"]
    );
    // What upstream documents is no news.
    let new = [
        "watch list 1 | advisory/content/title | Real",
        "watch list 1 | advisory/workaround/description | Disable the service",
    ];
    assert_eq!(world.texts(FIELDS).await, new);

    documents.set(1, with("None, and exploited", "Less"));
    pull(&world).await;
    assert_eq!(
        world.texts(kept).await,
        ["None, and exploited | Real | Less"]
    );
    // It is in no column, so that it makes no version.
    let versions = "select version::text from advisoryd_v1.advisories";
    assert_eq!(world.texts(versions).await, ["1"]);
    assert_eq!(world.texts(FIELDS).await, new);
}

/// Signs, other names of products, and names that contradict an id.
#[tokio::test]
async fn values_that_no_column_can_hold_are_kept_by_their_path() {
    let (world, documents) = world_of_documents().await;
    documents.set(
        1,
        feed(
            "<where>-1</where><impact><item><id>1</id><name>Remote code execution</name></item></impact>\
             <products><product><name>A</name><title>B</title><is_os>perhaps</is_os>\
             <cpes><cpe>pkg:npm/left-pad@1.0</cpe><cpe>CPE:2.3:a:x:y:1</cpe><cpe>cpe:/a:x:y, o:z</cpe></cpes>\
             </product></products><references><reference id='r7'><url>https://example.com/</url>\
             <description>D</description><title>T</title></reference></references>",
        ),
    );
    pull(&world).await;
    let columns = "select attack_vector || ' | ' || array_to_string(impacts, ',')
                          || ' | ' || (select array_to_string(p.cpes, ' ')
                                       from advisoryd_v1.advisory_products p where p.said = a.said)
                   from advisoryd_v1.advisories a";
    assert_eq!(
        world.texts(columns).await,
        ["unknown | System access | CPE:2.3:a:x:y:1 cpe:/a:x:y"]
    );
    let kept = "select key || ': ' || value
                from advisoryd_v1.advisories, jsonb_each_text(unrecognised) order by key collate \"C\"";
    assert_eq!(
        world.texts(kept).await,
        [
            "advisory/impact/item/name: Remote code execution",
            "advisory/products/product/cpes/cpe: pkg:npm/left-pad@1.0; cpe:/a:x:y, o:z",
            "advisory/products/product/is_os: perhaps",
            "advisory/products/product/title: B",
            "advisory/references/reference/@id: r7",
            "advisory/references/reference/title: T",
            "attack_vector: -1",
        ]
    );
}
