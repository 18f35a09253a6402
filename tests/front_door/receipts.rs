//! What is received and not stored: `show`, `explain`, `advisories`, `verify` and `sync`
//! know quarantine, the fetch queue, and how far each source was read.

use std::collections::BTreeSet;

use advisoryd::simulate::SimulatorOptions;
use serde_json::Value;

use crate::support::settings::Rule;
use crate::support::{CommandResult, Documents, World, assert_reads, small, without};

const KEPT: &str = "select count(*) from advisoryd_v1.quarantine";

/// A record of SA1, as a feed has it.
fn record(title: &str, day: u32) -> String {
    format!(
        "<advisory><advisory_identifier>SA1</advisory_identifier><title>{title}</title><modified_date>2026-03-{day:02}T10:00:00Z</modified_date></advisory>"
    )
}

/// A whole feed.
fn feed(records: &[String]) -> String {
    format!("<advisories>{}</advisories>", records.concat())
}

/// A record that nobody can attribute to an advisory.
fn nameless() -> String {
    "<advisory><title>nameless</title><serial>7</serial><description>text</description></advisory>"
        .to_owned()
}

/// Two lists; list 1 sends SA1 twice, and both are as new: one of them is quarantined.
async fn contradicted() -> (World, Documents) {
    let documents = Documents::serve().await;
    documents.set(1, feed(&[record("one", 3), record("other", 3)]));
    documents.set(2, feed(&[record("one", 3)]));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.settings.tickets.enabled = Some(false);
    world.lists = Some(vec![1, 2]);
    (world, documents)
}

/// What `verify` says about records in quarantine.
fn unreplaced(world: &World) -> Vec<String> {
    let result = world.cli(&["verify", "--json"]);
    let problems = result.json()["problems"].clone();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let found = problems.as_array().cloned().unwrap_or_default();
    let found: Vec<String> = found
        .iter()
        .filter(|one| text(one, "says").contains("in quarantine since"))
        .map(|one| text(one, "about"))
        .collect();
    assert_eq!(
        result.code,
        i32::from(result.json()["proven"] == false),
        "{result:?}"
    );
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_fails_once_for_what_is_new_in_quarantine() {
    let (world, documents) = contradicted().await;
    let first = world.cli(&["sync"]);
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(world.count(KEPT).await, 1);
    let again = world.cli(&["sync"]);
    assert_eq!(again.code, 0, "the same record is no news: {again:?}");
    documents.set(2, feed(&[record("one", 3), nameless()]));
    let second = world.cli(&["sync", "--json"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert_reads!(first, second.without_data());
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_fails_until_a_later_version_replaces_what_is_in_quarantine() {
    let (mut world, documents) = contradicted().await;
    world.cli(&["sync"]);
    assert_eq!(unreplaced(&world), ["SA1"]);
    let page = world.cli(&["verify"]);
    assert_eq!(page.code, 1);
    assert_reads!(page);

    documents.set(2, feed(&[record("later", 4)]));
    world.lists = Some(vec![2]);
    world.pull().await;
    assert_eq!(world.count(KEPT).await, 1, "list 1 was not asked again");
    assert!(unreplaced(&world).is_empty());

    documents.set(2, feed(&[record("later", 4), nameless()]));
    world.pull().await;
    assert_eq!(unreplaced(&world), ["watch list 2"], "nothing replaces it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_quarantine_is_told_beside_what_is_stored() {
    let (mut world, documents) = contradicted().await;
    documents.set(2, feed(&[record("one", 3), nameless()]));
    world.settings.alerts.rules = vec![Rule {
        sinks: &[],
        ..Rule::to_hook("all", &["appeared"])
    }];
    world.cli(&["sync"]);
    let shown = world.cli(&["show", "SA1"]);
    let document = world.cli(&["show", "SA1", "--json"]).json();
    assert_eq!(document["quarantined"][0]["source"], "watch list 1");
    assert_eq!(document["pending_details"], Value::Null);

    let explained = world.cli(&["explain", "SA1"]);
    let answers = world.cli(&["explain", "SA1", "--json"]).json_lines();
    let answers: BTreeSet<&str> = answers
        .iter()
        .filter_map(|one| one["answer"].as_str())
        .collect();
    assert!(answers.contains("quarantined"), "{answers:?}");

    let listed = world.cli(&["advisories"]);
    let line = world.cli(&["advisories", "--json"]).json();
    assert!(line["quarantined_since"].is_string(), "{line}");
    assert_reads!(shown, explained, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_received_says_how_far_each_list_was_read() {
    let (mut world, _documents) = contradicted().await;
    world.settings.alerts.rules = vec![Rule {
        sinks: &[],
        ..Rule::to_hook("all", &["appeared"])
    }];
    world.lists = Some(vec![1, 3]);
    world.cli(&["sync"]);
    let shown = world.cli(&["show", "SA9"]);
    assert_eq!(shown.code, 1, "{shown:?}");
    let explained = world.cli(&["explain", "SA9"]);
    let ticket = world.cli(&["show", "77"]);
    assert_eq!(ticket.code, 1, "{ticket:?}");
    assert_reads!(shown, explained, ticket);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_fetch_queue_says_when_it_is_due() {
    let mut world = World::with(small()).await;
    world.source = "json";
    world.settings.alerts.rules = vec![Rule {
        sinks: &[],
        ..Rule::to_hook("all", &["appeared"])
    }];
    world.pull_one().await;
    world.alert().await;
    let said: String = sqlx::query_scalar("select min(said) from advisoryd.wanted_detail")
        .fetch_one(world.pool())
        .await
        .unwrap();
    let plain = |result: CommandResult| result.to_string().replace(&said, "[said]");
    let shown = world.cli(&["show", &said]);
    assert_eq!(shown.code, 1, "{shown:?}");
    let explained = world.cli(&["explain", &said]);
    let answers = world.cli(&["explain", &said, "--json"]).json();
    assert_eq!(answers["answer"], "pending", "{answers}");
    let listed = world.cli(&["advisories"]);
    assert!(listed.stderr.contains("not listed"), "{listed:?}");
    // The newest is of this very second, which the window holds or not.
    let listed = without(&listed, r"\d+ advisories whose", "[n] advisories whose");
    assert_reads!(plain(shown), plain(explained), listed);

    world.fetch_details().await;
    let shown = world.cli(&["show", &said]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(!shown.stdout.contains("queued to be fetched"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_as_json_and_is_in_no_followed_list_says_so() {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(vec![1]);
    world.source = "json";
    world.pull_one().await;
    world.fetch_details().await;
    let followed = world.simulator.saids(1);
    let mut others = world.simulator.saids(2).into_iter();
    let said = others.find(|said| !followed.contains(said)).unwrap();
    let shown = world.cli(&["show", &said]);
    assert_eq!(shown.code, 1, "{shown:?}");
    assert_reads!(shown.to_string().replace(&said, "[said]"));
}
