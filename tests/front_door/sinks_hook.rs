//! Requests of the generic hook: method, path, framing, secrets, tokens, certificates.

use std::io::Read as _;
use std::time::{Duration, Instant};

use advisoryd::model::Alert;
use advisoryd::sink::{DeliveryReceipt, Refused, Sink};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::alerts::{alert, file, message, sink, try_sink};
use crate::support::{Authority, Receiver, Reply, TlsFront, assert_reads, state_dir};

fn now() -> DateTime<Utc> {
    "2026-03-01T13:37:00Z".parse().unwrap()
}

async fn send(sink: &Sink) -> Result<DeliveryReceipt, Refused> {
    let alerts = vec![
        alert("SA1", "highly_critical"),
        alert("SA2", "less_critical"),
    ];
    sink.send(&message(alerts), now()).await
}

fn hook(receiver: &Receiver, more: &str) -> Sink {
    sink(&hook_text(&receiver.url, more))
}

fn hook_text(url: &str, more: &str) -> String {
    format!("kind = \"hook\"\nurl = \"{url}\"\nallow_private = true\n{more}\n")
}

#[tokio::test]
async fn method_path_and_secrets_are_as_configured_and_secrets_do_not_come_back() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let token = file(dir.path(), "token", "hunter2:token/hunter2\n");
    let text = format!(
        "method = \"PUT\"\npath = \"/{{{{ secrets.token }}}}/{{{{ id }}}}?a={{{{ title }}}}&b={{{{ vars.b }}}}\"\n\
         secrets = {{ token = \"{}\" }}\nvars = {{ b = \"x&y=../z\" }}\n\
         headers = {{ Authorization = \"Key {{{{ secrets.token }}}}\" }}\n\
         template = '{{\"key\": {{{{ secrets.token }}}}, \"n\": {{{{ alerts | length }}}}}}'",
        token.display()
    );
    let sink = hook(&receiver, &text);
    receiver.usually(Reply::Echo);
    let echoed = send(&sink).await.unwrap_err();
    let said = format!("{echoed} {echoed:?} {sink:?}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(echoed.reason.starts_with("PUT http://"), "{echoed}");
    let got = receiver.last();
    assert_eq!(got.method, "PUT");
    // No value can add a segment or a parameter.
    assert_eq!(
        got.uri.to_string(),
        format!(
            "/hunter2:token%2Fhunter2/{}?a=2%20new&b=x%26y%3D..%2Fz",
            message(Vec::new()).id
        )
    );
    assert_eq!(got.header("authorization"), "Key hunter2:token/hunter2");
    assert_eq!(got.body, json!({"key": "hunter2:token/hunter2", "n": 2}));
    assert_eq!(got.header("idempotency-key"), message(Vec::new()).id);
}

