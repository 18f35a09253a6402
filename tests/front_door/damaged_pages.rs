//! Pages of JSON with damage in one place: it costs one row at most.

use advisoryd::job::tickets::sync::TicketSync;

use crate::support::{World, assert_reads, world_of_documents};

const PATH: &str = "/api/tickets/";

fn page(count: &str, next: &str, value: &str) -> String {
    format!(
        r#"{{"count": {count}, "next": {next}, "results": [{{"id": 1, "title": "one"}},
            {{"id": 2, "title": "two", "criticality": {value}}}, {{"id": 3, "title": "three"}}]}}"#
    )
}

async fn stored(world: &World) -> Vec<String> {
    let ids = "select id::text from advisoryd_v1.tickets order by id";
    world.texts(ids).await
}

async fn sync(world: &World, page: &str) {
    let reports = world.sync_tickets(TicketSync::Now).await;
    let outcome = &reports[0].outcome;
    assert_eq!(outcome.name(), "ok", "{page}: {outcome:?}");
}

#[tokio::test]
async fn what_can_be_repaired_or_has_one_meaning_is_read() {
    for page in [
        page("3", "null", "\"a\u{1}b\""),
        page("3", "null", "\"a\nb\""),
        page("3", "null", "NaN"),
        page("3", "null", "-Infinity"),
        page("\"3\"", "null", "1"),
        page("3.0", "false", "1"),
        page("3", "\"\"", "1"),
        format!("\u{feff}{}", page("3", "null", "1")),
    ] {
        let (world, documents) = world_of_documents().await;
        documents.set_text(PATH, &page);
        sync(&world, &page).await;
        assert_eq!(stored(&world).await, ["1", "2", "3"], "{page}");
    }
}

