//! Upstream fails in every way: the run is failed and says why, no cursor
//! moves, nothing is lost, and the next pull is whole.

use advisoryd::simulate::{self, AnswerFault, Damage, FaultRule, ThrottleForm};

use crate::support::{Documents, PATIENCE, World, assert_reads, eventually, small, without};

/// Nothing was ever read completely.
const UNMOVED: &str = "select count(*) from advisoryd.source
    where kind = 'watch_list' and isempty(covered) and last_success_at is null and last_error is not null";

/// Lets every attempt of one pull meet `fault`, then pulls again without it;
/// returns what the failed run said.
async fn fails_then_recovers(world: &World, fault: AnswerFault) -> String {
    let rule = FaultRule::new(fault).times(10);
    world.simulator.inject(rule.on("xml-feed"));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_eq!(world.count(UNMOVED).await, 1, "the cursor stays");
    world.simulator.clear_faults();

    let again = world.pull_one().await;
    assert_eq!(again.outcome.name(), "ok", "{:?}", again.outcome);
    world.assert_all_is_stored().await;
    report.outcome.error().unwrap().to_owned()
}

async fn said_of(fault: AnswerFault) -> String {
    fails_then_recovers(&World::new().await, fault).await
}

/// What each of them makes a run say, one below the other.
async fn said_of_each(faults: impl IntoIterator<Item = AnswerFault>) -> String {
    let mut all = Vec::new();
    for fault in faults {
        all.push(said_of(fault).await);
    }
    all.join("\n")
}

#[tokio::test]
async fn statuses_that_mean_trouble() {
    assert_reads!(said_of_each([500, 503, 418].map(AnswerFault::Status)).await);
}

#[tokio::test]
async fn throttling_in_all_three_forms() {
    let forms = [
        ThrottleForm::Seconds,
        ThrottleForm::Date,
        ThrottleForm::Detail,
    ];
    // A date names a whole second: until one that is a second away it may be no time at all.
    let faults = forms.map(|form| AnswerFault::Throttled {
        form,
        seconds: 1 + u32::from(form == ThrottleForm::Date),
    });
    let said = said_of_each(faults).await;
    assert_reads!(without(&said, r"(1s )?\d+ms( \d+us)?( \d+ns)?", "[span]"));
}

#[tokio::test]
async fn a_429_that_asks_for_no_wait_is_one_that_does_not_say_how_long() {
    let forms = [
        ThrottleForm::Seconds,
        ThrottleForm::Date,
        ThrottleForm::Detail,
    ];
    for form in forms {
        let world = World::new().await;
        let fault = AnswerFault::Throttled { form, seconds: 0 };
        world.simulator.inject(FaultRule::new(fault).on("xml-feed"));
        let mut daemon = world.run().await;
        let seconds = eventually("a pause", PATIENCE, async || {
            let seconds = "select ceil(extract(epoch from paused_until - clock_timestamp()))::text
                           from advisoryd.budget where paused_until > clock_timestamp()";
            world.texts(seconds).await.pop()
        })
        .await;
        let seconds: u32 = seconds.parse().unwrap();
        assert!((30..=60).contains(&seconds), "{form:?}: {seconds} s");
        let pulls = world.simulator.requests().into_iter();
        let pulls = pulls.filter(|one| one.target.contains("xml-feed"));
        assert_eq!(pulls.count(), 1, "{form:?}: it is not repeated at once");
        daemon.kill9();
    }
}

#[tokio::test]
async fn connections_that_break() {
    let faults = [0, 60_000].map(|after_bytes| AnswerFault::Reset { after_bytes });
    let said = said_of_each(faults).await;
    // What had come, and the transport's own words.
    let said = without(&said, r"\d+ bytes", "[n] bytes");
    assert_reads!(without(&said, r"(answer|bytes): .*", "$1: [why]"));
}

#[tokio::test]
async fn an_upstream_that_falls_silent() {
    let stall = AnswerFault::Stall {
        after_bytes: 60_000,
    };
    let mut world = World::new().await;
    world.settings.upstream.read_timeout = Some("1s");
    assert_reads!(fails_then_recovers(&world, stall).await);
}

#[tokio::test]
async fn a_document_cut_short_whatever_its_length_promised() {
    let faults = [true, false].map(|clean| AnswerFault::Truncate {
        after_bytes: 60_000,
        clean,
    });
    let said = said_of_each(faults).await;
    assert_reads!(without(&said, r"bytes: .*", "bytes: [why]"));
}

