//! Traces: a span per run and per delivery attempt, without secrets, and a collector that
//! fails delays nothing. Only in a build with the feature `otlp` (`make test-otlp`).

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use advisoryd::simulate::DEFAULT_TOKEN;
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::support::settings::{EVERY_SECOND, Rule};
use crate::support::{CommandResult, Receiver, Reply, Running, World};

const KEY: &str = "c0llector-Key-9f8e7d6c";
/// What a stop may take on a busy machine, with two seconds for the last spans: less than the
/// ten seconds for which a collector that hangs is waited for otherwise.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// The program, which sends traces there at short intervals.
fn traced(world: &World, arguments: &[&str], endpoint: &str) -> Command {
    let mut command = world.command(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .env("ADVISORYD_LOG__OTLP_ENDPOINT", endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    command
}

fn requests(collector: &Receiver) -> Vec<ExportTraceServiceRequest> {
    let received = collector.received().into_iter();
    let decode = |bytes| ExportTraceServiceRequest::decode(bytes).unwrap();
    received.map(|request| decode(request.bytes)).collect()
}

fn spans(collector: &Receiver) -> Vec<Span> {
    let of_resources = requests(collector)
        .into_iter()
        .flat_map(|one| one.resource_spans);
    let of_scopes = of_resources.flat_map(|one| one.scope_spans);
    of_scopes.flat_map(|one| one.spans).collect()
}

fn said(pairs: &[KeyValue], name: &str) -> String {
    let pair = pairs.iter().find(|pair| pair.key == name);
    let value = pair.and_then(|pair| pair.value.clone());
    match value.and_then(|AnyValue { value }| value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

/// One line per run, as the run log has it too.
fn runs(spans: &[Span]) -> BTreeSet<String> {
    let runs = spans.iter().filter(|span| span.name != "delivery");
    let line = |span: &Span| {
        let names = ["run.id", "run.mode", "outcome", "records.added", "requests"];
        let values = names.map(|name| said(&span.attributes, &format!("advisoryd.{name}")));
        format!("{} {}", span.name, values.join(" "))
    };
    runs.map(line).collect()
}

/// How often the log says that traces are lost.
fn complaints(log: &str) -> usize {
    log.matches("traces cannot be sent").count()
}

#[tokio::test]
async fn each_run_and_each_delivery_is_one_span() {
    let (collector, receiver) = (Receiver::start().await, Receiver::start().await);
    let mut world = World::new().await;
    world.add_hook(&receiver);
    world.settings.alerts.rules = vec![Rule::to_hook("all", &["appeared"])];
    let headers = world.dir().join("otlp-headers");
    std::fs::write(&headers, format!("X-Api-Key: {KEY}\n")).unwrap();
    let endpoint = format!("{}/prefix/", collector.url);
    let mut command = traced(&world, &["sync", "--alert-backlog"], &endpoint);
    command.env("ADVISORYD_LOG__OTLP_HEADERS_FILE", &headers);
    let result = CommandResult::from(command.output().unwrap());
    assert_eq!(result.code, 0, "{result}");

    for request in collector.received() {
        assert_eq!(
            (request.method.as_str(), request.uri.path()),
            ("POST", "/prefix/v1/traces")
        );
        assert_eq!(request.header("content-type"), "application/x-protobuf");
        assert_eq!(request.header("x-api-key"), KEY);
    }
    let spans = spans(&collector);
    let in_log = "select concat_ws(' ', job, id, mode, outcome, added, requests)
                  from advisoryd.sync_run";
    let in_log: BTreeSet<String> = world.texts(in_log).await.into_iter().collect();
    assert!(in_log.len() > 2);
    assert_eq!(runs(&spans), in_log);
    let deliveries: Vec<&Span> = spans.iter().filter(|one| one.name == "delivery").collect();
    assert_eq!(spans.len(), in_log.len() + deliveries.len());
    assert!(!deliveries.is_empty());
    assert_eq!(deliveries.len(), receiver.received().len());
    for (name, value) in [
        ("advisoryd.sink", "hook"),
        ("advisoryd.rule", "all"),
        ("advisoryd.outcome", "delivered"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(said(&deliveries[0].attributes, name), value);
    }
    let traces: BTreeSet<&[u8]> = spans.iter().map(|span| span.trace_id.as_slice()).collect();
    assert_eq!(traces.len(), spans.len());
    let is_timed = |span: &Span| {
        (1..=span.end_time_unix_nano).contains(&span.start_time_unix_nano)
            && span.start_time_unix_nano != span.end_time_unix_nano
    };
    assert!(spans.iter().all(is_timed), "{spans:?}");
    let resource = requests(&collector)[0].resource_spans[0].resource.clone();
    let resource = resource.unwrap().attributes;
    assert_eq!(said(&resource, "service.name"), "advisoryd");
    assert_eq!(
        said(&resource, "service.version"),
        env!("CARGO_PKG_VERSION")
    );
}

#[tokio::test]
async fn what_upstream_and_the_environment_repeat_is_exported_without_secrets() {
    let (collector, upstream) = (Receiver::start().await, Receiver::start().await);
    // The token too.
    upstream.usually(Reply::Echo);
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(upstream.url.clone());
    world.settings.upstream.max_attempts = Some(1);
    let mut command = traced(&world, &["sync"], &collector.url);
    command.env("OTEL_SERVICE_NAME", "of the soc").env(
        "OTEL_RESOURCE_ATTRIBUTES",
        format!("note=x {DEFAULT_TOKEN} x"),
    );
    let result = CommandResult::from(command.output().unwrap());
    assert_ne!(result.code, 0, "{result}");
    assert!(!upstream.received().is_empty());

    let spans = spans(&collector);
    assert!(!spans.is_empty());
    for span in &spans {
        let status = span.status.clone().unwrap();
        assert_eq!((status.code, status.message.is_empty()), (2, false));
        assert_eq!(said(&span.attributes, "advisoryd.outcome"), "failed");
        assert_eq!(said(&span.attributes, "error.type"), "other");
    }
    let resource = requests(&collector)[0].resource_spans[0].resource.clone();
    let resource = resource.unwrap().attributes;
    assert_eq!(said(&resource, "service.name"), "of the soc");
    assert_eq!(said(&resource, "note"), "x [redacted] x");
    for request in collector.received() {
        let bytes = String::from_utf8_lossy(&request.bytes).to_lowercase();
        let token = DEFAULT_TOKEN.to_lowercase();
        let (head, tail) = token.split_at(token.len() / 2);
        assert!(!bytes.contains(head) && !bytes.contains(tail), "{bytes}");
        assert!(bytes.contains("[redacted]"), "{bytes}");
    }
}

/// A daemon that pulls each second and sends traces to `endpoint`.
fn pulling(world: &mut World, endpoint: &str) -> Running {
    world.settings.schedule.feeds = Some(EVERY_SECOND);
    Running::start(&mut traced(world, &["run"], endpoint))
}

/// Waits for so many runs, stops the daemon in time, and returns its log.
async fn stopped_after(runs: usize, daemon: &mut Running) -> String {
    let mut seen = 0;
    while seen < runs {
        let is_run = |event: &serde_json::Value| event.get("run.seconds").is_some();
        let count = || daemon.events().iter().filter(|one| is_run(one)).count();
        daemon.event("a run", |_| count() > seen).await;
        seen = count();
    }
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    let took = began.elapsed();
    assert!(took < STOP_WITHIN, "{took:?}");
    daemon.stderr()
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_away_delays_no_run_and_no_stop() {
    let hanging = Receiver::start().await;
    hanging.usually(Reply::Never);
    let endless = Receiver::start().await;
    endless.usually(Reply::Endless);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for endpoint in [&hanging.url, &endless.url, &away] {
        let mut world = World::new().await;
        let mut daemon = pulling(&mut world, endpoint);
        let log = stopped_after(6, &mut daemon).await;
        assert!(complaints(&log) <= 1, "{log}");
        if endpoint != &endless.url {
            assert!(log.contains("spans were not sent to"), "{log}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_refuses_is_told_of_once_and_again_when_it_takes_spans() {
    let collector = Receiver::start().await;
    collector.usually(400);
    let mut world = World::new().await;
    let mut daemon = pulling(&mut world, &collector.url);
    collector.wait_for(4).await;
    assert_eq!(complaints(&daemon.stderr()), 1);
    collector.usually(200);
    let again = |event: &serde_json::Value| {
        let message = event["message"].as_str().unwrap_or_default();
        message.contains("again") && event["lost"].as_u64() >= Some(4)
    };
    daemon.event("that spans are sent again", again).await;
    // Some of a batch, and then all: nothing is said so soon.
    let rejected = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too old".to_owned(),
        }),
    };
    let body = String::from_utf8(rejected.encode_to_vec()).unwrap();
    collector.usually(Reply::With(200, Vec::new(), body));
    collector.wait_for(collector.received().len() + 2).await;
    let log = stopped_after(1, &mut daemon).await;
    assert_eq!(complaints(&log), 1, "{log}");
    assert!(log.contains("spans were not sent to"), "{log}");
}

#[tokio::test]
async fn headers_that_cannot_be_read_are_reported_and_no_daemon_starts() {
    let world = World::new().await;
    let headers = world.dir().join("otlp-headers");
    for content in [None, Some("no header"), Some("Host: elsewhere")] {
        if let Some(content) = content {
            std::fs::write(&headers, content).unwrap();
        }
        for (arguments, code) in [(&["run"][..], 78), (&["check", "--offline"], 1)] {
            let mut command = traced(&world, arguments, "http://127.0.0.1:9");
            command.env("ADVISORYD_LOG__OTLP_HEADERS_FILE", &headers);
            let result = CommandResult::from(command.output().unwrap());
            assert_eq!(result.code, code, "{result}");
            let all = format!("{}{}", result.stdout, result.stderr);
            assert!(all.contains("[log] otlp_headers_file"), "{result}");
        }
    }
}
