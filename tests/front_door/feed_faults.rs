//! Upstream fails in every way: the run is failed and says why, no cursor
//! moves, nothing is lost, and the next pull is whole.

use advisoryd::simulate::{self, Damage, Fault, Rule, ThrottleForm};

use crate::support::{Documents, World, small};

/// Nothing was ever read completely.
const UNMOVED: &str = "select count(*) from advisoryd.source
    where kind = 'watch_list' and isempty(covered) and last_success_at is null and last_error is not null";

/// Lets every attempt of one pull meet `fault`, then pulls again without it;
/// returns what the failed run said.
async fn fails_then_recovers(world: &World, fault: Fault) -> String {
    let rule = Rule::new(fault).times(10);
    world.simulator.inject(rule.on("xml-feed"));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_eq!(world.count(UNMOVED).await, 1, "the cursor stays");
    world.simulator.clear_faults();

    let again = world.pull_one().await;
    assert_eq!(again.outcome.name(), "ok", "{:?}", again.outcome);
    world.assert_all_is_stored().await;
    let base_url = world.simulator.base_url();
    report
        .outcome
        .error()
        .unwrap()
        .replace(&base_url, "http://upstream")
}

async fn said_of(fault: Fault) -> String {
    fails_then_recovers(&World::new().await, fault).await
}

