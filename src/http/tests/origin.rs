//! Origin: redirects, `next` links, token and proxy.

use super::super::{BodyType, ClientError, SeenRows};
use super::server::{Act, ByteServer, answer, json};
use super::{TOKEN, as_json, client, client_with, page, settings};
use crate::config::ApiToken;

fn redirect(status: &str, target: &str) -> Act {
    Act::Say(answer(status, &[&format!("Location: {target}")], ""))
}

#[tokio::test]
async fn every_request_carries_token_accept_and_agent_and_no_cookie() {
    let server = ByteServer::start(|number, _| match number {
        0 => Act::Say(answer(
            "301 Moved",
            &[
                "Location: /api/v1/tickets/?page=1",
                "Set-Cookie: session=evil; Path=/",
            ],
            "",
        )),
        _ => Act::Say(answer(
            "200 OK",
            &[
                "Content-Type: application/json",
                "Set-Cookie: session=evil; Path=/",
            ],
            "{\"count\": 0}",
        )),
    })
    .await;
    let client = client(&server.base);
    let mut answer = client.get(&page()).await.unwrap();
    let value = as_json(&mut answer).await;
    assert_eq!(value["count"], 0);
    assert_eq!(answer.url.path(), "/api/v1/tickets/");
    client.get_whole(&page()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(
        requests[0].starts_with("GET /api/tickets/?page=1 HTTP/1.1\r\n"),
        "{requests:?}"
    );
    for request in &requests {
        assert!(
            request.contains(&format!("authorization: Token {TOKEN}\r\n")),
            "{request}"
        );
        assert!(
            request.contains("accept: application/json, */*;q=0.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("accept-encoding: gzip, br, zstd\r\n"),
            "{request}"
        );
        assert!(request.contains("user-agent: advisoryd/"), "{request}");
        assert!(
            !request.to_ascii_lowercase().contains("cookie"),
            "{request}"
        );
    }
    assert_eq!(client.usage().requests, 3);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed_and_the_token_stays_home() {
    let other = ByteServer::start(|_, _| json("200 OK", "{}")).await;
    let target = format!("{}/api/tickets/", other.base);
    let server = ByteServer::start(move |_, _| redirect("302 Found", &target)).await;
    let error = client(&server.base).get(&page()).await.unwrap_err();
    assert!(matches!(error, ClientError::Elsewhere { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("which is not on http://127.0.0.1:"),
        "{error}"
    );
    assert!(!error.is_transient());
    assert_eq!(server.requests().len(), 1);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = ByteServer::start(|_, _| redirect("307 Again", "/api/tickets/?page=1")).await;
    let error = client(&server.base).get(&page()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::TooManyRedirects { .. }),
        "{error}"
    );
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn an_evil_next_is_not_followed_and_a_versioned_one_is() {
    let other = ByteServer::start(|_, _| json("200 OK", "{}")).await;
    let server = ByteServer::start(|_, _| json("200 OK", "{}")).await;
    let client = client(&server.base);
    for next in [
        format!("{}/api/tickets/?page=2", other.base),
        "https://evil.example/api/tickets/?page=2".into(),
        server.base.replace("http://", "https://"),
        server.base.replace("http://", "http://evil.example@"),
    ] {
        let error = client.get_url(&next, BodyType::Json).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Elsewhere { .. }),
            "{next}: {error}"
        );
    }
    assert!(server.requests().is_empty() && other.requests().is_empty());
    let next = format!("{}/api/v1/tickets/?page=2", server.base);
    client
        .get_url_rest(&next, BodyType::Json, SeenRows::default())
        .await
        .unwrap();
    assert!(server.requests()[0].starts_with("GET /api/v1/tickets/?page=2 "));
}

#[tokio::test]
async fn the_proxy_of_the_settings_is_used_and_its_password_not_shown() {
    let proxy = ByteServer::start(|_, _| json("200 OK", "{\"by\": \"proxy\"}")).await;
    let url = proxy.base.replace("http://", "http://me:hunter2@");
    let mut settings = settings("http://upstream.example");
    settings.allow_http = true;
    settings.proxy = Some(crate::config::SecretUrl::new(&url.parse().unwrap()));
    client_with(&settings).get(&page()).await.unwrap();
    let request = &proxy.requests()[0];
    assert!(
        request.starts_with("GET http://upstream.example/api/tickets/?page=1 "),
        "{request}"
    );
    assert!(request.contains("proxy-authorization: Basic "), "{request}");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_proxys_password_comes_from_its_file_and_is_not_shown() {
    let proxy = ByteServer::start(|_, _| json("200 OK", "{\"by\": \"proxy\"}")).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let mut settings = settings("http://upstream.example");
    settings.allow_http = true;
    let url = proxy.base.replace("http://", "http://me@");
    settings.proxy = Some(crate::config::SecretUrl::new(&url.parse().unwrap()));
    settings.proxy_password_file = Some(crate::config::SecretFile::at(&file));
    let token = ApiToken::parse(TOKEN).unwrap();
    let clock = crate::clock::Clock::system();
    let error = super::Client::new(&settings, token, Vec::new(), clock).unwrap_err();
    assert!(error.to_string().contains("proxy_password_file"), "{error}");

    std::fs::write(&file, "hunter2:/@\n").unwrap();
    client_with(&settings).get(&page()).await.unwrap();
    let request = &proxy.requests()[0];
    // me:hunter2:/@
    let sent = "proxy-authorization: Basic bWU6aHVudGVyMjovQA==";
    assert!(request.contains(sent), "{request}");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[tokio::test]
async fn plain_http_to_another_machine_makes_no_client() {
    let token = ApiToken::parse(TOKEN).unwrap();
    let remote = settings("http://upstream.example");
    let error = super::Client::new(
        &remote,
        token.clone(),
        Vec::new(),
        crate::clock::Clock::system(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("allow_http"), "{error}");
    let mut bad_ca = settings("https://upstream.example");
    bad_ca.ca_file = Some("/nonexistent/ca.pem".into());
    let error =
        super::Client::new(&bad_ca, token, Vec::new(), crate::clock::Clock::system()).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
}
