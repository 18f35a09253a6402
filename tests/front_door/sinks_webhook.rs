//! Webhooks, checked by the library that receivers use.

use std::collections::BTreeMap;
use std::process::Command;

use advisoryd::clock::machine_now;
use advisoryd::model::Message;
use standardwebhooks::Webhook;

use crate::support::alerts::{alert, file, message, sink, try_sink};
use crate::support::{Received, Receiver, assert_reads, state_dir};

const OLD: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=";

fn webhook(url: &str, secret: &std::path::Path, more: &str) -> String {
    format!(
        "kind = \"webhook\"\nurl = \"{url}/in\"\nallow_private = true\nsecret_file = \"{}\"\n{more}\n",
        secret.display()
    )
}

/// As a receiver does it.
fn verifies(secret: &str, received: &Received) -> bool {
    let mut headers = received.headers.clone();
    let good = Webhook::new(secret)
        .unwrap()
        .verify(&received.bytes, &headers)
        .is_ok();
    // A library that accepts anything proves nothing.
    headers.insert("webhook-id", "another".parse().unwrap());
    let bad = Webhook::new(secret)
        .unwrap()
        .verify(&received.bytes, &headers);
    assert!(bad.is_err());
    good
}

#[tokio::test]
async fn an_independent_library_accepts_the_signature_and_the_body_is_the_message() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let secret = file(dir.path(), "secret", &format!("{OLD}\n"));
    let sink = sink(&webhook(&receiver.url, &secret, ""));
    let message = message(vec![
        alert("SA1", "highly_critical"),
        alert("SA2", "unknown"),
    ]);
    receiver.usually(204);
    let now = machine_now();
    let receipt = sink.send(&message, now).await.unwrap();
    assert_eq!(receipt.status, Some(204));
    let posted = receiver.last();
    assert!(verifies(OLD, &posted) && !verifies(NEW, &posted));
    assert_eq!((posted.method.as_str(), posted.uri.path()), ("POST", "/in"));
    assert_eq!(posted.header("webhook-id"), message.id);
    assert_eq!(
        posted.header("webhook-timestamp"),
        now.timestamp().to_string()
    );
    assert_eq!(posted.header("content-type"), "application/json");
    let result: Message = serde_json::from_slice(&posted.bytes).unwrap();
    assert_eq!(result, message);
}

#[tokio::test]
async fn while_secrets_are_rotated_whoever_knows_either_can_check() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let secret = file(dir.path(), "secret", &format!("{NEW}\n{OLD}\n"));
    let sink = sink(&webhook(&receiver.url, &secret, ""));
    let message = message(vec![alert("SA1", "highly_critical")]);
    sink.send(&message, machine_now()).await.unwrap();
    let posted = receiver.last();
    assert!(verifies(OLD, &posted) && verifies(NEW, &posted));
    assert_eq!(posted.header("webhook-signature").split(' ').count(), 2);
    // A repeat is the same message at another time.
    sink.send(&message, machine_now()).await.unwrap();
    assert_eq!(
        receiver.last().header("webhook-id"),
        posted.header("webhook-id")
    );
    assert_eq!(receiver.last().bytes, posted.bytes);
}

#[tokio::test]
async fn a_body_of_a_template_is_signed_as_it_is_sent() {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let secret = file(dir.path(), "secret", OLD);
    let template = file(
        dir.path(),
        "t.j2",
        "{\"said\": {{ alerts | map(attribute=\"key\") | list }}}",
    );
    let more = format!("template_file = \"{}\"", template.display());
    let sink = sink(&webhook(&receiver.url, &secret, &more));
    let message = message(vec![
        alert("SA1", "highly_critical"),
        alert("SA2", "unknown"),
    ]);
    sink.send(&message, machine_now()).await.unwrap();
    assert!(verifies(OLD, &receiver.last()));
    assert_eq!(
        receiver.last().body,
        serde_json::json!({"said": ["SA1", "SA2"]})
    );
}

#[test]
fn a_file_that_holds_no_secret_of_a_webhook_is_refused_and_not_shown() {
    let dir = state_dir();
    let mut refused = Vec::new();
    for text in [
        "hunter2",
        "whsec_hunter2",
        "whsec_aHVudGVyMg==",
        "whsec_",
        "",
        "\n\n",
        &format!("{OLD}\n{NEW}\n{OLD}"),
    ] {
        let secret = file(dir.path(), "secret", text);
        let error = try_sink(&webhook("http://127.0.0.1:9", &secret, "")).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(
            !said.contains("hunter2") && !said.contains("aHVu") && !said.contains("MDEy"),
            "{said}"
        );
        refused.push(error.to_string());
    }
    let missing = webhook("http://127.0.0.1:9", &dir.path().join("none"), "");
    refused.push(try_sink(&missing).unwrap_err().to_string());
    assert_reads!(refused.join("\n"));
}

#[tokio::test]
async fn the_lines_of_the_documentation_verify_a_message() {
    let docs = include_str!("../../docs/alerts-sinks.md");
    let lines = docs.split("```python\n").nth(1).unwrap();
    let lines = lines.split("```").next().unwrap();
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    let secret = file(dir.path(), "secret", &format!("{NEW}\n{OLD}\n"));
    let message = message(vec![alert("SA1", "highly_critical")]);
    let sink = sink(&webhook(&receiver.url, &secret, ""));
    sink.send(&message, machine_now()).await.unwrap();
    let posted = receiver.last();
    let body = file(
        dir.path(),
        "body",
        std::str::from_utf8(&posted.bytes).unwrap(),
    );
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: BTreeMap<&str, &str> = names
        .into_iter()
        .map(|name| (name, posted.header(name)))
        .collect();
    let ask = format!(
        "{lines}\nimport sys\nbody = open({body:?}, 'rb').read()\nheaders = {headers:?}\n\
         for secret in sys.argv[1:]:\n    print(verify(secret, headers, body), verify(secret, headers, body + b' '))\n"
    );
    let other = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy";
    let output = Command::new("python3")
        .args(["-c", &ask, OLD, NEW, other])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "True False\nTrue False\nFalse False\n");
}
