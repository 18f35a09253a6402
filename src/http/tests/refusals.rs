//! Error responses and unexpected types.

use async_compression::tokio::write::GzipEncoder;
use tokio::io::AsyncWriteExt;

use super::super::ClientError;
use super::server::{Act, ByteServer, answer, json};
use super::{TOKEN, client, feed, page};

/// The client's error for a response to a JSON request, and the number of requests.
async fn ask(
    status: &'static str,
    headers: &'static [&'static str],
    body: String,
) -> (ClientError, usize) {
    let server = ByteServer::start(move |_, _| Act::Say(answer(status, headers, &body))).await;
    let error = client(&server.base).get(&page()).await.unwrap_err();
    (error, server.requests().len())
}

const JSON: &[&str] = &["Content-Type: application/json"];
const HTML: &[&str] = &["Content-Type: text/html; charset=utf-8"];

#[tokio::test]
async fn a_rejected_token_is_recognised_and_not_tried_again() {
    for (status, body) in [
        ("401 Unauthorized", "{\"detail\": \"Invalid token.\"}"),
        ("401 Unauthorized", ""),
        ("403 Forbidden", "{\"detail\": \"Invalid token.\"}"),
        (
            "403 Forbidden",
            "{\"detail\": \"Authentication credentials were not provided.\"}",
        ),
        (
            "403 Forbidden",
            "{\"detail\": \"User inactive or deleted.\"}",
        ),
    ] {
        let (error, requests) = ask(status, JSON, body.into()).await;
        assert!(
            matches!(error, ClientError::TokenRejected { .. }),
            "{error}"
        );
        assert_eq!((requests, error.is_transient()), (1, false));
    }
}

/// Every response may be compressed, since each request says that it may.
#[tokio::test]
async fn the_reason_of_a_compressed_refusal_is_read() {
    // More than is read of it: the reason is at the beginning.
    let body = format!("{{\"detail\": \"Invalid token.\"}}{}", " ".repeat(1 << 20));
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(body.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    let packed = encoder.into_inner();
    for cut in [packed.len(), packed.len() - 1] {
        let body = packed[..cut].to_vec();
        let headers = ["Content-Type: application/json", "Content-Encoding: gzip"];
        let reply = move |_: usize, _: &str| Act::Say(answer("403 Forbidden", &headers, &body));
        let server = ByteServer::start(reply).await;
        let error = client(&server.base).get(&page()).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::TokenRejected { detail, .. } if detail == "Invalid token."),
            "{error}"
        );
    }
}

#[tokio::test]
async fn other_refusals_keep_their_meaning_and_their_reason() {
    let no_right = "{\"detail\": \"You do not have permission to perform this action.\"}";
    let (error, requests) = ask("403 Forbidden", JSON, no_right.into()).await;
    assert!(
        matches!(&error, ClientError::Forbidden { detail, .. } if detail.starts_with("You do not"))
    );
    assert_eq!(requests, 1);
    let wall = "<html><title>Request blocked</title>bad token</html>";
    let (error, _) = ask("403 Forbidden", HTML, wall.into()).await;
    assert!(
        matches!(&error, ClientError::Forbidden { detail, .. } if detail.contains("`Request blocked`")),
        "{error}"
    );
    let (error, _) = ask(
        "404 Not Found",
        JSON,
        "{\"detail\": \"Invalid page.\"}".into(),
    )
    .await;
    assert!(error.is_invalid_page());
    let (error, _) = ask("404 Not Found", JSON, "{\"detail\": \"Not found.\"}".into()).await;
    assert!(matches!(error, ClientError::NotFound { .. }) && !error.is_invalid_page());
    let (error, requests) = ask("400 Bad Request", JSON, "{\"page\": [\"no\"]}".into()).await;
    assert!(
        matches!(&error, ClientError::Refused { status: 400, detail, .. } if detail.contains("page"))
    );
    assert_eq!(requests, 1);
    let (error, _) = ask("204 No Content", JSON, String::new()).await;
    assert!(matches!(error, ClientError::Refused { status: 204, .. }));
}

#[tokio::test]
async fn a_web_page_with_status_200_is_named_and_no_answer() {
    let page = "<!DOCTYPE html>\n<html><head><title>\n Log in </title></head></html>";
    for headers in [HTML, JSON] {
        let (error, _) = ask("200 OK", headers, page.into()).await;
        assert!(
            matches!(&error, ClientError::Html { page, .. } if page == "a web page titled `Log in`"),
            "{error}"
        );
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn the_wrong_type_is_an_error_that_names_it_and_a_vague_one_is_not() {
    let server = ByteServer::start(|number, _| match number {
        0 => json("200 OK", "{\"results\": []}"),
        1 => Act::Say(answer(
            "200 OK",
            &["Content-Type: text/plain"],
            "{\"results\": []}",
        )),
        2 => Act::Say(answer("200 OK", &[], " \r\n<feed/>")),
        3 => Act::Say(answer(
            "200 OK",
            &["Content-Type: application/octet-stream"],
            "\u{feff}<feed/>",
        )),
        _ => Act::Say(answer("200 OK", &["Content-Type: text/xml"], "<feed/>")),
    })
    .await;
    let client = client(&server.base);
    for _ in 0..2 {
        let error = client.get(&feed()).await.unwrap_err();
        assert!(
            matches!(error, ClientError::WrongType { wanted: "XML", .. }),
            "{error}"
        );
    }
    for _ in 0..3 {
        client.get(&feed()).await.unwrap();
    }
    let error = client.get(&page()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("expected JSON, got text/xml starting with `<feed/>`"),
        "{text}"
    );
}

#[tokio::test]
async fn no_message_repeats_the_token_or_a_whole_document() {
    let body = format!(
        "{{\"detail\": \"Token {TOKEN} is not known. {}\"}}",
        "x".repeat(5000)
    );
    let (error, _) = ask("401 Unauthorized", JSON, body).await;
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains(TOKEN) && text.contains("[redacted]"),
        "{text}"
    );
    assert!(text.len() < 1000, "{text}");
    let (error, _) = ask("200 OK", HTML, format!("<title>{TOKEN}</title>")).await;
    assert!(!format!("{error} {error:?}").contains(TOKEN));
}
