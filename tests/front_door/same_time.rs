//! Contents with the same modification time: imported ones, and such that servers of upstream
//! send in turn. Which of them is newer, the time does not tell.

use advisoryd::job::health::check;

use crate::support::{Documents, World, world_of_documents};

const MODIFIED: &str = "2026-01-02T00:00:00Z";

fn feed_of(modified: &str, title: &str) -> String {
    format!(
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier>\
         <title>{title}</title><modified_date>{modified}</modified_date></advisory></advisories>"
    )
}

fn feed(title: &str) -> String {
    feed_of(MODIFIED, title)
}

async fn stored(world: &World) -> (i32, String) {
    sqlx::query_as("select version, title from advisoryd_v1.advisories where said = 'SA1'")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

async fn pulled(world: &World, documents: &Documents, document: String) -> (i32, String) {
    documents.set(1, document);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    stored(world).await
}

async fn imported(world: &World, title: &str) -> (i32, String) {
    let file = world.dir().join("saved.xml");
    std::fs::write(&file, feed(title)).unwrap();
    let file = file.to_str().unwrap();
    let notified = world.cli(&["import", file, "--watch-list", "1"]);
    assert_eq!(notified.code, 0, "{notified}");
    stored(world).await
}

fn at(version: i32, title: &str) -> (i32, String) {
    (version, title.to_owned())
}

const COPIES: &str = "select substring(raw from '<title>(.*)</title>')
                      from advisoryd_v1.conflicting_copies";
const REPLACED: &str = "select substring(raw from '<title>(.*)</title>')
                        from advisoryd_v1.replaced_records";

#[tokio::test]
async fn an_import_corrects_nothing_that_upstream_sent_with_the_same_time() {
    let (world, documents) = world_of_documents().await;
    pulled(&world, &documents, feed("live")).await;
    for _ in 0..2 {
        assert_eq!(imported(&world, "saved").await, at(1, "live"));
        assert_eq!(world.texts(COPIES).await, ["saved"]);
    }
    // Upstream still has it: the file was older. It is kept all the same.
    assert_eq!(
        pulled(&world, &documents, feed("live")).await,
        at(1, "live")
    );
    assert_eq!(world.texts(COPIES).await, [""; 0]);
    assert_eq!(world.texts(REPLACED).await, ["saved"]);
    // Upstream has what the file has: the file was newer.
    assert_eq!(imported(&world, "newer").await, at(1, "live"));
    assert_eq!(
        pulled(&world, &documents, feed("newer")).await,
        at(2, "newer")
    );
    assert_eq!(world.texts(COPIES).await, [""; 0]);
}

#[tokio::test]
async fn what_was_imported_and_then_sent_is_upstreams() {
    let (world, documents) = world_of_documents().await;
    let file = world.dir().join("first.xml");
    std::fs::write(&file, feed("first")).unwrap();
    world.cli(&["import", file.to_str().unwrap(), "--watch-list", "1"]);
    // Where nothing but files comes, the one that is imported later counts.
    assert_eq!(imported(&world, "second").await, at(2, "second"));
    assert_eq!(
        pulled(&world, &documents, feed("second")).await,
        at(2, "second")
    );
    assert_eq!(imported(&world, "third").await, at(2, "second"));
    assert_eq!(world.texts(COPIES).await, ["third"]);
}

const CONDITION: &str = "select summary from advisoryd_v1.conditions
                         where what = 'content_alternates' and holds";

async fn notified(world: &World) -> Vec<String> {
    check::check_health(&world.context().await).await.unwrap();
    world.texts(CONDITION).await
}

#[tokio::test]
async fn servers_that_disagree_make_versions_a_few_times_only() {
    let (world, documents) = world_of_documents().await;
    let send = async |title: &str| pulled(&world, &documents, feed(title)).await;
    for (sent, expected) in [
        ("one", at(1, "one")),
        ("other", at(2, "other")),
        // The vendor may take it back, and change his mind.
        ("one", at(3, "one")),
        ("other", at(4, "other")),
    ] {
        assert_eq!(send(sent).await, expected);
    }
    assert_eq!(notified(&world).await, [""; 0]);
    let changes = "select count(*) from advisoryd_v1.changes";
    let before = world.count(changes).await;
    for sent in ["one", "other", "one", "one", "other", "one"] {
        assert_eq!(send(sent).await, at(4, "other"), "{sent}");
        let summary = notified(&world).await;
        assert!(
            summary[0].starts_with("for 1 advisory, for example SA1,"),
            "{summary:?}"
        );
    }
    assert_eq!(world.count(changes).await, before);
    assert_eq!(world.texts(COPIES).await, [""; 0], "a version has it");
    let verified = world.cli(&["verify"]);
    assert!(!verified.to_string().contains("SA1"), "{verified}");
    // What is new is stored as ever.
    assert_eq!(send("third").await, at(5, "third"));
    assert_eq!(send("one").await, at(5, "third"));
    let later = feed_of("2026-01-03T00:00:00Z", "one");
    assert_eq!(pulled(&world, &documents, later).await, at(6, "one"));
}

#[tokio::test]
async fn what_alone_is_sent_for_days_becomes_a_version() {
    let (world, documents) = world_of_documents().await;
    let send = async |title: &str| pulled(&world, &documents, feed(title)).await;
    for sent in ["one", "other", "one", "other", "one"] {
        send(sent).await;
    }
    let days_ago = async |days: i32| {
        sqlx::query("update advisoryd.sighting set taken_back_at = taken_back_at - make_interval(days => $1)")
            .bind(days)
            .execute(world.pool())
            .await
            .unwrap();
    };
    days_ago(2).await;
    assert_eq!(send("one").await, at(4, "other"));
    send("other").await;
    days_ago(4).await;
    assert_eq!(send("one").await, at(4, "other"), "it was not alone");
    days_ago(4).await;
    assert_eq!(send("one").await, at(5, "one"));
}