#[tokio::test]
async fn one_request_per_alert_has_that_alert_and_its_own_key() {
    let receiver = Receiver::start().await;
    let template = "template = '{\"alert\": {{ alert.key }}, \"object\": {{ alert.object_id }}, \"title\": {{ title }}}'";
    let sink = hook(&receiver, &format!("per = \"alert\"\n{template}"));
    assert_eq!(sink.parts(&message(vec![alert("SA1", "unknown"); 3])), 3);
    send(&sink).await.unwrap();
    let got = receiver.received();
    let keys: Vec<&str> = got
        .iter()
        .map(|one| one.body["alert"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["SA1", "SA2"]);
    assert_ne!(got[0].body["object"], got[1].body["object"]);
    assert_ne!(
        got[0].header("idempotency-key"),
        got[1].header("idempotency-key")
    );
    // The same object whatever the alert.
    send(&sink).await.unwrap();
    assert_eq!(receiver.received()[2].body["object"], got[0].body["object"]);
    // Of the message, a template per message knows no single alert.
    let error = try_sink(&hook_text(&receiver.url, template)).unwrap_err();
    assert!(error.to_string().contains("undefined value"), "{error}");
}

#[tokio::test]
async fn bodies_are_framed_and_compressed_as_configured() {
    let receiver = Receiver::start().await;
    let lines =
        "framing = \"ndjson\"\ntemplate = '''{\"index\": {}}\n{\n  \"key\": {{ alert.key }}\n}'''";
    send(&hook(&receiver, lines)).await.unwrap();
    let got = receiver.last();
    assert_eq!(got.header("content-type"), "application/x-ndjson");
    assert_eq!(
        got.bytes,
        "{\"index\":{}}\n{\"key\":\"SA1\"}\n{\"index\":{}}\n{\"key\":\"SA2\"}\n"
    );
    let form = "framing = \"form\"\ntemplate = '{\"text\": {{ title ~ \" & more\" }}, \"n\": 1, \"none\": null}'";
    send(&hook(&receiver, form)).await.unwrap();
    let got = receiver.last();
    assert_eq!(
        got.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(got.bytes, "n=1&text=2+new+%26+more");
    let text = "framing = \"text\"\ncompress = \"gzip\"\ntemplate = '{{ title }} <&'";
    send(&hook(&receiver, text)).await.unwrap();
    let got = receiver.last();
    assert_eq!(got.header("content-encoding"), "gzip");
    assert_eq!(got.header("content-type"), "text/plain; charset=utf-8");
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&got.bytes[..]);
    decoder.read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "2 new <&");
    for (framing, template) in [("form", "[1]"), ("ndjson", "{\"a\""), ("json", "{{ title")] {
        let text = format!("framing = \"{framing}\"\ntemplate = '{template}'");
        let text = hook_text(&receiver.url, &text);
        let whole = format!("[[alerts.sinks]]\nname = \"s\"\n{text}");
        let refused = advisoryd::config::Config::from_text("c", &whole)
            .map_err(|error| error.to_string())
            .and_then(|config| match Sink::open(&config.alerts.sinks[0]) {
                Ok(sink) => Ok(sink),
                Err(error) => Err(error.to_string()),
            });
        // A form is only known when it is rendered.
        match refused {
            Err(_) => {}
            Ok(sink) => assert!(!send(&sink).await.unwrap_err().can_repeat, "{framing}"),
        }
    }
}

#[tokio::test]
async fn a_response_that_says_no_is_a_failure_whatever_its_status() {
    let receiver = Receiver::start().await;
    let text = "template = '{}'\nsuccess = { pointer = \"/ok\", equals = true }";
    let sink = hook(&receiver, text);
    for (body, why) in [
        (
            "{\"ok\": false, \"error\": \"x\"}",
            "the response has `false` at /ok, expected `true`",
        ),
        ("{}", "the response has nothing at /ok"),
        ("<html>", "the response has nothing at /ok"),
    ] {
        receiver.usually(Reply::With(200, Vec::new(), body.to_owned()));
        let refused = send(&sink).await.unwrap_err();
        assert!(refused.reason.contains(why), "{refused}");
        assert!(refused.can_repeat && refused.status == Some(200));
    }
    receiver.usually(Reply::With(200, Vec::new(), "{\"ok\": true}".to_owned()));
    send(&sink).await.unwrap();
}

/// A server of tokens: each answer is another one.
fn grant(receiver: &Receiver, token: &str, seconds: u32) {
    let body = format!("{{\"access_token\": \"{token}\", \"expires_in\": {seconds}}}");
    receiver.usually(Reply::With(200, Vec::new(), body));
}

