//! Presets: what each sends is what the vendor documents, also at its worst.

use std::io::Read as _;
use std::path::Path;

use advisoryd::config::{Preset, presets};
use advisoryd::model::{Alert, ChangedField, Message, MessagePurpose, RemoteObject};
use advisoryd::sink::Sink;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::alerts::{alert, file, message, sink};
use crate::support::json_schema::violations;
use crate::support::{Received, Receiver, Reply, assert_reads, binary, state_dir};

fn now() -> DateTime<Utc> {
    "2026-03-01T13:37:00Z".parse().unwrap()
}

/// The preset by its name, with what it needs; requests go to the receiver.
pub fn preset_sink(preset: Preset, receiver: &Receiver, dir: &Path) -> Sink {
    let whole: toml::Table = preset.text.parse().unwrap();
    let entry = &whole["alerts"]["sinks"][0];
    let mut own = toml::Table::new();
    let base = |text: &str| {
        let path = text.splitn(4, '/').nth(3).unwrap_or_default();
        format!("{}/{path}", receiver.url)
    };
    let secret = |name: &str| {
        let name = format!("{}-{name}", preset.name);
        file(dir, &name, &format!("hunter2-{name}"))
            .display()
            .to_string()
    };
    for key in ["secrets", "vars"] {
        if let Some(table) = entry.get(key).and_then(toml::Value::as_table) {
            let table = table.iter().map(|(name, value)| match key {
                "secrets" => (name.clone(), secret(name).into()),
                _ => (name.clone(), value.clone()),
            });
            own.insert(key.to_owned(), toml::Value::Table(table.collect()));
        }
    }
    let url = entry.get("url").and_then(toml::Value::as_str);
    own.insert(
        "url".into(),
        url.map_or_else(|| base("https://x/hook"), base).into(),
    );
    own.insert("allow_private".into(), true.into());
    for key in ["password_file", "bearer_file"] {
        if entry.get(key).is_some() {
            own.insert(key.to_owned(), secret(key).into());
        }
    }
    if let Some(name) = entry.get("username") {
        own.insert("username".to_owned(), name.clone());
    }
    if let Some(oauth2) = entry.get("oauth2") {
        let mut oauth2 = oauth2.as_table().unwrap().clone();
        oauth2.insert("token_url".into(), format!("{}/token", receiver.url).into());
        oauth2.insert("secret_file".into(), secret("oauth").into());
        own.insert("oauth2".into(), oauth2.into());
    }
    // Tables inline, so that they belong to the sink.
    let own: Vec<String> = own
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let own = own.join("\n");
    sink(&format!(
        "kind = \"{}\"\nrequests_per_minute = 6000\n{own}",
        preset.name
    ))
}

/// An answer that every vendor could have given.
const ANSWER: &str = r#"{"ok": true, "status": "success", "code": 0, "errors": false, "key": "SEC-1",
    "result": {"sys_id": "abc"}, "access_token": "granted-access", "issues": []}"#;