#[tokio::test]
async fn statuses_that_mean_trouble() {
    insta::assert_snapshot!(said_of(Fault::Status(500)).await, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 met status 500: A server error occurred.");
    insta::assert_snapshot!(said_of(Fault::Status(503)).await, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 met status 503: a web page titled `Web API`");
    insta::assert_snapshot!(said_of(Fault::Status(418)).await, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 was refused with status 418: A server error occurred.");
}

#[tokio::test]
async fn throttling_in_all_three_forms() {
    for form in [
        ThrottleForm::Seconds,
        ThrottleForm::Date,
        ThrottleForm::Detail,
    ] {
        let said = said_of(Fault::Throttled { form, seconds: 1 }).await;
        assert!(
            said.starts_with("GET http://upstream/api/xml-feed/"),
            "{said}"
        );
        assert!(said.contains("was throttled for"), "{form:?}: {said}");
    }
}

#[tokio::test]
async fn connections_that_break() {
    let before = said_of(Fault::Reset { after_bytes: 0 }).await;
    assert!(before.contains(" got no answer: "), "{before}");
    let within = said_of(Fault::Reset {
        after_bytes: 60_000,
    })
    .await;
    assert!(within.contains("cut short"), "{within}");
}

#[tokio::test]
async fn an_upstream_that_falls_silent() {
    let said = said_of(Fault::Stall {
        after_bytes: 60_000,
    })
    .await;
    insta::assert_snapshot!(said, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 heard nothing for 2s");
}

#[tokio::test]
async fn a_document_cut_short_whatever_its_length_promised() {
    let after_bytes = 60_000;
    let clean = said_of(Fault::Truncate {
        after_bytes,
        clean: true,
    })
    .await;
    insta::assert_snapshot!(clean, @"the document is cut short after 60000 bytes");
    let unclean = said_of(Fault::Truncate {
        after_bytes,
        clean: false,
    })
    .await;
    insta::assert_snapshot!(unclean.split(" bytes").next().unwrap(), @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 was cut short after 60000");
}

#[tokio::test]
async fn complete_records_of_a_truncated_document_stay() {
    let world = World::new().await;
    let fault = Fault::Truncate {
        after_bytes: 60_000,
        clean: true,
    };
    world.simulator.inject(Rule::new(fault));
    let report = world.pull_one().await;
    assert!(report.tally.added > 0);
    assert_eq!(world.versions().await.len() as u64, report.tally.added);
}

#[tokio::test]
async fn a_document_cut_between_two_records_is_not_complete() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    documents.set(1, "<advisories><advisory><said>SA1</said></advisory>");
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    insta::assert_snapshot!(report.outcome.error().unwrap(), @"the document is cut short after 49 bytes");
    assert_eq!(world.count(UNMOVED).await, 1, "the cursor stays");
    assert_eq!(report.tally.added, 1, "what is complete stays");
}

#[tokio::test]
async fn answers_that_are_no_feed() {
    insta::assert_snapshot!(said_of(Fault::Html200).await, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 was answered by a web page titled `Web API`");
    insta::assert_snapshot!(said_of(Fault::WrongType).await, @r#"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 wanted XML and got application/json beginning with `{"count":0,"next":null,"previous":null,"`"#);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_refused_and_the_token_stays_home() {
    let elsewhere = simulate::start(small()).await.unwrap();
    let url = format!("{}/api/xml-feed/", elsewhere.base_url());
    let said = said_of(Fault::RedirectTo(url)).await;
    assert!(
        said.contains("which is not on http://upstream; not followed"),
        "{said}"
    );
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test]
async fn documents_that_attack_their_reader() {
    insta::assert_snapshot!(said_of(Fault::Damaged(Damage::EntityBomb)).await, @"entity declarations are refused (byte 39)");
    insta::assert_snapshot!(said_of(Fault::Damaged(Damage::ExternalEntity)).await, @"entity declarations are refused (byte 39)");
    insta::assert_snapshot!(said_of(Fault::GzipBomb { mebibytes: 20 }).await, @"`advisory` at byte 33 is larger than 16777216 bytes");
}

#[tokio::test]
async fn a_body_beyond_max_body_is_refused_after_decompression() {
    let mut world = World::new().await;
    world.upstream = "max_body = \"4MiB\"".to_owned();
    let said = fails_then_recovers(&world, Fault::GzipBomb { mebibytes: 64 }).await;
    insta::assert_snapshot!(said, @"GET http://upstream/api/xml-feed/?feed_type=asset_list&asset_list_id=1&days=365 sent more than 4194304 bytes");
}

#[tokio::test]
async fn wrappers_nested_too_deep_are_refused() {
    let documents = Documents::serve().await;
    documents.set(1, "<a>".repeat(100_000));
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    insta::assert_snapshot!(report.outcome.error().unwrap(), @"elements are nested deeper than 64 at byte 192");
}

#[tokio::test]
async fn a_structure_nobody_knows_is_a_failure_and_not_zero_advisories() {
    let said = said_of(Fault::Damaged(Damage::NotRecognised)).await;
    insta::assert_snapshot!(said, @"structure not recognised: nothing in `catalogue` carries an identifier; elements seen: entry, code");
}

#[tokio::test]
async fn an_empty_feed_is_a_success() {
    let world = World::new().await;
    let rule = Rule::new(Fault::Damaged(Damage::Empty));
    world.simulator.inject(rule);
    let report = world.pull_one().await;
    assert_eq!((report.outcome.name(), report.tally.seen), ("ok", 0));
}

#[tokio::test]
async fn an_empty_document_with_an_unknown_root_is_a_failure_until_the_root_is_known() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    documents.set(1, "<catalogue></catalogue>");
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    insta::assert_snapshot!(report.outcome.error().unwrap(), @"structure not recognised: nothing in `catalogue` carries an identifier; it holds no other element");

    documents.set(1, "<catalogue><entry><said>SA1</said></entry></catalogue>");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    documents.set(1, "<catalogue></catalogue>");
    assert_eq!(
        world.pull_one().await.outcome.name(),
        "ok",
        "nothing new today"
    );
}

#[tokio::test]
async fn fewer_records_than_upstream_claims_are_not_complete() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    let record = "<list-item><said>SA1</said></list-item>";
    documents.set(
        1,
        format!("<root><count>2</count><results>{record}</results></root>"),
    );
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    insta::assert_snapshot!(report.outcome.error().unwrap(), @"upstream claims 2 records and sent 1");
}

#[tokio::test]
async fn one_bad_list_blocks_no_other() {
    let world = World::with(simulate::Options {
        watch_lists: 3,
        ..small()
    })
    .await;
    let rule = Rule::new(Fault::Status(500)).times(2);
    world.simulator.inject(rule.on("asset_list_id=2"));
    let reports = world.pull().await;
    let outcomes: Vec<&str> = reports.iter().map(|report| report.outcome.name()).collect();
    assert_eq!(outcomes, ["ok", "failed", "ok"]);
    world.pull().await;
    world.assert_all_is_stored().await;
}
