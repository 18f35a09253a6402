//! Damaged, odd and wrong documents: a run that is complete has every advisory of its
//! document, stored or in quarantine; otherwise it fails and the cursor stays.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{World, record, world_of_documents};

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";
const KEYS: &str =
    "select coalesce(key, '(none)') || ': ' || reason from advisoryd_v1.quarantine order by id";
const IS_COVERED: &str =
    "select count(*) from advisoryd_v1.coverage where watch_list_id = 1 and not isempty(covered)";

/// Pulls and imports one document, each into a database of its own, and returns what a
/// person needs to know of both.
async fn taken(document: &str) -> (String, i64) {
    let (world, documents) = world_of_documents().await;
    documents.set(1, document);
    let report = world.pull_one().await;
    let saids = world.texts(SAIDS).await;
    let keys = world.texts(KEYS).await;
    let covered = world.count(IS_COVERED).await;
    let outcome = report.outcome.error().unwrap_or("ok").to_owned();
    let is_complete = report.outcome.name() == "ok";
    assert_eq!(
        covered == 1,
        is_complete,
        "the cursor moves with a complete run only"
    );

    // `import` says the same.
    let other = World::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document).unwrap();
    let mut command = other.command(&["import", "--watch-list", "1", "--json"]);
    let output = command.arg(file.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(other.texts(SAIDS).await, saids, "{document}");
    assert_eq!(other.texts(KEYS).await, keys, "{document}");
    assert_eq!(
        report["outcome"] == "ok",
        is_complete,
        "{document}: {report}"
    );

    // So does `inspect`. With suggested aliases it counts what those would read.
    let output = other
        .command(&["inspect", "--json"])
        .arg(file.path())
        .output();
    let inspected: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    assert_eq!(
        inspected["error"].is_null(),
        is_complete,
        "{document}: {inspected}"
    );
    if inspected["aliases"].as_array().unwrap().is_empty() {
        assert_eq!(inspected["records"], saids.len(), "{document}: {inspected}");
    }

    let mut result = format!("{outcome}; stored: {}", saids.join(" "));
    for key in keys {
        let _ = write!(result, "; in quarantine: {key}");
    }
    (result, covered)
}

/// What becomes of each document, below its name.
pub async fn all_taken(documents: &[(&str, String)], is_complete: bool) -> String {
    let mut all = String::new();
    for (name, document) in documents {
        let (result, covered) = Box::pin(taken(document)).await;
        assert_eq!(covered == 1, is_complete, "{name}: {result}");
        let _ = writeln!(all, "{name}\n    {result}");
    }
    all
}

/// Damaged documents; `{1}` stands for the record of SA1.
const DAMAGED: [(&str, &str); 11] = [
    (
        "the first record lost its `<`",
        "<advisories>advisory><said>SA1</said><title>T1</title></advisory>{2}{3}</advisories>",
    ),
    (
        "two end tags swapped",
        "<feed><pages><page>{1}</pages></page><page>{2}</page></pages></feed>",
    ),
    (
        "an end tag that closes the list early, in a record",
        "<feed><list><advisory><said>SA1</said><description><ul><li>x</list></description>\
         <title>T1</title></advisory>{2}{3}</list></feed>",
    ),
    (
        "the end tag of the list too early",
        "<feed><list>{1}</list>{2}</list></feed>",
    ),
    (
        "text beside records",
        "<advisories>{1}Internal server error</advisories>",
    ),
    (
        "text between records",
        "<advisories>{1}Down for maintenance{2}{3}</advisories>",
    ),
    (
        "an element that reports an error",
        "<advisories>{1}<error>Internal server error, output stopped</error></advisories>",
    ),
    (
        "a root that reports an error",
        "<response status=\"error\" code=\"500\" message=\"backend timeout\"/>",
    ),
    (
        "a start tag that lost its `<`",
        "<all><a said=\"SA1\"/>a said=\"SA2\"/><a said=\"SA3\"/></all>",
    ),
    (
        "cut within a record",
        "<advisories>{1}<advisory><advisory_identifier>SA2",
    ),
    (
        "fewer records than it counts",
        "<root><count>3</count><next/><results>{1}</results></root>",
    ),
];

#[tokio::test]
async fn a_damaged_document_is_a_failed_run_and_what_was_whole_is_stored() {
    let documents = DAMAGED.map(|(name, document)| {
        let filled = (1..=3).fold(document.to_owned(), |document, number| {
            document.replace(&format!("{{{number}}}"), &record(number))
        });
        (name, filled)
    });
    insta::assert_snapshot!(Box::pin(all_taken(&documents, false)).await);
}