/// What was sent as JSON, one value per line of NDJSON.
fn values(received: &Received) -> Vec<Value> {
    let mut bytes = received.bytes.to_vec();
    if received.headers.contains_key("content-encoding") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut plain)
            .unwrap();
        bytes = plain;
    }
    serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn schema(name: &str) -> Value {
    let path = format!(
        "{}/tests/front_door/vendor_schemas/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Sends the message; what arrived, without requests for tokens and lookups.
pub async fn sent(preset: Preset, message: &Message) -> Vec<Value> {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    receiver.usually(Reply::With(200, Vec::new(), ANSWER.to_owned()));
    let sink = preset_sink(preset, &receiver, dir.path());
    let receipt = sink.send(message, now()).await;
    let receipt = receipt.unwrap_or_else(|refused| panic!("{}: {refused}", preset.name));
    assert!(
        !format!("{receipt:?} {sink:?}").contains("hunter2"),
        "{}",
        preset.name
    );
    let schema = schema(preset.name);
    let mut all = Vec::new();
    for received in receiver.received() {
        if received.uri.path() == "/token" || received.method == "GET" {
            continue;
        }
        let most = schema["maxBytes"].as_u64().unwrap_or(u64::MAX);
        assert!(
            (received.bytes.len() as u64) <= most,
            "{}: {} bytes",
            preset.name,
            received.bytes.len()
        );
        for value in values(&received) {
            let wrong = violations(&schema, &value);
            assert!(wrong.is_empty(), "{}: {}", preset.name, wrong.join("\n"));
            all.push(value);
        }
    }
    all
}

/// An alert whose texts are as long as they can be, of that letter.
fn longest(letter: char, count: usize) -> Vec<Alert> {
    let text = |length: usize| letter.to_string().repeat(length);
    let one = Alert {
        title: text(1000),
        summary: text(1000),
        key: text(1000),
        severity: Some("extremely_critical".into()),
        severity_rank: Some(5),
        cves: (0..100).map(|n| format!("CVE-2026-{n:07}")).collect(),
        more_cves: 900,
        products: vec![text(200); 10],
        watch_list_ids: (1..=100).collect(),
        watch_list_names: vec![text(200); 100],
        solution: Some(text(400)),
        solution_status: Some(text(1000)),
        cvss_vector: Some(text(1000)),
        cvss_score: Some(9.8),
        ticket_status: Some(text(1000)),
        ticket_number: Some(i64::MAX),
        changed: (0..100)
            .map(|_| ChangedField {
                field: "title".into(),
                old: Some(text(200)),
                new: Some(text(200)),
            })
            .collect(),
        advisory_url: Some(format!("https://svr.example.org/{}", "a".repeat(100))),
        ticket_url: Some(format!("https://svr.example.org/{}", "t".repeat(100))),
        ..alert("SA1", "extremely_critical")
    };
    vec![one.bounded(); count]
}

#[tokio::test]
async fn each_preset_sends_what_its_vendor_documents_whatever_the_message() {
    let mut resolved = alert("SA1", "rejected");
    resolved.resolved = true;
    let mut health = message(vec![Alert {
        kind: "advisoryd".into(),
        key: "sink x".into(),
        severity: None,
        ..alert("SA1", "unknown")
    }]);
    health.purpose = MessagePurpose::Health;
    let mut heartbeat = message(Vec::new());
    heartbeat.purpose = MessagePurpose::Heartbeat;
    heartbeat.title = "heartbeat".into();
    let mut long = message(longest('x', 3));
    long.title = "t".repeat(1000);
    let mut messages = vec![
        message(vec![alert("SA1", "highly_critical")]),
        message(vec![resolved]),
    ];
    messages.extend([health, heartbeat, long]);
    // Escaped, interrupted, of three bytes, of two units in UTF-16.
    for letter in ['*', '@', '<', '"', '漢'] {
        for count in [1, 10, 12] {
            messages.push(message(longest(letter, count)));
        }
    }
    for preset in presets() {
        for message in &messages {
            let values = sent(preset, message).await;
            assert!(!values.is_empty() || message.alerts.iter().all(|alert| alert.resolved));
        }
    }
}

#[tokio::test]
async fn no_text_of_a_stranger_links_or_mentions_in_any_preset_for_people() {
    let evil = "x https://evil.example/a www.evil.example @channel @here <!channel> <@U1> \
                [click](http://evil.example) [~admin] {html} [code]<a>[/code] #general";
    let mut one = alert("SA1", "highly_critical");
    for text in [&mut one.title, &mut one.summary, &mut one.key] {
        evil.clone_into(text);
    }
    one.solution = Some(evil.to_owned());
    one.solution_status = Some(evil.to_owned());
    let mut message = message(vec![one]);
    message.title = evil.to_owned();
    for preset in presets() {
        // These keep facts as data, which nobody draws.
        if matches!(
            preset.name,
            "splunk-hec" | "sentinel" | "elastic" | "pagerduty"
        ) {
            continue;
        }
        for value in sent(preset, &message).await {
            let mut texts = Vec::new();
            // These are data or plain text, which nobody draws.
            let plain: &[&str] = match preset.name {
                "opsgenie" => &["details", "entity"],
                "jira" => &["summary"],
                _ => &[],
            };
            collect(&value, plain, &mut texts);
            for text in texts.iter().filter(|text| text.contains("evil")) {
                for part in ["://evil", "www.evil.e", "@channel", "<!ch", "<@U"] {
                    assert!(!text.contains(part), "{}: {part} in {text}", preset.name);
                }
                let markup = match preset.name {
                    "jira" => ["[~", "{html}"],
                    "servicenow" => ["[code]", "[/code]"],
                    _ => ["](http", "<@"],
                };
                for part in markup {
                    // Escaped by a backslash.
                    let plain = text.replace("\\[", "").replace("\\{", "");
                    assert!(!plain.contains(part), "{}: {part} in {text}", preset.name);
                }
            }
        }
    }
}

/// What each preset sends of an alert whose texts are as bad as they can be, to be looked at.
#[tokio::test]
async fn each_preset_shows_bad_texts_as_they_are() {
    let mut one = alert("SA87735", "highly_critical");
    one.title = "h1. OpenSSL <b>\"x\"</b> & *bold* _it_ ~~s~~ `c` -del- +ins+ ??cite?? (x) \
                 [click](http://evil.example) [~admin] {html} @channel <!here> #general C:\\new"
        .to_owned();
    one.summary = "- was less critical, now *highly*\r\n> quote | table ${jndi:ldap://evil.example} {{ 7*7 }}".to_owned();
    one.solution = Some("Update to 2.0.1; see www.evil.example or mail a@evil.example".to_owned());
    one.severity_rank = Some(4);
    one.cves = vec!["CVE-2026-1".to_owned()];
    one.products = vec!["Example <VPN> 1.x".to_owned()];
    one.advisory_url = Some("https://svr.example.org/advisories/SA87735".to_owned());
    one.ticket_url = Some("javascript:alert(1)".to_owned());
    let mut message = message(vec![one.bounded()]);
    message.title = format!("SA87735: {}", message.alerts[0].title);
    let mut page = String::new();
    for preset in presets() {
        for value in sent(preset, &message).await {
            let value = serde_json::to_string_pretty(&value).unwrap();
            page += &[preset.name, "\n", &value, "\n"].concat();
        }
    }
    // It breaks addresses and names, and cannot be seen.
    assert_reads!(page.replace('\u{200b}', "¦"));
}

/// What a ticket system is told about an object that it has.
async fn told_of(name: &str, is_resolved: bool, result: Alert) -> Vec<Received> {
    let (dir, receiver) = (state_dir(), Receiver::start().await);
    receiver.usually(Reply::With(200, Vec::new(), ANSWER.to_owned()));
    let preset = presets().find(|preset| preset.name == name).unwrap();
    let sink = preset_sink(preset, &receiver, dir.path());
    let known = RemoteObject {
        id: Some("SEC-1".to_owned()),
        is_resolved,
    };
    let message = message(vec![result]);
    let sent = sink.send_part((&message, 0..1), Some(&known), now()).await;
    assert!(!sent.unwrap().object.unwrap().is_resolved);
    receiver.received()
}

#[tokio::test]
async fn ticket_systems_reopen_what_was_resolved() {
    let mut back = alert("SA1", "extremely_critical");
    back.what = "reinstated".to_owned();
    back.severity_rank = Some(5);
    let requests = told_of("jira", true, back.clone()).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].uri.path(),
        "/rest/api/2/issue/SEC-1/transitions"
    );
    assert_eq!(requests[0].body, json!({"transition": {"id": "11"}}));
    assert_eq!(requests[1].uri.path(), "/rest/api/2/issue/SEC-1");
    let reopened = told_of("servicenow", true, back.clone()).await;
    let body = &reopened[0].body;
    let of = |body: &Value, keys: [&str; 3]| keys.map(|key| body[key].clone());
    let keys = ["state", "urgency", "impact"];
    assert_eq!(of(body, keys), [json!("1"), json!("1"), json!("1")]);
    // What is open keeps its state, and its urgency unless the severity changes.
    assert_eq!(told_of("jira", false, back.clone()).await.len(), 1);
    let open = told_of("servicenow", false, back.clone()).await;
    assert_eq!(
        of(&open[0].body, keys),
        [Value::Null, Value::Null, Value::Null]
    );
    back.severity_before = Some("less_critical".to_owned());
    let worse = told_of("servicenow", false, back).await;
    assert_eq!(
        of(&worse[0].body, keys),
        [Value::Null, json!("1"), json!("1")]
    );
}

