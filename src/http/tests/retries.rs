//! Retries, throttling, timeouts and limits.

use crate::clock::machine_now;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::TimeDelta;

use super::super::ClientError;
use super::server::{Act, ByteServer, answer, json, xml};
use super::{as_json, client, client_with, feed, page, settings};
use crate::config::{ApiToken, BackoffSettings};

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    let server = ByteServer::start(|number, _| match number {
        0 => Act::Reset,
        1 => json("503 Service Unavailable", "{}"),
        _ => json("200 OK", "{\"ok\": true}"),
    })
    .await;
    let client = client(&server.base);
    let mut answer = client.get(&page()).await.unwrap();
    assert_eq!(as_json(&mut answer).await["ok"], true);
    let usage = client.usage();
    assert_eq!((usage.requests, usage.retries, usage.bytes), (3, 2, 12));
}

#[tokio::test]
async fn attempts_end_and_the_last_error_is_reported() {
    for status in [
        "500 Oops",
        "502 Bad Gateway",
        "408 Request Timeout",
        "425 Too Early",
    ] {
        let server = ByteServer::start(move |_, _| json(status, "{\"detail\": \"oh\"}")).await;
        let error = client(&server.base).get(&page()).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Server { detail, .. } if detail == "oh"),
            "{error}"
        );
        assert!(error.is_transient());
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn no_connection_is_tried_again_and_then_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&base);
    let error = client.get(&page()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Network { .. }) && error.is_transient(),
        "{error}"
    );
    assert_eq!(client.usage().requests, 3);
}

#[tokio::test]
async fn silence_before_the_answer_is_a_timeout_and_tried_again() {
    let server = ByteServer::start(|number, _| match number {
        0 => Act::Stall(Vec::new()),
        1 => Act::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()),
        _ => xml("<feed/>"),
    })
    .await;
    client(&server.base).get(&feed()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

/// What came of it can be used; whoever reads it asks again.
#[tokio::test]
async fn the_beginning_of_a_body_is_handed_out_before_its_error() {
    let server = ByteServer::start(|_, _| {
        Act::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<fe".to_vec())
    })
    .await;
    let mut answer = client(&server.base).get(&feed()).await.unwrap();
    assert_eq!(
        answer.body.chunk().await.unwrap().as_deref(),
        Some(&b"<fe"[..])
    );
    let error = answer.body.chunk().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
}

/// A header line, computed when it is sent.
type Header = fn() -> String;

/// A 429 pauses unrelated requests too, for as long as it says.
async fn throttled(header: Header, body: &'static str) -> Duration {
    let seen = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&seen);
    let server = ByteServer::start(move |_, head| {
        if head.contains("/tickets/") && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return Act::Say(answer("429 Too Many Requests", &[&header()], body));
        }
        if head.contains("/tickets/") {
            json("200 OK", "{}")
        } else {
            xml("<feed/>")
        }
    })
    .await;
    let client = client(&server.base);
    let start = Instant::now();
    let (page, feed) = (page(), feed());
    let other = async {
        while client.usage().throttled == 0 {
            tokio::task::yield_now().await;
        }
        client.get(&feed).await.map(|_| start.elapsed())
    };
    let (first, other) = tokio::join!(client.get(&page), other);
    first.unwrap();
    assert_eq!(client.usage().throttled, 1);
    other.unwrap()
}

#[tokio::test]
async fn a_429_in_any_of_its_forms_pauses_all_requests() {
    let forms: [(Header, &str); 3] = [
        (|| "Retry-After: 1".into(), "slow down"),
        (
            || "X-Nothing: 0".into(),
            "{\"detail\": \"Request was throttled. Expected available in 1 second.\"}",
        ),
        (in_three_seconds, ""),
    ];
    for (header, body) in forms {
        let waited = throttled(header, body).await;
        assert!(waited >= Duration::from_millis(900), "{body}: {waited:?}");
        assert!(waited < Duration::from_secs(10), "{body}: {waited:?}");
    }
}

/// A date has whole seconds: three from now are more than one when it is read.
fn in_three_seconds() -> String {
    let date = SystemTime::from(machine_now()) + Duration::from_secs(3);
    format!("Retry-After: {}", httpdate::fmt_http_date(date))
}