#[tokio::test]
async fn related_advisories_are_not_taken_for_the_feed() {
    let related = |number: u32| {
        format!(
            "<advisory><vuln_key>SA{number}</vuln_key><title>T{number}</title>\
             <related_advisories><advisory id=\"SA{}\"/></related_advisories></advisory>",
            500 + number
        )
    };
    let documents = [(
        "identifiers under an unknown name",
        format!("<advisories>{}{}</advisories>", related(1), related(2)),
    )];
    insta::assert_snapshot!(Box::pin(all_taken(&documents, false)).await);
}

#[tokio::test]
async fn nothing_beside_records_is_dropped() {
    let documents = [
        (
            "a second group",
            format!(
                "<advisories>{}<rejected>{}</rejected></advisories>",
                record(1),
                record(2)
            ),
        ),
        (
            "a group first",
            format!(
                "<advisories><group>{}</group>{}</advisories>",
                record(2),
                record(1)
            ),
        ),
        (
            "a second list, deeper",
            format!(
                "<feed><advisories>{}</advisories><withdrawn><list>{}</list></withdrawn></feed>",
                record(1),
                record(3)
            ),
        ),
        (
            "a damaged element with an identifier",
            format!(
                "<advisories>{}<note>open {} <x></note>{}</advisories>",
                record(1),
                record(2),
                record(3)
            ),
        ),
        (
            "a wrong end tag before a related advisory",
            format!(
                "<feed><page>{}</page><page><advisory><said>SA2</said><description>x</feed>\
                 <related><advisory><said>SA9</said></advisory></related></advisory></page></feed>",
                record(1)
            ),
        ),
        (
            "a commented-out record",
            format!(
                "<advisories>{}<!-- {} --></advisories>",
                record(1),
                record(2)
            ),
        ),
    ];
    insta::assert_snapshot!(Box::pin(all_taken(&documents, true)).await);
}

/// A whole record where only references to other advisories belong is quarantined; the
/// record around it is stored, and a reference stays one.
#[tokio::test]
async fn whole_records_within_a_record_are_quarantined() {
    let around = |name: &str, within: &str| {
        let end = format!("<{name}>{within}</{name}></advisory>");
        record(1).replace("</advisory>", &end)
    };
    let reference = "<advisory><advisory_identifier>SA9</advisory_identifier></advisory>";
    let both = format!("{}{reference}{}", record(2), record(3));
    let documents = ["related", "supersedes", "children"].map(|name| {
        let document = format!(
            "<advisories>{}{}</advisories>",
            around(name, &both),
            record(4)
        );
        (name, document)
    });
    insta::assert_snapshot!(Box::pin(all_taken(&documents, true)).await);

    let (world, served) = world_of_documents().await;
    served.set(1, documents[0].1.as_str());
    world.pull_one().await;
    let raws = world
        .texts("select raw from advisoryd.quarantine order by id")
        .await;
    assert_eq!(raws, [record(2), record(3)]);
    let unrecognised = "select unrecognised ->> 'advisory/related/advisory' \
                        from advisoryd_v1.advisories where said = 'SA1'";
    assert_eq!(world.texts(unrecognised).await, ["SA2; SA3"]);
}

/// The same, where the element around is not called like a record.
#[tokio::test]
async fn whole_records_of_another_name_are_quarantined_too() {
    let (world, served) = world_of_documents().await;
    let named = |name: &str, number: usize| {
        let record = record(number).replace("</advisory>", "</update>");
        record
            .replace("<advisory>", "<update>")
            .replace("update", name)
    };
    let reference = "<related><entry><advisory_identifier>SA9</advisory_identifier>\
                     <title>Other</title><released>2026-01-01</released></entry></related>";
    let end = format!(
        "<updates>{}</updates>{reference}</advisory>",
        named("update", 2)
    );
    let document = record(1).replace("</advisory>", &end);
    served.set(
        1,
        format!("<advisories>{document}{}</advisories>", record(4)),
    );
    world.pull_one().await;
    let kept = world
        .texts("select key || ' ' || raw from advisoryd.quarantine order by id")
        .await;
    assert_eq!(kept, [format!("SA2 {}", named("update", 2))]);
    let unrecognised = "select unrecognised ->> 'advisory/updates/update' \
                        from advisoryd_v1.advisories where said = 'SA1'";
    assert_eq!(world.texts(unrecognised).await, ["SA2"]);
}
