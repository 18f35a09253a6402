//! Elements with nothing but an identifier beside records, and records without an end tag.

use advisoryd::job::feeds::feed::LookBack;

use crate::feed_damage::all_taken;
use crate::support::{record, world_of_documents};

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";
const QUARANTINED: &str =
    "select concat_ws(' ', key, raw) from advisoryd_v1.quarantine order by id";

fn feed(more: &str) -> String {
    format!("<advisories>{}{}{more}</advisories>", record(1), record(2))
}

#[tokio::test]
async fn an_element_that_only_names_an_advisory_creates_none() {
    let said = |number: usize| format!("<advisory_identifier>SA{number}</advisory_identifier>");
    let documents = [
        (
            "names a record of the document",
            feed(&format!("<latest>{}</latest>", said(2))),
        ),
        (
            "the same before the records",
            feed("").replace(
                "<advisories>",
                &format!("<advisories><meta>{}</meta>", said(1)),
            ),
        ),
        (
            "names another advisory",
            feed(&format!("<latest>{}</latest>", said(7))),
        ),
        (
            "called like a record",
            feed(&format!("<advisory>{}</advisory>", said(7))),
        ),
        (
            "a list of all",
            feed("<index><entry id=\"SA1\"/><entry id=\"SA2\"/></index>"),
        ),
        (
            "one of another advisory in it",
            feed("<index><entry id=\"SA1\"/><entry id=\"SA7\"/></index>"),
        ),
    ];
    insta::assert_snapshot!(Box::pin(all_taken(&documents, true)).await);
}

#[tokio::test]
async fn an_element_that_names_a_stored_advisory_says_nothing_new_unless_that_was_removed() {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.details = Some("auto");
    let third = record(3);
    documents.set(1, feed(&third));
    world.pull_one().await;
    let before = world.texts("select concat_ws(' ', said, title, version) from advisoryd_v1.advisories order by said").await;
    let said = "<advisory_identifier>SA3</advisory_identifier>";

    documents.set(1, feed(&format!("<latest>{said}</latest>")));
    let report = world.pull_back(LookBack::Days(1)).await.remove(0);
    assert_eq!((report.tally.seen, report.tally.quarantined), (2, 0));
    assert_eq!(world.texts(QUARANTINED).await, [""; 0]);
    let unknown = "select name || ' ' || sample from advisoryd_v1.unknown_fields where name like 'envelope/%'";
    assert_eq!(world.texts(unknown).await, ["envelope/latest SA3"]);

    documents.set(1, feed(&format!("<withdrawn>{said}</withdrawn>")));
    let report = world.pull_back(LookBack::Days(1)).await.remove(0);
    assert_eq!(report.tally.quarantined, 1);
    let kept = format!("SA3 <?advisoryd identifier-alone?><withdrawn>{said}</withdrawn>");
    assert_eq!(world.texts(QUARANTINED).await, [kept]);
    let after = world.texts("select concat_ws(' ', said, title, version) from advisoryd_v1.advisories order by said").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn the_details_of_an_advisory_that_is_only_named_are_requested() {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.details = Some("auto");
    documents.set(
        1,
        feed("<latest><advisory_identifier>SA7</advisory_identifier></latest>"),
    );
    world.pull_one().await;
    let wanted = "select said from advisoryd.wanted_detail where said = 'SA7'";
    assert_eq!(world.texts(wanted).await, ["SA7"]);
    // It does not become an advisory when it is parsed again.
    let retry = world.cli(&["quarantine", "retry"]);
    assert_eq!(world.texts(SAIDS).await, ["SA1", "SA2"], "{retry:?}");
    let kept =
        "SA7 <?advisoryd pointer?><latest><advisory_identifier>SA7</advisory_identifier></latest>";
    assert_eq!(world.texts(QUARANTINED).await, [kept]);
}

#[tokio::test]
async fn a_record_without_an_end_tag_fails_the_run_by_name_and_is_stored() {
    let unended = record(2).replace("</advisory>", "");
    let between = |record: &str| {
        format!(
            "<advisories>\n{}\n{record}\n{}</advisories>",
            self::record(1),
            self::record(3)
        )
    };
    let documents = [
        ("the end tag is missing", between(&unended)),
        (
            "more of it is missing",
            between(&unended[..unended.len() - "1</criticality>".len()]),
        ),
        (
            "of the last record",
            format!("<advisories>{}\n{unended}</advisories>", record(1)),
        ),
    ];
    insta::assert_snapshot!(Box::pin(all_taken(&documents, false)).await);

    let (world, served) = world_of_documents().await;
    served.set(1, documents[0].1.as_str());
    world.pull_one().await;
    let raw = "select raw from advisoryd_v1.advisory_history where said = 'SA2'";
    let kept = format!("{unended}<?advisoryd end-tag-was-missing?></advisory>");
    assert_eq!(world.texts(raw).await, [kept]);
    let repaired = "select unrecognised ->> 'repaired' from advisoryd_v1.advisories where repaired";
    let repaired = world.texts(repaired).await;
    assert!(
        repaired.len() == 1 && repaired[0].starts_with("`<advisory>` without an end tag"),
        "{repaired:?}"
    );

    // The record that comes whole replaces it.
    served.set(1, between(&record(2)));
    world.pull_one().await;
    let repaired = "select said from advisoryd_v1.advisories where repaired";
    assert_eq!(world.texts(repaired).await, [""; 0]);
}

#[tokio::test]
async fn a_record_with_too_many_attributes_is_quarantined_once() {
    let attributes: Vec<String> = (0..300).map(|number| format!(" a{number}=\"x\"")).collect();
    let attributes = attributes.concat();
    let wide = record(2).replacen("<advisory>", &format!("<advisory{attributes}>"), 1);
    let documents = [(
        "at its own element",
        format!("<advisories>{}{wide}</advisories>", record(1)),
    )];
    insta::assert_snapshot!(Box::pin(all_taken(&documents, true)).await);
}
