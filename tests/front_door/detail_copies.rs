//! Details of one revision that differ: old copies of caches, and servers that disagree.

use advisoryd::job::health::check::check_health;
use axum::http::HeaderName;
use axum::http::header::{AGE, DATE, WARNING};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Documents, World, assert_reads, world_of_documents};

const MODIFIED: &str = "2026-01-02T00:00:00Z";
const LATER: &str = "2026-01-03T00:00:00Z";
const PENDING: &str = "select coalesce(last_error, '-') from advisoryd.wanted_detail";
const FRESH: (HeaderName, &str) = (AGE, "0");

/// A world with one advisory whose details are fetched.
async fn world() -> (World, Documents) {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.details = Some("always");
    documents.set(
        1,
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T1</title>\
             <modified_date>{MODIFIED}</modified_date></advisory></advisories>"
        ),
    );
    set(&documents, (MODIFIED, "one"), FRESH);
    world.pull_one().await;
    world.fetch_details().await;
    assert_eq!(stored(&world).await, at(2, "one"));
    (world, documents)
}

fn set(documents: &Documents, (modified, text): (&str, &str), header: (HeaderName, &str)) {
    let detail = json!({"advisory_identifier": "SA1", "title": "T1", "modified_date": modified,
        "description": text, "products": [{"id": "1", "name": "P"}]});
    documents.set_answer("/api/advisories/SA1/", 200, header, &detail);
}

async fn stored(world: &World) -> (i32, String) {
    sqlx::query_as("select version, description from advisoryd_v1.advisories")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

fn at(version: i32, text: &str) -> (i32, String) {
    (version, text.to_owned())
}

/// Requests the details again, as after a correction by the feed.
async fn fetched(world: &World) -> (i32, String) {
    sqlx::query(
        "insert into advisoryd.wanted_detail (said, wanted_since, reason, next_at)
         values ('SA1', now() - interval '1 hour', 'older', now() - interval '1 hour')
         on conflict (said) do update set next_at = excluded.next_at",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let report = world.fetch_details().await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    stored(world).await
}

#[tokio::test]
async fn an_old_copy_does_not_replace_newer_details() {
    let ago = advisoryd::clock::machine_now() - TimeDelta::hours(10);
    let date = httpdate::fmt_http_date(ago.into());
    let mut all = Vec::new();
    for old in [
        (AGE, "7200"),
        (DATE, date.as_str()),
        (WARNING, "110 cache \"Response is Stale\""),
    ] {
        let (world, documents) = world().await;
        for _ in 0..3 {
            set(&documents, (MODIFIED, "old"), old.clone());
            assert_eq!(fetched(&world).await, at(2, "one"), "{old:?}");
            all.extend(world.texts(PENDING).await);
        }
        // The copy is kept, and the answer of upstream itself counts.
        let kept = "select count(*) from advisoryd.former_detail where raw like '%\"old\"%'";
        assert_eq!(world.count(kept).await, 1);
        set(&documents, (MODIFIED, "two"), FRESH);
        assert_eq!(fetched(&world).await, at(3, "two"), "{old:?}");
        assert_eq!(world.texts(PENDING).await, [""; 0]);
        // A later revision is newer, whoever has kept it.
        set(&documents, (LATER, "three"), old.clone());
        assert_eq!(fetched(&world).await, at(4, "three"), "{old:?}");
    }
    all.dedup();
    assert_reads!(all.join("\n"));
}

const CONDITION: &str = "select key || ': ' || summary from advisoryd_v1.conditions
                         where what = 'content_alternates' and holds";

async fn notified(world: &World) -> Vec<String> {
    check_health(&world.context().await).await.unwrap();
    world.texts(CONDITION).await
}

#[tokio::test]
async fn details_that_servers_send_in_turn_make_versions_a_few_times_only() {
    let (world, documents) = world().await;
    let send = async |modified, text: &str| {
        set(&documents, (modified, text), FRESH);
        fetched(&world).await
    };
    for (sent, version) in [("two", 3), ("one", 4), ("two", 5)] {
        assert_eq!(send(MODIFIED, sent).await, at(version, sent));
    }
    assert_eq!(notified(&world).await, [""; 0]);
    for sent in ["one", "two", "one", "one", "two", "one"] {
        assert_eq!(send(MODIFIED, sent).await, at(5, "two"), "{sent}");
        let notified = notified(&world).await;
        assert!(notified[0].contains("SA1"), "{notified:?}");
        assert_eq!(world.texts(PENDING).await, [""; 0], "{sent}");
    }
    // Nothing else came for days.
    for (days, expected) in [(2, at(5, "two")), (2, at(6, "one"))] {
        let sql =
            "update advisoryd.detail set taken_back_at = taken_back_at - make_interval(days => $1)";
        let days = sqlx::query(sql).bind(days);
        days.execute(world.pool()).await.unwrap();
        assert_eq!(send(MODIFIED, "one").await, expected);
    }
    // What is new is stored as ever.
    assert_eq!(send(MODIFIED, "three").await, at(7, "three"));
    assert_eq!(send(LATER, "one").await, at(8, "one"));
}