/// A mapping that Elasticsearch takes from the first document refuses no later one.
#[tokio::test]
async fn changed_values_are_sentences_for_elastic() {
    let mut one = alert("SA1", "highly_critical");
    let changed = |field: &str, old: &str, new: Option<&str>| ChangedField {
        field: field.to_owned(),
        old: Some(old.to_owned()),
        new: new.map(str::to_owned),
    };
    one.changed = vec![
        changed(
            "released_at",
            "2026-11-10T22:13:40+00:00",
            Some("2026-11-11T22:13:40+00:00"),
        ),
        changed("cvss3_score", "9.8", None),
    ];
    let preset = presets().find(|preset| preset.name == "elastic").unwrap();
    let lines = sent(preset, &message(vec![one])).await;
    let sent = &lines[1]["advisoryd"];
    assert_eq!(sent["changed"], Value::Null);
    assert_eq!(
        sent["changes"],
        json!([
            "released_at: 2026-11-10T22:13:40+00:00 → 2026-11-11T22:13:40+00:00",
            "cvss3_score: 9.8 → none"
        ])
    );
    assert_eq!(sent["key"], "SA1");
}

/// All texts but those of some keys.
fn collect<'a>(value: &'a Value, without: &[&str], texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|one| collect(one, without, texts)),
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !without.contains(&key.as_str()))
            .for_each(|(_, one)| collect(one, without, texts)),
        _ => {}
    }
}

