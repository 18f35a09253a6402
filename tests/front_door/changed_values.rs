//! Values that cannot be stored as they came are marked, and kept; what is said of an answer is
//! what was received.

use std::io::Write as _;

use advisoryd::job::tickets::sync::TicketSync;
use axum::http::header::CONTENT_TYPE;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{World, record, world_of_documents};

const TICKETS: &str = "/api/tickets/";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

async fn error_of_tickets(world: &World) -> String {
    let report = world.sync_tickets(FULL).await.remove(0);
    report.outcome.error().unwrap_or("ok").to_owned()
}

#[tokio::test]
async fn values_of_tickets_that_are_changed_are_kept_and_marked() {
    let (world, documents) = world_of_documents().await;
    documents.set_bytes(
        TICKETS,
        b"{\"count\": 3, \"next\": null, \"results\": [
            {\"id\": 1, \"title\": \"intact\"},
            {\"id\": 2, \"title\": \"T\", \"score\": NaN, \"more\": {\"big\": -Infinity}},
            {\"id\": 3, \"title\": \"Stra\xdfe \xc3\xbc\"}]}",
    );
    assert_eq!(error_of_tickets(&world).await, "ok");
    let stored = "select id || ' ' || title || ' ' || coalesce(raw ->> 'advisoryd_repaired', '-')
                  from advisoryd_v1.tickets order by id";
    let wanted = [
        "1 intact -",
        r#"2 T {"score": "NaN", "more/big": "-Infinity"}"#,
        "3 Stra\u{fffd}e \u{fc} {\"title\": \"Stra\\\\xDFe \u{fc}\"}",
    ];
    assert_eq!(world.texts(stored).await, wanted);
    let nulls = "select count(*) from advisoryd_v1.tickets
                 where raw -> 'score' = 'null' and raw -> 'more' -> 'big' = 'null'";
    assert_eq!(world.count(nulls).await, 1);
    let told = "select name || ' ' || sample from advisoryd_v1.unknown_fields order by name";
    let wanted = [
        "ticket/more/big -Infinity",
        "ticket/score NaN",
        "ticket/title Stra\\xDFe \u{fc}",
    ];
    assert_eq!(world.texts(told).await, wanted);
    let shown = world.cli(&["show", "2"]).to_string();
    assert!(shown.contains("ticket/score"), "{shown}");
    let shown = world.cli(&["show", "2", "--json"]).json();
    assert_eq!(shown["unrecognised"]["ticket/more/big"], "-Infinity");
    // The same again is no other version.
    assert_eq!(error_of_tickets(&world).await, "ok");
    let versions = "select count(*) from advisoryd_v1.tickets where version > 1";
    assert_eq!(world.count(versions).await, 0);
}

#[tokio::test]
async fn bytes_of_another_encoding_stay_in_the_raw_text_of_an_advisory() {
    let (world, documents) = world_of_documents().await;
    let document = b"<advisories><advisory><said>SA1</said><title>Stra\xdfe</title></advisory>\
        <advisory><said>SA2</said><title>T</title></advisory></advisories>";
    documents.set(1, document.to_vec());
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let stored = "select title || ' ' || repaired || ' ' || raw || ' ' || coalesce(unrecognised ->> 'repaired', '-')
                  from advisoryd_v1.advisories order by said";
    let wanted = [
        "Stra\u{fffd}e true <advisory><said>SA1</said><title>Stra\u{fffd}e</title></advisory>\
         <?advisoryd bytes-not-utf \u{df}?> undecodable character at byte 37",
        "T false <advisory><said>SA2</said><title>T</title></advisory> -",
    ];
    assert_eq!(world.texts(stored).await, wanted);
    let replayed = world.cli(&["replay"]);
    assert_eq!(replayed.code, 0, "{replayed}");
    assert_eq!(world.texts(stored).await, wanted);
}

#[tokio::test]
async fn data_with_the_type_of_a_web_page_or_compressed_untold_is_read() {
    let (world, documents) = world_of_documents().await;
    let feed = |numbers: [usize; 2]| {
        let records = numbers.map(record).concat();
        format!("<advisories>{records}</advisories>")
    };
    documents.set_header(CONTENT_TYPE, "text/html; charset=utf-8");
    documents.set(1, feed([1, 2]));
    let report = world.pull_one().await;
    assert_eq!((report.outcome.error(), report.tally.added), (None, 2));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(feed([3, 4]).as_bytes()).unwrap();
    documents.set(1, encoder.finish().unwrap());
    let report = world.pull_one().await;
    assert_eq!((report.outcome.error(), report.tally.added), (None, 2));
    let page = json!({"count": 1, "next": null, "results": [{"id": 1, "title": "T"}]});
    documents.set_answer(TICKETS, 200, (CONTENT_TYPE, "text/html"), &page);
    assert_eq!(error_of_tickets(&world).await, "ok");
    documents.set(1, "<br />Gateway");
    let report = world.pull_one().await;
    let error = report.outcome.error().unwrap_or_default();
    assert!(
        error.ends_with("returned a web page without a title, starting with `<br />Gateway`"),
        "{error}"
    );
}

#[tokio::test]
async fn links_elsewhere_and_lists_in_place_of_pages_are_told_as_they_came() {
    let (world, documents) = world_of_documents().await;
    let row = json!({"id": 1, "title": "T", "modified": "2026-01-02T10:00:00Z"});
    let link = "http://elsewhere.example/api/tickets/?page=2";
    let page = json!({"count": 2, "next": link, "results": [row]});
    documents.set_json(TICKETS, &page);
    let error = error_of_tickets(&world).await;
    let asked = format!("the answer to GET {}/api/tickets/?", documents.base_url);
    assert!(error.starts_with(&asked), "{error}");
    assert!(error.contains(&format!(" links to `{link}`")), "{error}");
    documents.set_json(TICKETS, &json!([5, null, []]));
    let error = error_of_tickets(&world).await;
    let wanted = "a list instead of an object with `count`, `next` and `results`";
    assert!(error.ends_with(wanted), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_an_answer() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "hello\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut world = World::new().await;
        let address = listener.local_addr().unwrap();
        world.settings.upstream.base_url = Some(format!("http://{address}"));
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(head.as_bytes()).await;
            }
        });
        let report = world.pull_one().await;
        let error = report.outcome.error().unwrap_or_default();
        assert!(
            error.contains(": invalid HTTP response: "),
            "{head}: {error}"
        );
        serving.abort();
    }
}

#[tokio::test]
async fn inspect_reads_what_sync_reads() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let detail = r#"{"advisory_identifier": "SA1", "title": "T", "score": NaN}"#;
    let page = format!(r#"{{"count": 1, "next": null, "results": [{detail}]}}"#);
    for (name, text) in [("detail.json", detail), ("page.json", &page)] {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let result = world.cli(&["inspect", &file.display().to_string()]);
        assert_eq!(result.code, 0, "{result}");
        assert!(result.stdout.contains("1 record parsed"), "{result}");
    }
}
