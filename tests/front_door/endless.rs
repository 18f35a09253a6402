//! `next` links that never end: pages that lead back, and a new page for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::support::{CommandResult, World};

/// More requests than this to one collection would use up an account's minute.
const MAX_REQUESTS: usize = 60;

#[derive(Debug, Clone, Copy)]
enum Links {
    /// Two pages that lead to each other.
    Back,
    /// Each page leads to a new one, with the same rows.
    On,
    /// The same, without any row.
    OnWithoutRows,
}

struct Upstream {
    links: Links,
    requests: AtomicUsize,
}

impl Upstream {
    fn next(&self, path: &str) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let page = match self.links {
            Links::Back => number % 2,
            Links::On | Links::OnWithoutRows => number + 2,
        };
        format!("{path}?page={page}")
    }
}

async fn answer(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_empty = matches!(upstream.links, Links::OnWithoutRows);
    let json = |text: String| ([(CONTENT_TYPE, "application/json")], text).into_response();
    match path {
        "/api/tickets/" | "/api/advisories/" => {
            let row = r#"{"id": 1, "advisory_identifier": "SA1", "title": "one", "modified_date": "2026-11-01T00:00:00Z"}"#;
            let rows = if is_empty {
                String::new()
            } else {
                vec![row; 100].join(",")
            };
            let next = upstream.next(path);
            json(format!(
                r#"{{"count": 5, "next": "{next}", "results": [{rows}]}}"#
            ))
        }
        "/api/xml-feed/" => {
            let record = "<advisory><said>SA1</said><title>one</title></advisory>";
            let records = if is_empty {
                String::new()
            } else {
                record.repeat(100)
            };
            let next = upstream.next(path);
            let text = format!("<feed><count>5</count><next>{next}</next>{records}</feed>");
            ([(CONTENT_TYPE, "application/xml")], text).into_response()
        }
        _ => json(r#"{"id": 1, "name": "one"}"#.to_owned()),
    }
}

/// What `sync` says of one kind of source, and how many pages were requested.
async fn sync(links: Links, what: &str) -> (CommandResult, usize) {
    let mut world = World::new().await;
    let upstream = Arc::new(Upstream {
        links,
        requests: AtomicUsize::new(0),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&upstream));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    world.settings.upstream.base_url = Some(format!("http://{address}"));
    world.settings.feeds.sweep = Some(false);
    let mut command = world.command(&["sync", what]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let result = tokio::time::timeout(Duration::from_mins(1), output)
        .await
        .expect("it ends")
        .unwrap();
    (result.into(), upstream.requests.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_never_end_fail_the_run_after_a_few_requests() {
    for links in [Links::Back, Links::On, Links::OnWithoutRows] {
        for what in ["tickets", "feeds"] {
            let (result, requests) = sync(links, what).await;
            assert_eq!(result.code, 1, "{links:?} {what}: {result}");
            let says = [
                "leads back to",
                "still more pages",
                "has no",
                "not recognised",
                "the pages before it had too",
            ];
            let text = result.to_string();
            assert!(
                says.iter().any(|part| text.contains(part)),
                "{links:?} {what}: {text}"
            );
            assert!(
                requests < MAX_REQUESTS,
                "{links:?} {what}: {requests} requests"
            );
        }
    }
}
