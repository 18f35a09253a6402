//! Response bodies: encodings, limits and truncation.

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use tokio::io::AsyncWriteExt;

use super::super::{Answer, ClientError};
use super::server::{Act, ByteServer, answer, xml};
use super::{as_json, client, client_with, feed, page, settings};

/// The data read from a body, and its result.
async fn drain(mut answer: Answer) -> (Vec<u8>, Result<(), ClientError>) {
    let mut all = Vec::new();
    loop {
        match answer.body.chunk().await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

macro_rules! packed {
    ($encoder:ident, $bytes:expr) => {{
        // In a debug build, the best compression would take minutes.
        let mut encoder = $encoder::with_quality(Vec::new(), Level::Fastest);
        encoder.write_all($bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    }};
}

fn packed_answer(encoding: &str, body: &[u8]) -> Vec<u8> {
    let encoding = format!("Content-Encoding: {encoding}");
    answer(
        "200 OK",
        &["Content-Type: application/xml", &encoding],
        body,
    )
}

#[tokio::test]
async fn every_compression_is_undone_and_counted() {
    let text = format!("<feed>{}</feed>", "é & more\r\n".repeat(100_000));
    let bytes = text.as_bytes();
    let mut two_members = packed!(GzipEncoder, &bytes[..1000]);
    two_members.extend(packed!(GzipEncoder, &bytes[1000..]));
    for (encoding, body) in [
        ("identity", bytes.to_vec()),
        ("gzip", packed!(GzipEncoder, bytes)),
        ("x-gzip", two_members),
        ("br", packed!(BrotliEncoder, bytes)),
        ("zstd", packed!(ZstdEncoder, bytes)),
    ] {
        let wire = body.len() as u64;
        let reply = packed_answer(encoding, &body);
        let server = ByteServer::start(move |_, _| Act::Say(reply.clone())).await;
        let client = client(&server.base);
        let answer = client.get(&feed()).await.unwrap();
        assert_eq!(answer.content_length, Some(wire), "{encoding}");
        let (all, end) = drain(answer).await;
        end.unwrap();
        assert!(all == bytes, "{encoding}");
        let usage = client.usage();
        assert_eq!(
            (usage.bytes, usage.wire_bytes),
            (bytes.len() as u64, wire),
            "{encoding}"
        );
    }
}

/// A few bytes on the wire that would be many times as much memory when parsed.
#[tokio::test]
async fn json_with_too_many_values_is_refused_while_it_arrives() {
    let values = format!("{{\"count\": 1, \"x\": [{}0]}}", "0,".repeat(4 << 20));
    for (encoding, body) in [
        ("gzip", packed!(GzipEncoder, values.as_bytes())),
        ("identity", values.clone().into_bytes()),
    ] {
        let encoding = format!("Content-Encoding: {encoding}");
        let headers = ["Content-Type: application/json", &encoding];
        let reply = answer("200 OK", &headers, body);
        let server = ByteServer::start(move |_, _| Act::Say(reply.clone())).await;
        let client = client(&server.base);
        let error = client.get_whole(&page()).await.unwrap_err();
        assert!(
            matches!(error, ClientError::TooManyValues { .. }),
            "{error}"
        );
        assert!(!error.is_transient());
        assert!(client.usage().bytes < 1 << 20, "{:?}", client.usage());
        assert_eq!(server.requests().len(), 1, "not asked again");
    }
}

#[tokio::test]
async fn a_bomb_is_cut_at_the_limit_whatever_its_compression() {
    const LIMIT: u64 = 1 << 20;
    let zeros = vec![b' '; 8 << 20];
    for (encoding, body) in [
        ("gzip", packed!(GzipEncoder, &zeros)),
        ("br", packed!(BrotliEncoder, &zeros)),
        ("zstd", packed!(ZstdEncoder, &zeros)),
        ("identity", zeros.clone()),
    ] {
        let reply = packed_answer(encoding, &body);
        let server = ByteServer::start(move |_, _| Act::Say(reply.clone())).await;
        let mut settings = settings(&server.base);
        settings.max_body_bytes = LIMIT;
        let client = client_with(&settings);
        let (all, end) = drain(client.get(&feed()).await.unwrap()).await;
        let error = end.unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::TooLarge {
                    limit_bytes: LIMIT,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.is_transient());
        assert!(all.len() as u64 <= LIMIT, "{encoding}");
        assert!(
            client.usage().bytes <= LIMIT + (1 << 18),
            "{encoding}: {:?}",
            client.usage()
        );
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let body = format!("<{}>", "x".repeat(2046));
    let server = ByteServer::start(move |_, _| xml(&body)).await;
    let mut settings = settings(&server.base);
    settings.max_body_bytes = 2048;
    let (all, end) = drain(client_with(&settings).get(&feed()).await.unwrap()).await;
    end.unwrap();
    assert_eq!(all.len(), 2048);
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_after_what_came() {
    let whole = format!("<feed>{}", "x".repeat(100_000));
    let packed = packed!(GzipEncoder, whole.as_bytes());
    let cut = packed[..packed.len() - 6].to_vec();
    let half = answer("200 OK", &["Content-Type: application/xml"], &whole);
    let half = half[..half.len() / 2].to_vec();
    for reply in [packed_answer("gzip", &cut), half] {
        let server = ByteServer::start(move |_, _| Act::Say(reply.clone())).await;
        let (all, end) = drain(client(&server.base).get(&feed()).await.unwrap()).await;
        let error = end.unwrap_err();
        assert!(matches!(error, ClientError::CutShort { .. }), "{error:?}");
        assert!(error.is_transient() && all.starts_with(b"<feed>"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn silence_in_the_middle_is_a_timeout() {
    let whole = answer(
        "200 OK",
        &["Content-Type: application/xml"],
        "<".repeat(10_000),
    );
    let half = whole[..whole.len() / 2].to_vec();
    let server = ByteServer::start(move |_, _| Act::Stall(half.clone())).await;
    let (all, end) = drain(client(&server.base).get(&feed()).await.unwrap()).await;
    let error = end.unwrap_err();
    assert!(
        matches!(error, ClientError::Timeout { .. }) && error.is_transient(),
        "{error}"
    );
    assert!(!all.is_empty());
}

#[tokio::test]
async fn a_page_cut_short_is_asked_for_again() {
    let server = ByteServer::start(|number, _| {
        let whole = answer(
            "200 OK",
            &["Content-Type: application/json"],
            format!("{{\"a\": \"{}\"}}", "x".repeat(5000)),
        );
        match number {
            0 => Act::Say(whole[..whole.len() - 7].to_vec()),
            _ => Act::Say(whole),
        }
    })
    .await;
    let mut answer = client(&server.base).get_whole(&page()).await.unwrap();
    let value = as_json(&mut answer).await;
    assert_eq!(value["a"].as_str().unwrap().len(), 5000);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_unpacked_or_read_is_named() {
    let server = ByteServer::start(|number, _| match number {
        0 => Act::Say(packed_answer("compress", b"x")),
        _ => Act::Say(packed_answer("gzip", b"this is not gzip at all")),
    })
    .await;
    let client = client(&server.base);
    let error = client.get(&feed()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("unsupported content encoding `compress`"),
        "{error}"
    );
    let error = client.get(&feed()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Undecodable { .. }),
        "{error:?}"
    );
}