#[tokio::test]
async fn secrets_of_presets_are_where_the_vendor_expects_them() {
    let message = message(vec![alert("SA1", "highly_critical")]);
    for (name, path, header, body) in [
        ("telegram", "/bothunter2-telegram-token/sendMessage", "", ""),
        (
            "pagerduty",
            "/v2/enqueue",
            "",
            "hunter2-pagerduty-routing_key",
        ),
        (
            "opsgenie",
            "/v2/alerts",
            "GenieKey hunter2-opsgenie-key",
            "",
        ),
        (
            "splunk-hec",
            "/services/collector/event",
            "Splunk hunter2-splunk-hec-token",
            "",
        ),
        (
            "elastic",
            "/advisoryd-alerts/_bulk",
            "ApiKey hunter2-elastic-api_key",
            "",
        ),
        (
            "sentinel",
            "/dataCollectionRules/dcr-00000000000000000000000000000000/streams/Custom-Advisoryd_CL",
            "Bearer granted-access",
            "",
        ),
        (
            "matrix",
            "/_matrix/client/v3/rooms/!abcdefghijkl:example.org/send/m.room.message/7c9d1e62-0000-5000-8000-000000000000",
            "Bearer hunter2-matrix-bearer_file",
            "",
        ),
    ] {
        let preset = presets().find(|preset| preset.name == name).unwrap();
        let (dir, receiver) = (state_dir(), Receiver::start().await);
        receiver.usually(Reply::With(200, Vec::new(), ANSWER.to_owned()));
        let sink = preset_sink(preset, &receiver, dir.path());
        sink.send(&message, now()).await.unwrap();
        let last = receiver.last();
        assert_eq!(last.uri.path(), path, "{name}");
        if !header.is_empty() {
            assert_eq!(last.header("authorization"), header, "{name}");
        }
        if !body.is_empty() {
            assert_eq!(last.body["routing_key"], json!(body));
        }
    }
}

#[test]
fn the_schemas_refuse_what_a_vendor_would_refuse() {
    let long = "x".repeat(4097);
    for (name, value) in [
        ("telegram", json!({"chat_id": "1", "text": long})),
        (
            "slack",
            json!({"text": "x", "blocks": vec![json!({"type": "header", "text": {"type": "plain_text", "text": "x"}}); 51]}),
        ),
        (
            "opsgenie",
            json!({"message": "x".repeat(131), "alias": "a"}),
        ),
        (
            "pagerduty",
            json!({"routing_key": "", "event_action": "resolve", "dedup_key": "x"}),
        ),
        (
            "discord",
            json!({"content": "x", "embeds": vec![json!({"description": "x".repeat(700)}); 9]}),
        ),
        ("google-chat", json!({"text": long})),
    ] {
        assert!(!violations(&schema(name), &value).is_empty(), "{name}");
    }
}

#[test]
fn the_command_shows_presets_and_prints_one() {
    let shown = |arguments: &[&str]| {
        let output = binary().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_reads!(shown(&["sinks", "presets"]));
    let printed = shown(&["sinks", "preset", "pagerduty"]);
    let preset = presets().find(|preset| preset.name == "pagerduty").unwrap();
    assert_eq!(printed.trim(), preset.text.trim());
    assert_eq!(
        shown(&["sinks", "presets", "--json"]).lines().count(),
        presets().count()
    );
    let unknown = binary().args(["sinks", "preset", "irc"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}