#[tokio::test]
async fn an_access_token_is_cached_renewed_when_rejected_and_never_shown() {
    let (dir, tokens, api) = (
        state_dir(),
        Receiver::start().await,
        Receiver::start().await,
    );
    let secret = file(dir.path(), "secret", "hunter2-client\n");
    let sink = hook(
        &api,
        &format!(
            "template = '{{}}'\noauth2 = {{ token_url = \"{}/token\", client_id = \"me\", \
             secret_file = \"{}\", scope = \"a b\" }}",
            tokens.url,
            secret.display()
        ),
    );
    grant(&tokens, "hunter3-first", 3600);
    send(&sink).await.unwrap();
    send(&sink).await.unwrap();
    assert_eq!(tokens.received().len(), 1, "it is cached");
    assert_eq!(api.last().header("authorization"), "Bearer hunter3-first");
    assert_eq!(
        tokens.last().bytes,
        "grant_type=client_credentials&scope=a+b&client_id=me&client_secret=hunter2-client"
    );
    // Rejected: asked for once more, and the request repeated.
    grant(&tokens, "hunter4-second", 3600);
    api.answer(401, None);
    send(&sink).await.unwrap();
    assert_eq!(api.last().header("authorization"), "Bearer hunter4-second");
    assert_eq!((tokens.received().len(), api.received().len()), (2, 4));
    // Rejected again: a failure, and no endless loop.
    api.usually(Reply::With(401, Vec::new(), "no hunter4-second".to_owned()));
    let refused = send(&sink).await.unwrap_err();
    assert_eq!((refused.status, api.received().len()), (Some(401), 6));
    assert!(
        !format!("{refused:?} {sink:?}").contains("hunter4"),
        "{refused:?}"
    );
    // Expired.
    api.usually(200);
    let sent = tokens.received().len();
    let later = now() + TimeDelta::hours(2);
    sink.send(&message(vec![alert("SA1", "unknown")]), later)
        .await
        .unwrap();
    assert_eq!(tokens.received().len(), sent + 1);
    // No token: the failure is one of authentication and is retried.
    tokens.usually(Reply::With(
        400,
        Vec::new(),
        "{\"error\": \"invalid_client hunter2-client\"}".into(),
    ));
    let much_later = now() + TimeDelta::hours(9);
    let refused = sink
        .send(&message(vec![alert("SA1", "unknown")]), much_later)
        .await;
    let refused = refused.unwrap_err();
    assert!(
        refused.can_repeat && refused.reason.starts_with("no access token"),
        "{refused}"
    );
    assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
    assert_eq!(format!("{:?}", refused.kind), "Auth");
}

/// The receiver and the server of tokens repeat the token that was exchanged.
#[tokio::test]
async fn an_access_token_that_was_exchanged_is_never_shown_either() {
    let (dir, tokens, api) = (
        state_dir(),
        Receiver::start().await,
        Receiver::start().await,
    );
    let secret = file(dir.path(), "secret", "hunter2-client\n");
    let sink = hook(
        &api,
        &format!(
            "template = '{{}}'\noauth2 = {{ token_url = \"{}/token\", client_id = \"me\", secret_file = \"{}\" }}",
            tokens.url,
            secret.display()
        ),
    );
    grant(&tokens, "hunter6-exchanged", 3600);
    send(&sink).await.unwrap();
    // Rejected; the answer to the next one repeats it.
    grant(&tokens, "hunter7-current", 3600);
    api.answer(401, None);
    let body = "you first used hunter6-exchanged and then hunter7-current".to_owned();
    api.usually(Reply::With(400, Vec::new(), body));
    let refused = send(&sink).await.unwrap_err();
    assert!(refused.answer.contains("first used"), "{refused:?}");
    assert!(!format!("{refused:?}").contains("hunter"), "{refused:?}");
    // The server of tokens repeats it, or refuses with a token.
    for body in [
        "{\"error\": \"invalid\", \"error_description\": \"hunter6-exchanged is valid\"}",
        "{\"error\": \"invalid\", \"access_token\": \"hunter8-refused\"}",
    ] {
        api.usually(401);
        tokens.usually(Reply::With(400, Vec::new(), body.to_owned()));
        let refused = send(&sink).await.unwrap_err();
        assert!(refused.reason.starts_with("no access token"), "{refused:?}");
        assert!(!refused.answer.is_empty(), "{refused:?}");
        assert!(!format!("{refused:?}").contains("hunter"), "{refused:?}");
    }
    grant(&tokens, &"hunter9".repeat(3000), 3600);
    let refused = send(&sink).await.unwrap_err();
    assert_reads!(refused.reason);
}