#[tokio::test]
async fn a_429_that_never_ends_is_reported_with_its_wait() {
    let server =
        ByteServer::start(|_, _| Act::Say(answer("429 Too Many", &["Retry-After: 86400"], "")))
            .await;
    let mut settings = settings(&server.base);
    settings.max_attempts = 1;
    let client = client_with(&settings);
    let error = client.get(&page()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Throttled { wait, .. } if wait == Duration::from_mins(10)),
        "{error}"
    );
    assert!(client.paused_for().unwrap() > Duration::from_secs(590));
}

#[tokio::test]
async fn a_wait_of_nothing_is_none() {
    let past = || {
        let date = SystemTime::from(machine_now()) - Duration::from_secs(30);
        format!("Retry-After: {}", httpdate::fmt_http_date(date))
    };
    for header in ["Retry-After: 0".to_owned(), past()] {
        for status in ["503 Oops", "408 Late"] {
            let header = header.clone();
            let server =
                ByteServer::start(move |_, _| Act::Say(answer(status, &[&header], ""))).await;
            let mut settings = settings(&server.base);
            settings.max_attempts = 1;
            let client = client_with(&settings);
            let error = client.get(&page()).await.unwrap_err();
            assert!(
                matches!(error, ClientError::Server { wait: None, .. }),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_in_its_pause_pauses_nobody() {
    let server = ByteServer::start(|number, _| match number {
        0 => json("500 Oops", "{}"),
        _ => json("200 OK", "{}"),
    })
    .await;
    let mut settings = settings(&server.base);
    settings.backoff = BackoffSettings {
        first: Duration::from_hours(1000),
        longest: Duration::from_hours(1000),
    };
    let client = client_with(&settings);
    let given_up = tokio::time::timeout(Duration::from_millis(300), client.get(&page())).await;
    assert!(given_up.is_err());
    client.get(&page()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn the_daily_limit_is_an_error_at_once_and_counts_the_ledger() {
    let server = ByteServer::start(|_, _| json("200 OK", "{}")).await;
    let mut settings = settings(&server.base);
    settings.requests_per_day = 10;
    let earlier = machine_now() - TimeDelta::hours(23);
    let token = ApiToken::parse("x").unwrap();
    let client = super::Client::new(
        &settings,
        token,
        vec![(earlier, 8)],
        crate::clock::Clock::system(),
    )
    .unwrap();
    client.get(&page()).await.unwrap();
    client.for_run().get(&page()).await.unwrap();
    let error = client.get(&page()).await.unwrap_err();
    let ClientError::DailyBudget { limit: 10, until } = error else {
        panic!("{error}");
    };
    assert!((until - machine_now() - TimeDelta::hours(1)).abs() < TimeDelta::minutes(2));
    assert!(error.is_transient());
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        (client.usage().requests, client.total_usage().requests),
        (1, 2)
    );
}

#[tokio::test]
async fn requests_keep_the_rate_of_the_settings() {
    let server = ByteServer::start(|_, _| json("200 OK", "{}")).await;
    let mut settings = settings(&server.base);
    settings.requests_per_minute = 1200;
    let client = client_with(&settings);
    let start = Instant::now();
    for _ in 0..12 {
        client.get(&page()).await.unwrap();
    }
    // A burst of four, then one every 50 ms.
    assert!(
        start.elapsed() >= Duration::from_millis(380),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn upstreams_clock_is_taken_from_its_answers() {
    let date = httpdate::fmt_http_date(SystemTime::from(machine_now()) + Duration::from_hours(2));
    let headers = format!("Date: {date}");
    let server = ByteServer::start(move |_, _| Act::Say(answer("200 OK", &[&headers], "{}"))).await;
    let client = client(&server.base);
    let answer = client.get(&page()).await.unwrap();
    assert!(answer.date.is_some());
    let ahead = client.upstream_now() - machine_now();
    assert!(
        (ahead - TimeDelta::hours(2)).abs() < TimeDelta::seconds(5),
        "{ahead}"
    );
}
