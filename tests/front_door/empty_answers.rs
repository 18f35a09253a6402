//! A JSON API that lists nothing, although there are advisories.

#![expect(
    clippy::disallowed_methods,
    reason = "the upstream of these tests goes by the real time"
)]

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::trust::verify::verify;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Documents, World, assert_reads, world_of_documents};

const API: &str = "/api/advisories/";
const LOGIN: &str = "<!DOCTYPE html><html><body>Log in</body></html>";

fn record(number: usize, modified: DateTime<Utc>) -> String {
    let modified = modified.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
         <modified_date>{modified}</modified_date></advisory>"
    )
}

fn feed(records: &[String], more: &str) -> String {
    format!("<advisories>{}{more}</advisories>", records.concat())
}

fn days_ago(days: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(days)
}

fn nothing() -> Value {
    json!({"count": 0, "next": null, "results": []})
}

/// A list with a readable feed of three advisories, and an API that lists none.
async fn world() -> (World, Documents) {
    let (mut world, documents) = world_of_documents().await;
    world.source = "auto";
    world.settings.tickets.enabled = Some(false);
    let records: Vec<String> = (1..=3).map(|number| record(number, days_ago(10))).collect();
    documents.set(1, feed(&records, ""));
    documents.set_json(API, &nothing());
    documents.set_json("/api/asset-lists/1/", &json!({"id": 1}));
    (world, documents)
}

fn error(report: &RunReport) -> &str {
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    report.outcome.error().unwrap()
}

#[tokio::test]
async fn an_empty_api_does_not_replace_a_feed_and_the_feed_is_asked_at_the_next_tick() {
    let (world, documents) = world().await;
    let first = world.pull_one().await;
    assert_eq!(first.outcome.name(), "ok", "{first:?}");
    documents.set(1, LOGIN);
    let failed = world.pull_one().await;
    assert!(error(&failed).contains("page"), "{failed:?}");
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "what was covered before stays: {proof:?}");
    let covered = "select count(*) from advisoryd.sync_run where outcome = 'ok'";
    assert_eq!(world.count(covered).await, 1);

    let records = [record(4, days_ago(0) - TimeDelta::minutes(5))];
    documents.set(1, feed(&records, ""));
    let back = world.pull_one().await;
    assert_eq!((back.mode.name(), back.outcome.name()), ("window", "ok"));
    assert_eq!(back.tally.added, 1);
}

#[tokio::test]
async fn an_empty_api_does_not_replace_further_pages_of_a_feed() {
    let (world, documents) = world().await;
    let records = [record(1, days_ago(10))];
    let next = "<next>/api/xml-feed/?asset_list_id=1&amp;page=2</next>";
    documents.set(1, feed(&records, next));
    documents.set_page("1", 2, LOGIN);
    let failed = world.pull_one().await;
    error(&failed);
    assert_eq!(world.versions().await.len(), 1);
    let covered = "select count(*) from advisoryd.source where not isempty(covered)";
    assert_eq!(world.count(covered).await, 0);
}

#[tokio::test]
async fn an_api_without_any_advisory_is_no_answer_on_a_fresh_installation() {
    let (mut world, documents) = world().await;
    documents.set(1, LOGIN);
    let report = world.pull_one().await;
    assert_eq!(report.mode.name(), "json", "the API was asked");
    error(&report);
    world.source = "json";
    let report = world.pull_one().await;
    assert_reads!(error(&report));
}

#[tokio::test]
async fn full_pulls_and_revision_scans_do_not_believe_an_empty_api_either() {
    let (mut world, _documents) = world().await;
    world.settings.feeds.sweep = None;
    world.pull().await;
    world.source = "json";
    let report = world.pull_back(LookBack::Full).await.remove(0);
    error(&report);
    let revisions = match scan_revisions(&world.context().await).await.unwrap() {
        Some(Ran::Ended(report)) => report,
        other => panic!("{other:?}"),
    };
    error(&revisions);
}

/// Feeds and the API can name different times.
#[tokio::test]
async fn an_advisory_that_the_api_dates_outside_of_the_window_is_no_contradiction() {
    let paged = crate::support::Paged::serve().await;
    let (mut world, _documents) = world().await;
    world.pull().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    world.source = "json";
    paged.shelf().finds_one = true;
    paged.shelf().cap = 100;
    let row = |said: &str, day: &str| json!({"advisory_identifier": said, "title": said, "modified_date": format!("{day}T00:00:00Z")});
    let rows = (1..=3).map(|number| row(&format!("SA{number}"), "2019-01-02"));
    paged.set(API, rows.collect());
    paged.set("/api/asset-lists/", vec![json!({"id": 1})]);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    // The same in the window: the list lacks it.
    let modified = days_ago(10).format("%Y-%m-%d").to_string();
    let mut unlisted = row("SA3", &modified);
    unlisted["_at"] = json!(0);
    paged.set(API, vec![row("SA8", "2019-01-02"), unlisted]);
    world.later(TimeDelta::minutes(5));
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_reads!(error(&report));
}