#[tokio::test]
async fn an_id_that_contains_a_secret_or_control_characters_is_not_remembered() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let secret = file(dir.path(), "secret", "hunter5-in-an-id\n");
    let sink = hook(
        &receiver,
        &format!(
            "per = \"alert\"\nremember = \"/id\"\ntemplate = '{{}}'\nsecrets = {{ token = \"{}\" }}\n\
             headers = {{ Authorization = \"Key {{{{ secrets.token }}}}\" }}",
            secret.display()
        ),
    );
    let mut reasons = Vec::new();
    for id in [
        "hunter5-in-an-id",
        "x-aHVudGVyNS1pbi1hbi1pZA==",
        "a\u{1b}[2Jb",
        "a\u{202e}b",
    ] {
        let body = serde_json::json!({"id": id}).to_string();
        receiver.usually(Reply::With(200, Vec::new(), body));
        let refused = send(&sink).await.unwrap_err();
        assert!(refused.is_created, "{refused:?}");
        assert!(!format!("{refused:?}").contains("hunter5"), "{refused:?}");
        reasons.push(refused.reason);
    }
    assert_reads!(reasons.join("\n"));
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let (authority, receiver) = (Authority::new(), Receiver::start().await);
    let server = receiver.addr.to_string();
    let front = TlsFront::for_known(server, &authority.identity(), &authority).await;
    let trusted = format!(
        "template = '{{}}'\nca_file = \"{}\"",
        authority.file().display()
    );
    let unknown = sink(&hook_text(&front.base_url, &trusted));
    assert!(send(&unknown).await.unwrap_err().can_repeat);
    assert!(receiver.received().is_empty());
    let identity = authority.identity();
    let shown = format!(
        "{trusted}\nclient_cert_file = \"{}\"\nclient_key_file = \"{}\"",
        identity.certificate.display(),
        identity.key.display()
    );
    send(&sink(&hook_text(&front.base_url, &shown)))
        .await
        .unwrap();
    std::fs::write(&identity.key, "no key").unwrap();
    let error = try_sink(&hook_text(&front.base_url, &shown)).unwrap_err();
    assert_reads!(error);
}