#[tokio::test]
async fn complete_records_of_a_truncated_document_stay() {
    let world = World::new().await;
    let fault = AnswerFault::Truncate {
        after_bytes: 60_000,
        clean: true,
    };
    world.simulator.inject(FaultRule::new(fault));
    let report = world.pull_one().await;
    assert!(report.tally.added > 0);
    assert_eq!(world.versions().await.len() as u64, report.tally.added);
}

#[tokio::test]
async fn a_document_cut_between_two_records_is_not_complete() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    documents.set(
        1,
        "<advisories><advisory><said>SA1</said><title>T1</title></advisory>",
    );
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
    assert_eq!(world.count(UNMOVED).await, 1, "the cursor stays");
    assert_eq!(report.tally.added, 1, "what is complete stays");
}

#[tokio::test]
async fn answers_that_are_no_feed() {
    assert_reads!(said_of_each([AnswerFault::Html200, AnswerFault::WrongType]).await);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_refused_and_the_token_stays_home() {
    let elsewhere = simulate::start(small()).await.unwrap();
    let url = format!("{}/api/xml-feed/", elsewhere.base_url());
    assert_reads!(said_of(AnswerFault::RedirectTo(url)).await);
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test]
async fn documents_that_attack_their_reader() {
    let faults = [
        AnswerFault::Damaged(Damage::EntityBomb),
        AnswerFault::Damaged(Damage::ExternalEntity),
        AnswerFault::GzipBomb { mebibytes: 20 },
    ];
    let said = said_of_each(faults).await;
    assert_reads!(without(&said, r"after \d+ bytes", "after [bytes]"));
}

#[tokio::test]
async fn a_body_beyond_max_body_is_refused_after_decompression() {
    let mut world = World::new().await;
    world.settings.upstream.max_body = Some("4MiB");
    let said = fails_then_recovers(&world, AnswerFault::GzipBomb { mebibytes: 64 }).await;
    assert_reads!(said);
}

#[tokio::test]
async fn wrappers_nested_too_deep_are_refused() {
    let documents = Documents::serve().await;
    documents.set(1, "<a>".repeat(100_000));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
}

/// The reason is not that the response was cut short, which it is when reading takes too long.
#[tokio::test]
async fn millions_of_elements_without_a_record_are_refused_as_what_they_are() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let record =
        "<advisory><advisory_identifier>SA1</advisory_identifier><title>T</title></advisory>";
    for filling in ["<x/>", "<!---->"] {
        let filling = filling.repeat(4_000_000);
        documents.set(1, format!("<advisories>{record}{filling}</advisories>"));
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "failed");
        let error = report.outcome.error().unwrap();
        assert!(error.contains("in a row without a record"), "{error}");
        assert_eq!(report.tally.seen, 1, "the record is stored");
    }
}

#[tokio::test]
async fn a_structure_nobody_knows_is_a_failure_and_not_zero_advisories() {
    let said = said_of(AnswerFault::Damaged(Damage::NotRecognised)).await;
    assert_reads!(said);
}

#[tokio::test]
async fn an_empty_feed_is_a_success() {
    let world = World::new().await;
    let rule = FaultRule::new(AnswerFault::Damaged(Damage::Empty));
    world.simulator.inject(rule);
    let report = world.pull_one().await;
    assert_eq!((report.outcome.name(), report.tally.seen), ("ok", 0));
}

#[tokio::test]
async fn an_empty_document_with_an_unknown_root_is_a_failure_until_the_root_is_known() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    documents.set(1, "<catalogue></catalogue>");
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());

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
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let record = "<list-item><said>SA1</said></list-item>";
    documents.set(
        1,
        format!("<root><count>2</count><results>{record}</results></root>"),
    );
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
}

#[tokio::test]
async fn one_bad_list_blocks_no_other() {
    let world = World::with(simulate::SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    let rule = FaultRule::new(AnswerFault::Status(500)).times(2);
    world.simulator.inject(rule.on("asset_list_id=2"));
    let reports = world.pull().await;
    let outcomes: Vec<&str> = reports.iter().map(|report| report.outcome.name()).collect();
    assert_eq!(outcomes, ["ok", "failed", "ok"]);
    world.pull().await;
    world.assert_all_is_stored().await;
}
