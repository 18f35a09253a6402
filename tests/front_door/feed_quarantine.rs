//! A record that cannot be understood harms no other, and is not lost.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule};

use crate::support::{Documents, World, assert_reads};

const KEPT: &str = "select count(*) from advisoryd_v1.quarantine";

/// A world whose feed has one damaged record in the middle, pulled once; the
/// reason and the raw text that were kept.
async fn with_one(damage: Damage) -> (World, String, String) {
    let world = World::new().await;
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Damaged(damage)));
    let report = world.pull_one().await;
    assert_eq!(
        report.outcome.name(),
        "ok",
        "{damage:?}: {:?}",
        report.outcome
    );
    assert_eq!(report.tally.quarantined, 1, "{damage:?}");
    let others = world.simulator.saids(1).len() as u64 - 1;
    assert_eq!(
        report.tally.added, others,
        "{damage:?}: all others are stored"
    );
    let kept = "select reason, raw from advisoryd_v1.quarantine where source = 'watch list 1'";
    let (reason, raw) = sqlx::query_as(kept).fetch_one(world.pool()).await.unwrap();
    (world, reason, raw)
}

#[tokio::test]
async fn a_record_without_identifier_stops_no_other() {
    let (_, reason, raw) = with_one(Damage::OneBadRecord).await;
    assert_reads!(reason);
    assert!(raw.starts_with("<advisory>") && raw.ends_with("</advisory>"));
}

#[tokio::test]
async fn a_record_nested_too_deep_spoils_only_itself() {
    let (_, reason, raw) = with_one(Damage::TooDeep).await;
    assert_reads!(reason);
    assert!(raw.len() > 700_000, "kept whole");
}

#[tokio::test]
async fn repeated_pulls_do_not_pile_up_what_is_broken() {
    let (world, ..) = with_one(Damage::TooDeep).await;
    let again = FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)).times(3);
    world.simulator.inject(again);
    for _ in 0..3 {
        let report = world.pull_back(LookBack::Full).await.remove(0);
        assert_eq!(report.tally.quarantined, 1, "it is told each time");
    }
    assert_eq!(world.count(KEPT).await, 1);
}

#[tokio::test]
async fn a_record_that_later_reads_well_leaves_by_itself() {
    let (world, ..) = with_one(Damage::TooDeep).await;
    let keyed = "select count(*) from advisoryd_v1.quarantine where key like 'SA%'";
    assert_eq!(world.count(keyed).await, 1, "its identifier is known");
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(report.tally.added, 1);
    assert_eq!(world.count(KEPT).await, 0);
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_good_version_that_turns_bad_stays_beside_its_broken_successor() {
    let world = World::new().await;
    world.pull_one().await;
    let bad = FaultRule::new(AnswerFault::Damaged(Damage::TooDeep));
    world.simulator.inject(bad);
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!((report.outcome.name(), report.tally.quarantined), ("ok", 1));
    assert_eq!(world.count(KEPT).await, 1);
    world.assert_all_is_stored().await;
    world.pull_back(LookBack::Full).await;
    assert_eq!(world.count(KEPT).await, 0, "the good bytes are back");
}

#[tokio::test]
async fn what_an_alias_explains_leaves_quarantine() {
    let documents = Documents::serve().await;
    documents.set(
        1,
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T1</title></advisory>\
         <advisory><serial>SA2</serial><title>odd</title></advisory></advisories>",
    );
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    assert_eq!(world.pull_one().await.tally.quarantined, 1);
    world.settings.feeds.aliases.insert("said", ["serial"]);
    assert_eq!(world.pull_one().await.tally.added, 1);
    assert_eq!(world.count(KEPT).await, 0);
}

/// A record without an identifier of its own that may be SA3.
#[tokio::test]
async fn a_record_that_may_be_an_advisory_is_shown_with_it_and_not_replaced_by_its_details() {
    let (mut world, documents) = crate::support::world_of_documents().await;
    world.settings.feeds.details = Some("auto");
    let records = "<advisory><number>SA3</number><title>T3</title></advisory>\
        <advisory><advisory_identifier>SA\u{b}4</advisory_identifier><title>T4</title></advisory>";
    let one = crate::support::record(1);
    documents.set(1, format!("<advisories>{one}{records}</advisories>"));
    world.cli(&["sync", "feeds"]);
    for said in ["SA3", "SA4"] {
        let shown = world.cli(&["show", said]);
        let text = shown.to_string();
        assert!(text.contains("quarantine"), "{text}");
    }
    assert_eq!(world.cli(&["verify"]).code, 1);
    for number in [1, 3, 4] {
        let detail = serde_json::json!({
            "advisory_identifier": format!("SA{number}"), "title": "T", "criticality": 1,
            "description": "D", "solution": "S", "products": [{"name": "P"}]});
        documents.set_json(&format!("/api/advisories/SA{number}/"), &detail);
    }
    // They are requested again when a week is over.
    sqlx::query("update advisoryd.wanted_detail set next_at = now()")
        .execute(world.pool())
        .await
        .unwrap();
    world.cli(&["sync", "feeds"]);
    let fetched = "select count(*) from advisoryd.detail where said in ('SA3', 'SA4')";
    assert_eq!(world.count(fetched).await, 2);
    // It may be another one all the same: somebody has to look at it.
    let verified = world.cli(&["verify"]);
    assert_eq!(verified.code, 1, "{verified}");
    assert!(
        verified.to_string().contains("in quarantine since"),
        "{verified}"
    );
}

#[tokio::test]
async fn related_advisories_in_records_with_an_unknown_identifier_are_not_the_feed() {
    let (world, documents) = crate::support::world_of_documents().await;
    let record = |number: u32| {
        format!(
            "<advisory><vuln_key>SA{number}</vuln_key><title>T</title><related>\
             <advisory><id>SA50{number}</id><name>R</name></advisory></related></advisory>"
        )
    };
    let (one, two) = (record(1), record(2));
    documents.set(1, format!("<advisories>{one}{two}</advisories>"));
    let report = world.pull_one().await;
    let error = report.outcome.error().expect("it is not complete");
    assert!(
        error.contains("structure not recognised") && error.contains("vuln_key"),
        "{error}"
    );
}
