//! Documents that say that they are partial: the run fails and quotes it, what was read is
//! stored, the cursor stays. Pages that are linked are read.

use axum::http::header::{AGE, LINK};
use chrono::{DateTime, TimeDelta, Utc};

use crate::feed_damage::all_taken;
use crate::support::{record, world_of_documents};

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";

/// `{r}` stands for two records.
fn filled<'n>(documents: &[(&'n str, &str)]) -> Vec<(&'n str, String)> {
    let records = format!("{}{}", record(1), record(2));
    let filled = documents.iter();
    filled
        .map(|(name, document)| (*name, document.replace("{r}", &records)))
        .collect()
}

/// Documents of two records, or none, that say that something is missing.
const PARTIAL: [(&str, &str); 31] = [
    ("pages", "<feed pages=\"3\">{r}</feed>"),
    ("page and pages", "<feed page=\"1\" pages=\"3\">{r}</feed>"),
    ("page 2", "<feed><page>2</page>{r}</feed>"),
    (
        "pages beside",
        "<feed><paging><page>1</page><pages>3</pages></paging>{r}</feed>",
    ),
    ("more", "<feed>{r}<more>true</more></feed>"),
    (
        "has more",
        "<feed><meta><hasMore>1</hasMore></meta>{r}</feed>",
    ),
    (
        "a token of the next page",
        "<feed next_token=\"x1\">{r}</feed>",
    ),
    (
        "a continuation token",
        "<feed>{r}<continuationToken>abc</continuationToken></feed>",
    ),
    ("partial", "<feed>{r}<partial>yes</partial></feed>"),
    ("partial, empty", "<feed>{r}<partial/></feed>"),
    ("truncated", "<feed truncated=\"true\">{r}</feed>"),
    (
        "truncated below",
        "<feed><list truncated=\"true\">{r}</list></feed>",
    ),
    ("a note", "<feed>{r}<note>Result truncated</note></feed>"),
    (
        "a comment",
        "<feed>{r}<!-- Result truncated at 2 records --></feed>",
    ),
    ("a message", "<feed message=\"Too many results\">{r}</feed>"),
    ("a status", "<feed><status>partial</status>{r}</feed>"),
    ("a count in words", "<feed count=\"many\">{r}</feed>"),
    ("a total in words", "<feed><total>two</total>{r}</feed>"),
    (
        "an outer total",
        "<feed total=\"5\"><list count=\"2\">{r}</list></feed>",
    ),
    (
        "an outer total beside",
        "<feed><page><total>5</total></page><list><count>2</count>{r}</list></feed>",
    ),
    (
        "a group that counts more",
        "<feed>{r}<rejected count=\"2\"><advisory><said>SA3</said><title>T</title></advisory></rejected></feed>",
    ),
    ("no records", "<feed><more>true</more></feed>"),
    ("errors in a number", "<feed errors=\"1\">{r}</feed>"),
    ("a status of HTTP", "<feed http_status=\"500\">{r}</feed>"),
    ("a status", "<feed>{r}<status>500</status></feed>"),
    (
        "an internal error",
        "<feed>{r}<message>An internal error occurred</message></feed>",
    ),
    (
        "the trace of an error",
        "<feed>{r}<stacktrace>java.lang.OutOfMemoryError</stacktrace></feed>",
    ),
    (
        "a count by another name",
        "<feed advisory_count=\"5\">{r}</feed>",
    ),
    ("records in a number", "<feed records=\"5\">{r}</feed>"),
    (
        "a count at the end",
        "<feed>{r}<trailer records=\"5\"/></feed>",
    ),
    ("what remains", "<feed remaining=\"3\">{r}</feed>"),
];

#[tokio::test]
async fn a_document_that_says_that_it_is_partial_is_a_failed_run() {
    let documents = filled(&PARTIAL);
    insta::assert_snapshot!(Box::pin(all_taken(&documents, false)).await);
}

#[tokio::test]
async fn a_document_that_says_that_it_is_whole_is_complete() {
    let documents = filled(&[
        ("one page", "<feed page=\"1\" pages=\"1\">{r}</feed>"),
        (
            "the code of a list",
            "<feed><list code=\"450\">{r}</list></feed>",
        ),
        ("a body", "<Envelope><body>{r}</body></Envelope>"),
        (
            "no more",
            "<feed>{r}<more>false</more><next/><truncated>0</truncated></feed>",
        ),
        (
            "counts",
            "<feed total=\"2\" count=\"2\">{r}<total_count>None</total_count></feed>",
        ),
        ("unknown count", "<feed count=\"-1\" total=\"\">{r}</feed>"),
        (
            "a disclaimer",
            "<feed><disclaimer>The information may be incomplete.</disclaimer>{r}</feed>",
        ),
        ("no news", "<feed><more>false</more><page>1</page></feed>"),
        (
            "what a record says",
            "<feed><advisory pages=\"3\" truncated=\"true\"><said>SA1</said><title>T1</title>\
             <more>true</more><next>2</next><count>many</count><total>9</total><partial/>\
             <description>Result truncated</description>\
             <link rel=\"next\" href=\"http://127.0.0.1:1/\"/></advisory></feed>",
        ),
    ]);
    insta::assert_snapshot!(Box::pin(all_taken(&documents, true)).await);
}

