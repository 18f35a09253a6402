//! Records that are in no version stay in the database.

use crate::support::{World, world_of_documents};

/// A record of SA1 with one of several titles and always the same dates.
fn record(title: &str) -> String {
    format!(
        "<advisory><advisory_identifier>SA1</advisory_identifier><title>{title}</title>\
         <released>2026-01-01T00:00:00Z</released><modified>2026-01-02T00:00:00Z</modified>\
         <criticality>1</criticality></advisory>"
    )
}

fn feed(titles: &[&str]) -> String {
    let records: String = titles.iter().map(|title| record(title)).collect();
    format!("<advisories>{records}</advisories>")
}

/// Where each title is.
async fn places(world: &World) -> Vec<String> {
    let sql = "select place || ' ' || coalesce(substring(raw from '<title>(.*?)</title>'), raw)
               from (
                   select 'version' as place, raw from advisoryd_v1.advisory_history
                   union all select 'quarantine', raw from advisoryd_v1.quarantine
                   union all select 'conflicting', raw from advisoryd_v1.conflicting_copies
                   union all select 'replaced', raw from advisoryd_v1.replaced_records) as p
               order by 1";
    world.texts(sql).await
}

#[tokio::test]
async fn a_record_that_leaves_quarantine_unparsed_is_kept() {
    let (world, documents) = world_of_documents().await;
    for (titles, expected) in [
        (
            &["A", "B", "C"][..],
            &["quarantine B", "quarantine C", "version A"][..],
        ),
        (&["B", "A"], &["quarantine B", "replaced C", "version A"]),
    ] {
        documents.set(1, feed(titles));
        world.pull_one().await;
        assert_eq!(places(&world).await, expected, "{titles:?}");
    }
    let kept = "select source || ': ' || key || ': ' || (replaced_at >= received_at)
                from advisoryd_v1.replaced_records";
    assert_eq!(world.texts(kept).await, ["watch list 1: SA1: true"]);
}

#[tokio::test]
async fn a_conflicting_copy_of_another_list_is_shown_and_kept_when_it_changes() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1, 2]);
    documents.set(1, feed(&["one"]));
    for (title, expected) in [
        ("two", &["conflicting two", "version one"][..]),
        (
            "three",
            &["conflicting three", "replaced two", "version one"],
        ),
        ("one", &["replaced three", "replaced two", "version one"]),
    ] {
        documents.set(2, feed(&[title]));
        world.pull().await;
        assert_eq!(places(&world).await, expected, "{title}");
    }
}

#[tokio::test]
async fn what_is_kept_is_erased_and_deleted_with_the_rest() {
    let (world, documents) = world_of_documents().await;
    for titles in [&["A", "B", "Ada Lovelace"][..], &["A", "B"], &["A"]] {
        documents.set(1, feed(titles));
        world.pull_one().await;
    }
    let count =
        "select count(*) from advisoryd_v1.replaced_records where raw like '%Ada Lovelace%'";
    assert_eq!(world.count(count).await, 1);
    let erased = world.cli(&["erase", "person", "Ada Lovelace", "--yes"]);
    assert_eq!(erased.code, 0, "{erased}");
    assert_eq!(world.count(count).await, 0);
    let rows = "select count(*) from advisoryd_v1.replaced_records";
    assert_eq!(world.count(rows).await, 2);
    let text = "[retention]\nquarantine = \"1d\"";
    let config = advisoryd::config::Config::from_text("test", text)
        .unwrap_or_else(|error| panic!("{error}"));
    let kept = config.retention;
    let later = world.now() + chrono::TimeDelta::days(2);
    let stop = tokio_util::sync::CancellationToken::new();
    advisoryd::job::trust::retention::maintain(world.pool(), &kept, later, &stop)
        .await
        .unwrap();
    assert_eq!(world.count(rows).await, 0);
}
