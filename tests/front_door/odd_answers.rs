//! Odd answers of upstream: links with the token, lists that are listed twice, keys that occur
//! twice, and headers that say that something is missing.

use advisoryd::job::lists::discover;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::DEFAULT_TOKEN;
use axum::http::HeaderName;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::settings::{Discovery, NEVER};
use crate::support::{Documents, Paged, World, world_of_documents};

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";

fn record(number: u8) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T</title><criticality>2</criticality></advisory>"
    )
}

#[tokio::test]
async fn a_link_with_the_token_is_followed_and_not_kept() {
    let paged = Paged::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    let page = |id: i64, next: Option<u8>| {
        let next = next.map(|page| format!("/api/tickets/?token={DEFAULT_TOKEN}&page={page}"));
        json!({"count": 3, "next": next, "results": [{"id": id, "title": "t"}]}).to_string()
    };
    let last = r#"{"count": 3, "next": null, "results": [{"id": 30"#;
    let all = vec![page(10, Some(2)), page(20, Some(3)), last.to_owned()];
    paged
        .shelf()
        .rows
        .insert("/api/tickets/".to_owned(), Vec::new());
    paged.shelf().fixed.insert(false, all);
    let full = TicketSync::Full {
        accept_removals: true,
    };
    let reports = world.sync_tickets(full).await;
    assert_eq!(reports[0].outcome.name(), "failed", "{reports:?}");
    let kept = "select coalesce(resume_url, '-') from advisoryd.ticket_walk";
    assert_eq!(world.texts(kept).await, ["/api/tickets/?page=2"]);
    let errors = "select coalesce(error, '-') from advisoryd_v1.sync_runs";
    assert!(!world.texts(errors).await.concat().contains(DEFAULT_TOKEN));

    paged.shelf().fixed.get_mut(&false).unwrap()[2] = page(30, None);
    paged.shelf().asked.clear();
    let reports = world.sync_tickets(TicketSync::Now).await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    let asked = paged.shelf().asked.clone();
    assert!(
        asked.iter().any(|url| url == "/api/tickets/?page=2"),
        "{asked:?}"
    );
    let ids = "select id::text from advisoryd_v1.tickets order by id";
    assert_eq!(world.texts(ids).await, ["10", "20", "30"]);
}

#[tokio::test]
async fn of_two_rows_of_a_list_the_enabled_one_is_followed_and_told() {
    let on = json!({"id": 4, "name": "one", "enabled": true});
    let off = json!({"id": 4, "name": "two", "enabled": false});
    for rows in [[&on, &off], [&off, &on], [&on, &on]] {
        for count in [1, 2] {
            let documents = Documents::serve().await;
            let mut world = World::new().await;
            world.settings.upstream.base_url = Some(documents.base_url.clone());
            world.lists = Some(Vec::new());
            world.settings.tickets.enabled = Some(false);
            world.settings.discovery = Some(Discovery {
                watch_lists: true,
                schedule: NEVER,
            });
            let page = json!({"count": count, "next": null, "results": rows});
            documents.set_json("/api/asset-lists/", &page);
            let found = discover::discover(&world.context().await).await.unwrap();
            let found = found.unwrap();
            assert_eq!((found.listed, found.followed), (1, 1), "{page}");
            let name = "select name from advisoryd_v1.watch_lists where id = 4";
            assert_eq!(world.texts(name).await, ["one"], "{page}");
            let error = found.outcome.error().unwrap_or_default();
            let is_told = error.contains("several times with different values, the first is 4");
            assert_eq!(is_told, rows[0] != rows[1], "{page}: {error}");
        }
    }
}

