//! Documents in other encodings than UTF-8.

use advisoryd::simulate::{Encoding, FeedOptions, SimulatorOptions};

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
        let world = World::with(SimulatorOptions { feed, ..small() }).await;
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
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "failed");
    assert_reads!(report.outcome.error().unwrap());
}

/// Two servers write one document: one in UTF-8, the other as it is declared.
#[tokio::test]
async fn utf_8_in_a_document_declared_as_latin_is_read_as_what_it_is() {
    let record = |said: &str, title: &[u8]| {
        let start = format!("<advisory><advisory_identifier>{said}</advisory_identifier><title>");
        [start.as_bytes(), title, b"</title></advisory>"].concat()
    };
    for label in ["ISO-8859-1", "windows-1252"] {
        let declaration = format!("<?xml version=\"1.0\" encoding=\"{label}\"?><advisories>");
        let document = [
            declaration.into_bytes(),
            record("SA1", "Müller – 漢".as_bytes()),
            record("SA2", b"M\xfcller"),
            record("SA3", b"plain"),
            // Only a part of it could be UTF-8.
            record("SA4", b"M\xc3\xbcller, M\xfcller"),
            b"</advisories>".to_vec(),
        ];
        let documents = crate::support::Documents::serve().await;
        documents.set(1, document.concat());
        let mut world = World::new().await;
        world.settings.upstream.base_url = Some(documents.base_url.clone());
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        let stored =
            "select said || ' ' || title || ' ' || coalesce(unrecognised ->> 'repaired', '-')
                      from advisoryd_v1.advisories order by said";
        let read = world.texts(stored).await;
        let note =
            "declared as ISO-8859-1 or windows-1252, but all of it is valid UTF-8: read as that";
        assert_eq!(
            read,
            [
                format!("SA1 Müller – 漢 {note}"),
                "SA2 Müller -".to_owned(),
                "SA3 plain -".to_owned(),
                "SA4 MÃ¼ller, Müller -".to_owned(),
            ]
        );
        let replayed = world.cli(&["replay", "--yes"]);
        assert_eq!(replayed.code, 0, "{replayed:?}");
        assert_eq!(world.texts(stored).await, read, "a replay changes nothing");
        let again = world.pull_one().await;
        assert_eq!((again.tally.unchanged, again.tally.changed), (4, 0));
    }
}