#[tokio::test]
async fn no_more_requests_than_allowed_are_made_in_a_minute() {
    let slow = sink("kind = \"log\"\nrequests_per_minute = 30");
    assert_eq!(slow.concurrency(), Some(1));
    let sink = sink("kind = \"log\"\nrequests_per_minute = 600");
    assert_eq!(sink.concurrency(), None);
    let begun = std::time::Instant::now();
    for _ in 0..4 {
        send(&sink).await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

fn many(count: usize) -> Vec<Alert> {
    let alerts = (1..=count).map(|number| alert(&format!("SA{number}"), "highly_critical"));
    alerts.collect()
}

#[tokio::test]
async fn lines_are_rendered_in_a_time_that_grows_with_their_number() {
    let receiver = Receiver::start().await;
    let template = "framing = \"ndjson\"\ntemplate = '{\"of\": {{ id }}, \"alert\": {{ alert }}}'";
    let sink = hook(&receiver, template);
    let least = async |count: usize| {
        let message = message(many(count));
        let mut least = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            sink.send(&message, now()).await.unwrap();
            least = least.min(began.elapsed());
        }
        assert_eq!(
            String::from_utf8_lossy(&receiver.last().bytes)
                .matches('\n')
                .count(),
            count
        );
        least
    };
    let (few, more) = (least(100).await, least(800).await);
    let ratio = more.as_secs_f64() / few.as_secs_f64();
    assert!(ratio < 20.0, "{few:?} for 100, {more:?} for 800");
}

#[tokio::test]
async fn rendering_holds_nobody_up_and_does_not_count_as_time_of_the_receiver() {
    let receiver = Receiver::start().await;
    let slow = "framing = \"text\"\ntimeout = \"1s\"\ntemplate = '{% if alerts | length > 99 %}\
         {% for a in range(1100) %}{% for b in range(1000) %}{{ b }}{% endfor %}{% endfor %}{% endif %}done'";
    let sink = hook(&receiver, slow);
    let waited = async {
        let began = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        began.elapsed()
    };
    let began = Instant::now();
    let message = message(many(100));
    let (sent, waited) = tokio::join!(sink.send(&message, now()), waited);
    sent.unwrap();
    let took = began.elapsed();
    assert!(waited < took / 2, "others waited {waited:?} of {took:?}");
}

/// The keys of the alerts of each request.
fn keys(receiver: &Receiver) -> Vec<Vec<String>> {
    let requests = receiver.received();
    let keys = requests.iter().map(|request| {
        let keys = request.body["keys"].as_array().unwrap().iter();
        keys.map(|key| key.as_str().unwrap().to_owned()).collect()
    });
    keys.collect()
}

const KEYS: &str =
    "template = '{\"id\": {{ id }}, \"keys\": {{ alerts | map(attribute=\"key\") | list }}}'";

#[tokio::test]
async fn a_message_that_is_larger_than_max_bytes_is_divided() {
    let receiver = Receiver::start().await;
    let sink = hook(&receiver, &format!("max_bytes = 1000\n{KEYS}"));
    let whole = message(many(300));
    sink.send(&whole, now()).await.unwrap();
    let requests = receiver.received();
    assert!(requests.len() > 1 && requests.iter().all(|one| one.bytes.len() <= 1000));
    let wanted: Vec<String> = whole.alerts.iter().map(|one| one.key.clone()).collect();
    assert_eq!(keys(&receiver).concat(), wanted);
    // A receiver that drops what it knows takes each of them.
    let mut ids: Vec<String> = requests
        .iter()
        .map(|one| one.body["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), requests.len());
    for one in &requests {
        let id = one.body["id"].as_str().unwrap();
        assert!(id.starts_with(&whole.id), "{id}");
        assert_eq!(one.header("idempotency-key"), id);
    }
    // A single alert is sent whatever its size.
    let sink = hook(&receiver, &format!("max_bytes = 1\n{KEYS}"));
    let before = receiver.received().len();
    sink.send(&message(many(2)), now()).await.unwrap();
    assert_eq!(keys(&receiver)[before..], [["SA1"], ["SA2"]]);
}

#[tokio::test]
async fn what_a_receiver_finds_too_large_is_sent_in_halves() {
    let receiver = Receiver::start().await;
    let sink = hook(&receiver, KEYS);
    receiver.answer(413, None);
    receiver.answer(413, None);
    sink.send(&message(many(5)), now()).await.unwrap();
    let sizes: Vec<usize> = keys(&receiver).iter().map(Vec::len).collect();
    assert_eq!(sizes, [5, 3, 2, 2, 1]);
    receiver.usually(413);
    let refused = sink.send(&message(many(1)), now()).await.unwrap_err();
    assert!(!refused.can_repeat, "{refused}");
    assert_reads!(refused.reason);
}

#[test]
fn a_form_of_lists_is_refused_when_the_sink_is_opened() {
    let text = "framing = \"form\"\ntemplate = '{\"a\": {{ title }}, \"b\": {{ alerts | map(attribute=\"key\") | list }}}'";
    let refused = try_sink(&hook_text("http://127.0.0.1:9", text)).unwrap_err();
    assert_reads!(refused);
}