/// Beginnings of a document that link to the next one, or do so in the header.
fn linked() -> [(&'static str, String, bool); 7] {
    let next = "/api/xml-feed/?asset_list_id=1&amp;page=2";
    [
        (
            "an attribute",
            format!("<feed pages=\"2\" next=\"{next}\">"),
            false,
        ),
        (
            "a link",
            format!("<feed><link rel=\"next\" href=\"{next}\"/>"),
            false,
        ),
        (
            "a link in a list of links",
            format!("<feed><links><link rel=\"next\" href=\"{next}\"/></links>"),
            false,
        ),
        (
            "an element with a target",
            format!("<feed><next href=\"{next}\"/>"),
            false,
        ),
        (
            "an element around the target",
            format!("<feed><pagination><next><url>{next}</url></next></pagination>"),
            false,
        ),
        (
            "more, and an element",
            format!("<feed><more>true</more><next>{next}</next>"),
            false,
        ),
        (
            "the header",
            "<feed page=\"1\" pages=\"2\">".to_owned(),
            true,
        ),
    ]
}

/// A link to the next page, in whichever form, is followed; all pages together are the
/// document. A saved page fails, because its link cannot be followed.
#[tokio::test]
async fn pages_that_are_linked_are_read() {
    for (name, first, header) in linked() {
        let (world, documents) = world_of_documents().await;
        documents.set(1, format!("{first}{}</feed>", record(1)));
        if header {
            let link = "</api/xml-feed/?asset_list_id=1&page=2>; rel=\"next\"";
            documents.set_header(LINK, link);
        }
        let report = world.pull_one().await;
        let error = report.outcome.error().unwrap_or_default();
        assert!(
            error.contains("404"),
            "{name}: the second page is asked for: {error}"
        );
        assert_eq!(world.texts(SAIDS).await, ["SA1"], "{name}");

        documents.set_page("1", 2, format!("<feed page=\"2\">{}</feed>", record(2)));
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{name}: {report:?}");
        assert_eq!(world.texts(SAIDS).await, ["SA1", "SA2"], "{name}");

        documents.set_page(
            "1",
            2,
            format!("<feed page=\"2\" pages=\"3\">{}</feed>", record(2)),
        );
        let report = world.pull_one().await;
        let error = report.outcome.error().unwrap_or_default();
        assert!(error.contains("pages=\"3\""), "{name}: {error}");
    }
}

/// What is counted must be there: a record or page that comes twice counts once.
#[tokio::test]
async fn what_is_counted_and_missing_fails_the_run() {
    const REASONS: [&str; 2] = ["upstream reported", "the pages before it had too"];
    let next = "<next>/api/xml-feed/?asset_list_id=1&amp;page=2</next>";
    let (one, two, three) = (record(1), record(2), record(3));
    for (name, first, second, is_complete) in [
        (
            "a record twice",
            format!("<feed count=\"3\">{one}{two}{two}</feed>"),
            None,
            false,
        ),
        (
            "a record twice that is counted once",
            format!("<feed count=\"2\">{one}{two}{two}</feed>"),
            None,
            true,
        ),
        (
            "a page twice",
            format!("<feed count=\"4\">{one}{two}{next}</feed>"),
            Some(format!("<feed count=\"4\">{one}{two}</feed>")),
            false,
        ),
        (
            "a page twice, and nothing is counted",
            format!("<feed>{one}{two}{next}</feed>"),
            Some(format!("<feed>{one}{two}</feed>")),
            false,
        ),
        (
            "a page that begins with the end of the one before it",
            format!("<feed count=\"3\">{one}{two}{next}</feed>"),
            Some(format!("<feed count=\"3\">{two}{three}</feed>")),
            true,
        ),
        (
            "only the second page counts",
            format!("<feed>{one}{two}{next}</feed>"),
            Some(format!("<feed count=\"4\">{three}</feed>")),
            false,
        ),
        (
            "each page counts its own",
            format!("<feed count=\"2\">{one}{two}{next}</feed>"),
            Some(format!("<feed count=\"1\">{three}</feed>")),
            true,
        ),
    ] {
        let (world, documents) = world_of_documents().await;
        documents.set(1, first);
        if let Some(second) = second {
            documents.set_page("1", 2, second);
        }
        let report = world.pull_one().await;
        let error = report.outcome.error().unwrap_or("ok");
        assert_eq!(error == "ok", is_complete, "{name}: {error}");
        let is_said = REASONS.iter().any(|reason| error.contains(reason));
        assert!(is_complete || is_said, "{name}: {error}");
    }
}

/// A response that a cache kept says nothing about the time since.
#[tokio::test]
async fn a_cached_response_covers_the_time_until_it_was_made() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, format!("<feed>{}</feed>", record(1)));
    documents.set_header(AGE, "864000");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let covered_to = async || -> DateTime<Utc> {
        sqlx::query_scalar("select upper(covered) from advisoryd.source where not isempty(covered)")
            .fetch_one(world.pool())
            .await
            .unwrap()
    };
    let age = world.now() - covered_to().await;
    assert!(age >= TimeDelta::days(10), "{age}");

    documents.set_header(AGE, "0");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let age = world.now() - covered_to().await;
    assert!(age < TimeDelta::days(1), "{age}");
}