#[tokio::test]
async fn a_count_beyond_all_tickets_is_a_failed_run() {
    for count in [
        "9223372036854775307",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
    ] {
        for next in ["null", "\"/api/tickets/?page=2\""] {
            let (world, documents) = world_of_documents().await;
            let page = page(count, next, "1");
            documents.set_text(PATH, &page);
            let reports = world.sync_tickets(TicketSync::Now).await;
            let error = reports[0].outcome.error().unwrap_or_default();
            assert!(!error.is_empty(), "{page}");
            assert!(!error.contains("internal error"), "{page}: {error}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_repaired_goes_to_the_quarantine_alone() {
    for (value, key) in [("tru", "2"), ("1e999", "2"), ("\0", "2")] {
        let (world, documents) = world_of_documents().await;
        let page = page("3", "null", value);
        documents.set_text(PATH, &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(reports[0].tally.quarantined, 1, "{:?}", reports[0].outcome);
        assert_eq!(stored(&world).await, ["1", "3"], "{page}");
        let kept = "select coalesce(key, '-') from advisoryd_v1.quarantine where raw like '%two%'";
        assert_eq!(world.texts(kept).await, [key], "{page}");
    }
}

/// Pages of three tickets, or of none, that say that something went wrong.
#[tokio::test]
async fn what_a_page_says_is_not_complete_is_stored_and_the_run_fails() {
    let none = r#""count": 0, "next": null, "results": []"#;
    let all = page("3", "null", "1");
    let three = all.trim_start_matches('{').trim_end_matches('}');
    for (rows, says) in [
        (none, r#""error": "backend timeout""#),
        (
            none,
            r#""detail": "search index unavailable, results incomplete""#,
        ),
        (none, r#""partial": true"#),
        (none, r#""has_more": true, "next_page_token": "abc""#),
        (three, r#""errors": ["shard 3 does not answer"]"#),
        (three, r#""meta": {"truncated": true}"#),
        (three, r#""total_pages": 3, "current_page": 1"#),
        (three, r#""total": 250"#),
        (three, r#""meta": {"total_count": 250}"#),
        (three, r#""links": {"next": "/api/tickets/?page=2"}"#),
        (three, r#""status": "partial""#),
    ] {
        let (world, documents) = world_of_documents().await;
        let page = format!("{{{rows}, {says}}}");
        documents.set_text(PATH, &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        let error = reports[0].outcome.error().unwrap_or_default().to_owned();
        assert!(error.contains("the document "), "{page}: {error}");
        assert_eq!(
            world
                .count("select count(*) from advisoryd_v1.coverage where not isempty(covered)")
                .await,
            0
        );
        let expected: &[&str] = if rows == none { &[] } else { &["1", "2", "3"] };
        assert_eq!(stored(&world).await, expected, "{page}");

        documents.set_text(PATH, &format!("{{{three}, \"error\": null}}"));
        sync(&world, &page).await;
        assert_eq!(stored(&world).await, ["1", "2", "3"], "{page}");
    }
}

/// Pages of which something is whole, what of it is stored, and what is quarantined.
#[tokio::test]
async fn what_is_whole_of_a_broken_page_is_stored_and_the_run_fails() {
    let all = page("3", "null", "1");
    let row = |id: u8, title: &str| format!(r#"{{"id": {id}, "title": {title}}}"#);
    let of = |rows: &[String]| {
        let rows = rows.join(",");
        format!(r#"{{"count": 3, "next": null, "results": [{rows}]}}"#)
    };
    let (one, three) = (row(1, "\"one\""), row(3, "\"three\""));
    let rows = |second: &str| of(&[one.clone(), second.to_owned(), three.clone()]);
    let first = of(&[one.clone(), row(2, "\"two\"")]);
    let mut errors = Vec::new();
    for (page, expected, quarantined) in [
        (all[..all.len() - 10].to_owned(), &["1", "2"][..], 0),
        (format!("{all} garbage"), &["1", "2", "3"], 0),
        (
            format!("{first}\n{}", of(std::slice::from_ref(&three))),
            &["1", "2", "3"],
            0,
        ),
        (rows(r#"{"id": 2, "title": [1}"#), &["1", "3"], 1),
        (
            rows(r#"{"id": 2, "title": "say "hi there"}"#),
            &["1", "3"],
            1,
        ),
        (
            rows(r#"{"id": 2, "status": {"id": 7, "title": 1}]}"#),
            &["1", "3"],
            1,
        ),
    ] {
        let (world, documents) = world_of_documents().await;
        documents.set_text(PATH, &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        let outcome = &reports[0].outcome;
        assert_eq!(outcome.name(), "failed", "{page}");
        errors.push(outcome.error().unwrap().to_owned());
        assert_eq!(stored(&world).await, expected, "{page}");
        let kept = "select count(*) from advisoryd_v1.quarantine";
        assert_eq!(world.count(kept).await, quarantined, "{page}");
        let cursor = "select count(*) from advisoryd.ticket_reading where cursor_at is not null";
        assert_eq!(world.count(cursor).await, 0, "{page}");

        documents.set_text(PATH, &all);
        sync(&world, &all).await;
        assert_eq!(stored(&world).await, ["1", "2", "3"], "{page}");
    }
    assert_reads!(errors.join("\n"));
}

#[tokio::test]
async fn what_a_page_with_a_damaged_row_says_of_itself_is_noticed() {
    for value in ["NaN", "\"a\u{1}b\"", "tru"] {
        for (says, is_failure) in [
            (r#", "error": "backend timeout""#, true),
            (r#", "partial": true"#, true),
            (r#", "error": null"#, false),
        ] {
            let (world, documents) = world_of_documents().await;
            let page = page("3", "null", value);
            let page = format!("{}{says}}}", page.strip_suffix('}').unwrap());
            documents.set_text(PATH, &page);
            let reports = world.sync_tickets(TicketSync::Now).await;
            let outcome = reports[0].outcome.name();
            let expected = if is_failure { "failed" } else { "ok" };
            assert_eq!(outcome, expected, "{page}");
            let expected: &[&str] = if value == "tru" {
                &["1", "3"]
            } else {
                &["1", "2", "3"]
            };
            assert_eq!(stored(&world).await, expected, "{page}");
        }
    }
}