/// Which value is the true one is not known: the row is kept, and none is believed.
#[tokio::test]
async fn a_ticket_with_a_key_twice_is_quarantined() {
    for (row, key) in [
        (r#"{"id": 2, "id": 7, "title": "two"}"#, "-"),
        (r#"{"id": 2, "title": "one", "title": "two"}"#, "2"),
        (
            r#"{"id": 2, "title": "two", "status": {"id": 1, "id": 2}}"#,
            "2",
        ),
    ] {
        let (world, documents) = world_of_documents().await;
        let page = format!(
            r#"{{"count": 3, "next": null, "results": [{{"id": 1}}, {row}, {{"id": 3}}]}}"#
        );
        documents.set_text("/api/tickets/", &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(reports[0].outcome.name(), "ok", "{row}: {reports:?}");
        let ids = "select id::text from advisoryd_v1.tickets order by id";
        assert_eq!(world.texts(ids).await, ["1", "3"], "{row}");
        let kept = "select coalesce(key, '-') || reason from advisoryd_v1.quarantine";
        let kept = world.texts(kept).await.concat();
        assert!(
            kept.starts_with(key) && kept.contains("occurs twice"),
            "{row}: {kept}"
        );
    }
}

#[tokio::test]
async fn an_error_that_is_said_twice_is_believed_once() {
    for says in [
        r#""error": "timeout", "error": null"#,
        r#""error": null, "error": "timeout""#,
        r#""count": 1, "count": 9"#,
    ] {
        let (world, documents) = world_of_documents().await;
        let page = format!(r#"{{"count": 1, "next": null, "results": [{{"id": 1}}], {says}}}"#);
        documents.set_text("/api/tickets/", &page);
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(reports[0].outcome.name(), "failed", "{says}");
        let ids = "select id::text from advisoryd_v1.tickets order by id";
        assert_eq!(world.texts(ids).await, ["1"], "{says}");
    }
}

/// Answers each request with a part of a body, and closes the connection.
async fn breaking(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 9000\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn whole_records_of_a_small_body_that_breaks_are_stored() {
    let whole = format!("<advisories>{}{}", record(1), record(2));
    assert!(whole.len() < 500);
    for (cut, stored) in [
        (whole.len(), &["SA1", "SA2"][..]),
        (whole.len() - 5, &["SA1"]),
        (30, &[]),
        (3, &[]),
        (0, &[]),
    ] {
        let mut world = World::new().await;
        world.settings.upstream.base_url = Some(breaking(whole[..cut].to_owned()).await);
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "failed", "{cut}");
        let error = report.outcome.error().unwrap_or_default();
        assert!(error.contains("cut short"), "{cut}: {error}");
        assert_eq!(world.texts(SAIDS).await, stored, "{cut}");
    }
}

/// Headers of a feed, and whether they say that something is missing.
#[tokio::test]
async fn a_header_that_says_that_something_is_missing_fails_the_run() {
    for (name, value, is_whole) in [
        ("x-total-count", "2", true),
        ("x-total-count", "3", false),
        ("x-total-count", "many", true),
        ("x-truncated", "true", false),
        ("x-truncated", "false", true),
        ("x-has-more", "1", false),
        ("x-total-pages", "3", false),
        ("x-total-pages", "1", true),
        ("warning", "214 - \"truncated\"", false),
        ("warning", "199 proxy \"Results truncated at 500\"", false),
        ("warning", "214 proxy \"Transformation Applied\"", true),
        ("x-request-id", "truncated-1", true),
        ("x-cache", "MISS", true),
    ] {
        let (world, documents) = world_of_documents().await;
        documents.set(
            1,
            format!("<advisories>{}{}</advisories>", record(1), record(2)),
        );
        documents.set_header(HeaderName::from_static(name), value);
        let report = world.pull_one().await;
        let expected = if is_whole { "ok" } else { "failed" };
        assert_eq!(
            report.outcome.name(),
            expected,
            "{name}: {value}: {report:?}"
        );
        assert_eq!(world.texts(SAIDS).await, ["SA1", "SA2"], "{name}: {value}");
    }
}

/// Each identifier in a group that cannot be read is found, and its JSON is wanted.
#[tokio::test]
async fn every_advisory_of_a_damaged_group_can_be_found() {
    let (two, three) = (record(2), record(3));
    for group in [
        format!("<group>{two}{three}</grup>"),
        format!("<group><{two}{three}</group>"),
        format!("<group>{two}</advisory>{three}</group>"),
        format!("<group>{two}{}</group>", three.replace("</advisory>", "")),
        format!("<group>{}{three}</group>", two.replace("</advisory>", "")),
        format!("<group a=\"{two}{three}</group>"),
        format!("<group>{two}&{three}<</group>"),
    ] {
        let (mut world, documents) = world_of_documents().await;
        world.settings.feeds.details = None;
        documents.set(
            1,
            format!("<advisories>{}{group}{}</advisories>", record(1), record(4)),
        );
        let report = world.pull_one().await;
        let found = "select said from advisoryd_v1.advisories
                     union select key from advisoryd_v1.quarantine where key is not null order by 1";
        let found = world.texts(found).await;
        if report.outcome.name() == "ok" {
            assert_eq!(found, ["SA1", "SA2", "SA3", "SA4"], "{group}");
        }
        let lost = "select key from advisoryd_v1.quarantine where key is not null
                    except select said from advisoryd.wanted_detail
                    except select said from advisoryd_v1.advisories";
        assert_eq!(world.texts(lost).await, [""; 0], "{group}");
    }
}
