//! Documents in other encodings than UTF-8.

use advisoryd::simulate::{Encoding, FeedOptions, Options};

use crate::support::{World, assert_reads, small};

const ENCODINGS: [Encoding; 6] = [
    Encoding::Utf8,
    Encoding::Utf8Bom,
    Encoding::Utf16Le,
    Encoding::Utf16Be,
    Encoding::Iso8859_1,
    Encoding::Windows1252,
];

#[tokio::test]
async fn every_encoding_is_stored_identically() {
    for encoding in ENCODINGS {
        let feed = FeedOptions {
            encoding: Some(encoding),
            ..FeedOptions::default()
        };
        let world = World::with(Options { feed, ..small() }).await;
        let report = world.pull_one().await;
        assert_eq!(
            report.outcome.name(),
            "ok",
            "{encoding:?}: {:?}",
            report.outcome
        );
        assert_eq!(report.tally.quarantined, 0, "{encoding:?}");
        world.assert_all_is_stored().await;
    }
}

#[tokio::test]
async fn an_unknown_encoding_is_named_and_moves_nothing() {
    let documents = crate::support::Documents::serve().await;
    documents.set(
        1,
        "<?xml version=\"1.0\" encoding=\"klingon-1\"?><advisories/>",
    );
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
}
