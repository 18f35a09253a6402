//! Posting of alerts: what the receiver says decides, and nothing goes where it may not.

use std::time::Duration;

use advisoryd::clock::Clock;
use advisoryd::sink::{ANSWER_BYTES, DeliveryReceipt, Refused, Sink};
use chrono::{DateTime, Utc};

use crate::support::alerts::{alert, file, message, sink, try_sink};
use crate::support::{Authority, Receiver, Reply, TlsFront, assert_reads, state_dir};

fn now() -> DateTime<Utc> {
    "2026-03-01T13:37:00Z".parse().unwrap()
}

async fn send(sink: &Sink) -> Result<DeliveryReceipt, Refused> {
    let message = message(vec![alert("SA1", "highly_critical")]);
    sink.send(&message, now()).await
}

fn hook(url: &str, more: &str) -> String {
    format!("kind = \"hook\"\npreset = \"slack\"\nurl = \"{url}\"\nallow_private = true\n{more}\n")
}

#[tokio::test]
async fn the_status_tells_whether_trying_again_helps() {
    let receiver = Receiver::start().await;
    let sink = sink(&hook(&receiver.url, ""));
    for status in [200, 201, 202, 204] {
        receiver.usually(status);
        let receipt = send(&sink).await.unwrap();
        assert_eq!(receipt.status, Some(i32::from(status)));
    }
    let mut reasons = Vec::new();
    for (status, can_repeat) in [
        (301, false),
        (400, false),
        (401, false),
        (404, false),
        (408, true),
        (410, false),
        (422, false),
        (425, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
    ] {
        let body = "it\r\nis\u{1b}[31m so".to_owned();
        receiver.usually(Reply::With(status, Vec::new(), body));
        let refused = send(&sink).await.unwrap_err();
        assert_eq!(refused.status, Some(i32::from(status)));
        assert_eq!(refused.can_repeat, can_repeat, "{status}");
        assert_eq!(refused.answer, "it is [31m so");
        assert_eq!(refused.wait, None);
        reasons.push(refused.reason);
    }
    assert_reads!(reasons.join("\n"));
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_believed_for_a_day() {
    let receiver = Receiver::start().await;
    let sink = sink(&hook(&receiver.url, ""));
    let date = ("date", "Sun, 01 Mar 2026 00:00:00 GMT".to_owned());
    for (status, after, seconds) in [
        (429, "37", Some(37)),
        (503, "0", None),
        (429, "Sun, 01 Mar 2026 00:01:30 GMT", Some(90)),
        (429, "Sat, 28 Feb 2026 00:00:00 GMT", None),
        (429, "999999999999999999999", Some(86_400)),
        (429, "Sun, 01 Mar 2099 00:00:00 GMT", Some(86_400)),
        (429, "soon", None),
    ] {
        let headers = vec![("retry-after", after.to_owned()), date.clone()];
        receiver.usually(Reply::With(status, headers, String::new()));
        let refused = send(&sink).await.unwrap_err();
        let wait = refused.wait.map(|wait| wait.as_secs());
        assert_eq!(wait, seconds, "{after}");
        assert!(refused.can_repeat);
    }
}

#[tokio::test]
async fn a_slow_receiver_is_waited_for_and_a_silent_one_is_given_up() {
    let receiver = Receiver::start().await;
    receiver.slowly(Duration::from_millis(300));
    let patient = sink(&hook(&receiver.url, ""));
    assert!(send(&patient).await.is_ok());
    receiver.usually(Reply::Never);
    let hasty = sink(&hook(&receiver.url, "timeout = \"200ms\""));
    let silent = send(&hasty).await.unwrap_err();
    assert!(silent.can_repeat && silent.status.is_none());
    drop(receiver);
    let nobody = sink(&hook("http://127.0.0.1:9/", ""));
    let refused = send(&nobody).await.unwrap_err();
    assert!(refused.can_repeat);
    assert_reads!(silent.reason, refused.reason);
}

#[tokio::test]
async fn of_an_answer_without_end_only_the_beginning_is_read() {
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Endless);
    let receipt = send(&sink(&hook(&receiver.url, ""))).await.unwrap();
    assert_eq!(receipt.answer, "x".repeat(ANSWER_BYTES));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let thief = Receiver::start().await;
    let receiver = Receiver::start().await;
    let sink = sink(&hook(&receiver.url, ""));
    let mut reasons = Vec::new();
    for status in [301, 302, 307, 308] {
        let target = vec![("location", format!("{}/x", thief.url))];
        receiver.usually(Reply::With(status, target, String::new()));
        let refused = send(&sink).await.unwrap_err();
        assert!(!refused.can_repeat);
        reasons.push(refused.reason);
    }
    assert_reads!(reasons.join("\n"));
    assert!(thief.received().is_empty());
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_unless_allowed() {
    let dir = state_dir();
    let receiver = Receiver::start().await;
    let port = receiver.addr.port();
    let mut reasons = Vec::new();
    for url in [
        format!("https://127.0.0.1:{port}/x"),
        format!("https://localhost:{port}/x"),
        format!("https://[::ffff:7f00:1]:{port}/x"),
        format!("https://2130706433:{port}/x"),
        format!("http://127.0.0.1:{port}/x"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "http://example.org/x".to_owned(),
    ] {
        let file = file(dir.path(), "url", &url);
        let hook = format!(
            "kind = \"hook\"\npreset = \"slack\"\nurl_file = \"{}\"\n",
            file.display()
        );
        reasons.push(try_sink(&hook).unwrap_err().to_string());
    }
    assert_reads!(reasons.join("\n"));
    assert!(receiver.received().is_empty());
    assert!(send(&sink(&hook(&receiver.url, ""))).await.is_ok());
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of receivers and secrets")]
async fn no_secret_comes_back_in_an_outcome_or_a_message() {
    let dir = state_dir();
    let receiver = Receiver::start().await;
    let url = format!(
        "{}/services/hunter2hunter2/B0?t=hunter3hunter3",
        receiver.url
    );
    let url = file(dir.path(), "url", &url);
    let bearer = file(dir.path(), "bearer", "hunter4-bearer\n");
    let password = file(dir.path(), "password", "hunter5-password\n");
    let encoded = "YWRtaW46aHVudGVyNS1wYXNzd29yZA=="; // admin:hunter5-password
    let key = "aHVudGVyNmh1bnRlcjZodW50ZXI2aHVudGVyNg==";
    let secret = file(dir.path(), "secret", &format!("whsec_{key}\n"));
    let at = |auth: &str| {
        format!(
            "url_file = \"{}\"\nallow_private = true\n{auth}\n",
            url.display()
        )
    };
    let bearer = format!("bearer_file = \"{}\"", bearer.display());
    let basic = format!(
        "username = \"admin\"\npassword_file = \"{}\"",
        password.display()
    );
    let webhook = format!(
        "kind = \"webhook\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    for (text, own) in [
        (
            format!("kind = \"hook\"\npreset = \"slack\"\n{}", at(&bearer)),
            "hunter4-bearer",
        ),
        (format!("kind = \"alertmanager\"\n{}", at(&basic)), encoded),
        (format!("{webhook}{}", at(&bearer)), key),
    ] {
        let sink = sink(&text);
        receiver.usually(Reply::Echo);
        let echoed = send(&sink).await.unwrap_err();
        receiver.usually(Reply::With(410, Vec::new(), format!("no {own} here")));
        let gone = send(&sink).await.unwrap_err();
        assert_eq!(gone.answer, "no [redacted] here");
        receiver.usually(Reply::With(200, Vec::new(), format!("ok {own}")));
        let taken = send(&sink).await.unwrap();
        let said = format!("{echoed} {echoed:?} {taken:?} {sink:?}");
        for secret in ["hunter", "YWRtaW46aHVudGVy", "aHVudGVyNmh1"] {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(echoed.answer.contains("[redacted]") && echoed.answer.len() <= ANSWER_BYTES);
    }
    // The receiver did get them.
    assert!(receiver.received()[0].uri.to_string().contains("hunter2"));
    assert_eq!(
        receiver.received()[0].header("authorization"),
        "Bearer hunter4-bearer"
    );
    let basic = receiver.received()[3].clone();
    assert_eq!(basic.header("authorization"), format!("Basic {encoded}"));
    // Nor when nobody is there.
    drop(receiver);
    let refused = send(&sink(&format!(
        "kind = \"hook\"\npreset = \"slack\"\n{}",
        at("")
    )))
    .await
    .unwrap_err();
    assert!(!format!("{refused:?}").contains("hunter"), "{refused:?}");
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_named() {
    let (authority, receiver) = (Authority::new(), Receiver::start().await);
    let front = TlsFront::of(receiver.addr.to_string(), &authority.identity()).await;
    let refused = send(&sink(&hook(&front.base_url, ""))).await.unwrap_err();
    assert_reads!(refused.reason);
    assert!(receiver.received().is_empty());
    let trusted = format!("ca_file = \"{}\"", authority.file().display());
    assert!(send(&sink(&hook(&front.base_url, &trusted))).await.is_ok());
}

#[tokio::test]
async fn a_proxy_is_used_when_named() {
    let proxy = Receiver::start().await;
    // Nobody listens there; the receiver, asked as a proxy, answers for it.
    let named = format!("proxy = \"{}\"", proxy.url);
    assert!(
        send(&sink(&hook("http://127.0.0.1:9/x", &named)))
            .await
            .is_ok()
    );
    assert_eq!(proxy.last().uri.to_string(), "http://127.0.0.1:9/x");
}

#[tokio::test]
async fn a_template_of_the_operators_makes_the_body() {
    let dir = state_dir();
    let receiver = Receiver::start().await;
    let template = file(
        dir.path(),
        "t.j2",
        "{{ title }}: {{ alerts | length }} <&\"",
    );
    let text = format!(
        "kind = \"hook\"\nurl = \"{}\"\nallow_private = true\ntemplate_file = \"{}\"\n",
        receiver.url,
        template.display()
    );
    // What is said to be JSON has to be.
    assert_reads!(try_sink(&text).unwrap_err());

    let sink = sink(&format!(
        "{text}content_type = \"text/plain; charset=utf-8\"\nheaders = {{ X-Team = \"soc\" }}"
    ));
    send(&sink).await.unwrap();
    let last = receiver.last();
    assert_eq!(last.bytes, "1 new: 1 <&\"");
    assert_eq!(last.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(last.header("x-team"), "soc");
    assert!(last.headers.get("cookie").is_none());
}

#[tokio::test]
async fn a_sink_says_what_it_is() {
    let sink = sink("kind = \"log\"");
    assert_eq!((sink.name(), sink.kind()), ("s", "log"));
    // Deliveries run beside each other.
    let result = tokio::spawn(async move {
        let now = Clock::system().now();
        sink.send(&message(Vec::new()), now).await
    });
    assert_reads!(result.await.unwrap().unwrap().answer);
}

#[tokio::test]
async fn headers_from_a_file_are_sent_and_never_come_back() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let headers = file(
        dir.path(),
        "headers",
        "X-Api-Key: hunter7-header\nAuthorization: Key hunter8-header\n",
    );
    let from_file = format!("headers_file = \"{}\"", headers.display());
    let sink = sink(&hook(&receiver.url, &from_file));
    receiver.usually(Reply::With(410, Vec::new(), "no hunter7-header".to_owned()));
    let gone = send(&sink).await.unwrap_err();
    assert_eq!(gone.answer, "no [redacted]");
    assert!(!format!("{gone:?} {sink:?}").contains("hunter"), "{gone:?}");
    let posted = receiver.last();
    assert_eq!(posted.header("x-api-key"), "hunter7-header");
    assert_eq!(posted.header("authorization"), "Key hunter8-header");

    let mut reasons = Vec::new();
    for text in [
        "hunter7",
        "Host: hunter7",
        "webhook-id: hunter7",
        "a b: hunter7",
    ] {
        std::fs::write(&headers, text).unwrap();
        reasons.push(
            try_sink(&hook(&receiver.url, &from_file))
                .unwrap_err()
                .to_string(),
        );
    }
    let reasons = reasons.join("\n");
    assert!(!reasons.contains("hunter7"), "{reasons}");
    let reasons = reasons.replace(&headers.display().to_string(), "[file]");
    assert_reads!(reasons);
}
