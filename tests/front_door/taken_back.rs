//! Modification times that upstream takes back, and such in the future.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::trust::verify::verify;
use serde_json::{Value, json};

use crate::support::{Documents, World, assert_reads, world_of_documents};

fn feed(modified: &str, title: &str) -> String {
    format!(
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier>\
         <title>{title}</title><modified_date>{modified}</modified_date></advisory></advisories>"
    )
}

async fn stored(world: &World) -> (i32, String) {
    sqlx::query_as("select version, title from advisoryd_v1.advisories where said = 'SA1'")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

const REASONS: &str = "select reason from advisoryd_v1.quarantine order by id";

async fn problems(world: &World) -> Vec<String> {
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    let about = proof.problems.into_iter().filter(|one| one.about == "SA1");
    about.map(|one| one.says).collect()
}

/// A correction with an earlier time is not lost: it is told at once, and stored when the
/// next complete run receives it again.
#[tokio::test]
async fn an_earlier_time_is_told_and_stored_when_it_is_received_again() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, feed("2026-01-02T00:00:00Z", "mistake"));
    world.pull_one().await;
    documents.set(1, feed("2026-01-01T00:00:00Z", "correction"));
    let report = world.pull_one().await;
    assert_eq!((report.tally.seen, report.tally.quarantined), (0, 1));
    assert_eq!(stored(&world).await, (1, "mistake".to_owned()));
    let reasons = world.texts(REASONS).await;
    assert_eq!(problems(&world).await.len(), 1);
    let result = world.cli(&["show", "SA1"]).to_string();
    let line = result.lines().find(|line| line.contains("earlier than"));
    assert_reads!(reasons[0], line.expect("it is shown"));

    let report = world.pull_one().await;
    assert_eq!(report.tally.changed, 1);
    assert_eq!(stored(&world).await, (2, "correction".to_owned()));
    assert_eq!(world.texts(REASONS).await, [""; 0]);
    assert_eq!(problems(&world).await, [""; 0]);
    let modified = "select modified_at::date::text from advisoryd_v1.advisories";
    assert_eq!(world.texts(modified).await, ["2026-01-01"]);
    let what = "select what from advisoryd_v1.changes where version = 2";
    assert_eq!(world.texts(what).await, ["revised"]);
    // From then on it is as any other.
    let report = world.pull_one().await;
    assert_eq!((report.tally.unchanged, report.tally.changed), (1, 0));
}

#[tokio::test]
async fn a_server_that_is_behind_for_one_answer_makes_no_version() {
    let (world, documents) = world_of_documents().await;
    let (new, old) = (
        feed("2026-01-02T00:00:00Z", "new"),
        feed("2026-01-01T00:00:00Z", "old"),
    );
    documents.set(1, new.clone());
    world.pull_one().await;
    for document in [&old, &new, &old, &new] {
        documents.set(1, document.clone());
        world.pull_one().await;
        assert_eq!(stored(&world).await, (1, "new".to_owned()));
    }
    assert_eq!(world.texts(REASONS).await, [""; 0]);
    // Other content each time is not received again.
    for title in ["older", "oldest"] {
        documents.set(1, feed("2026-01-01T00:00:00Z", title));
        world.pull_one().await;
        assert_eq!(stored(&world).await, (1, "new".to_owned()));
    }
    assert_eq!(world.texts(REASONS).await.len(), 1);
    // A run that fails shows nothing of what comes later.
    documents.set(
        1,
        old.replace("</advisories>", "<more>true</more></advisories>"),
    );
    world.pull_one().await;
    documents.set(1, old.clone());
    world.pull_one().await;
    assert_eq!(stored(&world).await, (1, "new".to_owned()));
    world.pull_one().await;
    assert_eq!(stored(&world).await, (2, "old".to_owned()));
}

#[tokio::test]
async fn importing_an_old_document_takes_nothing_back() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, feed("2026-01-02T00:00:00Z", "new"));
    world.pull_one().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), feed("2026-01-01T00:00:00Z", "old")).unwrap();
    for _ in 0..3 {
        let mut command = world.command(&["import", "--watch-list", "1"]);
        let output = command.arg(file.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(stored(&world).await, (1, "new".to_owned()));
    assert_eq!(world.texts(REASONS).await, [""; 0]);
}

/// The details of SA1 as the JSON API has them.
fn detail(documents: &Documents, modified: &str, title: &str) {
    let detail: Value = json!({
        "advisory_identifier": "SA1", "title": title, "modified_date": modified,
        "description": "d", "solution": "s",
    });
    documents.set_json("/api/advisories/SA1/", &detail);
}

async fn fetch(world: &World) {
    let queue = "insert into advisoryd.wanted_detail (said, wanted_since, reason, next_at)
                 values ('SA1', now(), 'always', now()) on conflict do nothing";
    sqlx::query(queue).execute(world.pool()).await.unwrap();
    let reports = world.fetch_details().await;
    assert_eq!(reports.len(), 1);
}

/// The same for details: neither is an earlier time lost, nor does one in the future stay.
#[tokio::test]
async fn details_take_back_their_time_too() {
    for (wrong, is_at_once) in [
        ("2099-01-01T00:00:00Z", true),
        ("2026-01-03T00:00:00Z", false),
    ] {
        let (mut world, documents) = world_of_documents().await;
        world.settings.feeds.details = None;
        documents.set(1, feed("2026-01-01T00:00:00Z", "record"));
        world.pull_one().await;
        detail(&documents, wrong, "mistake");
        fetch(&world).await;
        let title = if is_at_once { "record" } else { "mistake" };
        assert_eq!(stored(&world).await.1, title, "{wrong}");
        detail(&documents, "2026-01-02T00:00:00Z", "correction");
        fetch(&world).await;
        if !is_at_once {
            assert_eq!(
                stored(&world).await.1,
                "mistake",
                "it may be a server that is behind"
            );
            fetch(&world).await;
        }
        assert_eq!(stored(&world).await.1, "correction", "{wrong}");
    }
}

/// A record in the future does not hide newer details, nor does it keep them from being
/// requested.
#[tokio::test]
async fn a_record_in_the_future_does_not_win_over_details() {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.details = None;
    documents.set(1, feed("2099-01-01T00:00:00Z", "record"));
    world.pull_one().await;
    detail(&documents, "2026-01-02T00:00:00Z", "detail");
    assert_eq!(world.fetch_details().await.len(), 1);
    assert_eq!(stored(&world).await.1, "detail");
    assert!(
        world.fetch_details().await.is_empty(),
        "nothing newer is waited for"
    );
    world.pull_back(LookBack::Full).await;
    assert_eq!(stored(&world).await.1, "detail");
}
