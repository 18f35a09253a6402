use serde_json::json;

use super::{DEFAULT_TOKEN, get, send, simulator};
use crate::simulate::{Simulator, ThrottleForm};

const TICKETS: &str = "/api/tickets/";

async fn with(simulator: &Simulator, headers: &str) -> (u16, serde_json::Value) {
    let answer = send(simulator.addr(), "GET", TICKETS, headers).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn only_the_right_token_in_the_right_form_is_accepted() {
    let simulator = simulator(|options| options.refusal_status = 403).await;
    let missing = json!({"detail": "Authentication credentials were not provided."});
    let wrong = json!({"detail": "Invalid token."});
    assert_eq!(with(&simulator, "").await, (403, missing.clone()));
    let bare = format!("Authorization: {DEFAULT_TOKEN}\r\n");
    assert_eq!(with(&simulator, &bare).await, (403, missing));
    assert_eq!(
        with(&simulator, "Authorization: Token 0123\r\n").await,
        (403, wrong.clone())
    );
    assert_eq!(get(&simulator, TICKETS).await.status, 200);
    simulator.set_token("another");
    assert_eq!(get(&simulator, TICKETS).await.json(), wrong);
}

#[tokio::test]
async fn requests_are_seen_with_their_cookies_and_cookies_are_offered() {
    let simulator = simulator(|_| {}).await;
    let answer = get(&simulator, "/api/tickets/?page=1").await;
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .starts_with("sessionid=")
    );
    let headers = "Cookie: sessionid=7\r\nUser-Agent: test\r\n";
    send(simulator.addr(), "DELETE", TICKETS, headers).await;
    let seen = simulator.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].status), ("GET", 200));
    assert_eq!(
        (seen[0].target.as_str(), &seen[0].cookie),
        ("/api/tickets/?page=1", &None)
    );
    assert_eq!((seen[1].method.as_str(), seen[1].status), ("DELETE", 401));
    assert_eq!(seen[1].cookie.as_deref(), Some("sessionid=7"));
    assert_eq!(seen[1].user_agent.as_deref(), Some("test"));
}

#[tokio::test]
async fn what_is_neither_get_nor_options_is_refused() {
    let simulator = simulator(|_| {}).await;
    let token = format!("Authorization: Token {DEFAULT_TOKEN}\r\n");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(
            send(simulator.addr(), method, TICKETS, &token).await.status,
            405
        );
    }
    let answer = send(simulator.addr(), "OPTIONS", TICKETS, &token).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["actions"]["POST"]["title"].is_object());
}

#[tokio::test]
async fn a_missing_slash_is_a_redirect_that_keeps_the_query() {
    let simulator = simulator(|_| {}).await;
    let answer = get(&simulator, "/api/tickets?page=2").await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some("/api/tickets/?page=2"));
}

#[tokio::test]
async fn browsers_get_a_page_and_impossible_wishes_get_406() {
    let simulator = simulator(|_| {}).await;
    let token = format!("Authorization: Token {DEFAULT_TOKEN}\r\n");
    let ask = async |accept: &str, target: &str| {
        let headers = format!("{token}Accept: {accept}\r\n");
        send(simulator.addr(), "GET", target, &headers).await
    };
    let page = ask("text/html,*/*;q=0.8", TICKETS).await;
    assert!(page.text().starts_with("<!DOCTYPE html>"));
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(ask("application/xml", TICKETS).await.status, 406);
    let feed = "/api/xml-feed/?feed_type=all&days=300";
    assert_eq!(ask("application/json", feed).await.status, 406);
    assert_eq!(ask("application/xml, */*;q=0.1", feed).await.status, 200);
}

#[tokio::test]
async fn the_call_beyond_the_limit_learns_when_to_come_back_in_three_forms() {
    for form in [
        ThrottleForm::Seconds,
        ThrottleForm::Date,
        ThrottleForm::Detail,
    ] {
        let simulator = simulator(|options| {
            options.limits.per_minute = 3;
            options.limits.form = form;
        })
        .await;
        for _ in 0..3 {
            assert_eq!(get(&simulator, TICKETS).await.status, 200);
        }
        let answer = get(&simulator, TICKETS).await;
        assert_eq!(answer.status, 429);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let digits: String = detail.chars().filter(char::is_ascii_digit).collect();
        let after = answer.header("retry-after");
        match form {
            ThrottleForm::Seconds => assert_eq!(after, Some(digits.as_str())),
            ThrottleForm::Detail => assert!(after.is_none() && digits.parse::<u32>().unwrap() > 50),
            ThrottleForm::Date => {
                let until = httpdate::parse_http_date(after.unwrap()).unwrap();
                let now = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
                let wait = until.duration_since(now).unwrap().as_secs();
                assert!(
                    (50..=61).contains(&wait) && digits.is_empty(),
                    "{wait} {detail}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_limit_of_a_day_applies_beside_that_of_a_minute() {
    let simulator = simulator(|options| {
        options.limits.per_minute = 0;
        options.limits.per_day = 2;
    })
    .await;
    get(&simulator, TICKETS).await;
    get(&simulator, TICKETS).await;
    let wait = get(&simulator, TICKETS).await;
    let wait: u32 = wait.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 86_000, "{wait}");
}
