//! Traces for OpenTelemetry, sent by OTLP over HTTP: a span per run and per delivery attempt.
//!
//! A span is made when its work has ended, of what the log says too. Libraries make none, so
//! the requests that send spans are not traced themselves.

mod error;
mod exporter;
mod outage;
mod outgoing_span;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TracerProvider as _};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use tracing::warn;

use self::error::TracesError;
use self::exporter::Exporter;
use self::outage::ExportOutage;
use crate::config::Otlp;
use crate::model::{Ending, FailureReason, Mode, Outcome, RunFailure, SourceKey, Tally, chain};

/// How long the end of the program may wait until the last spans are sent.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// `service.name`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says otherwise.
const SERVICE: &str = "advisoryd";
/// How its value begins if nobody has set one, by OpenTelemetry's specification.
const NO_SERVICE: &str = "unknown_service";

/// Where spans are sent, if this process sends any.
static SETTINGS: OnceLock<Otlp> = OnceLock::new();
static TRACES: OnceLock<Option<Traces>> = OnceLock::new();

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    outage: Arc<ExportOutage>,
}

/// A run that ended.
pub struct EndedRun<'a> {
    /// What was read.
    pub key: &'a SourceKey,
    /// Row in the run log.
    pub id: i64,
    /// How it was read.
    pub mode: Mode,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// Why it failed.
    pub failure: Option<RunFailure>,
    /// Its counters.
    pub tally: &'a Tally,
    /// When it began and ended.
    pub times: (DateTime<Utc>, DateTime<Utc>),
}

/// A delivery attempt that ended.
pub struct EndedAttempt<'a> {
    /// Name of the sink.
    pub sink: &'a str,
    /// The message.
    pub message_id: &'a str,
    /// The rule that created it; empty if none did.
    pub rule: &'a str,
    /// How many alerts it has.
    pub alerts: usize,
    /// Status of the response.
    pub status: Option<i32>,
    /// How it ended.
    pub ending: &'a Ending,
    /// Why it failed.
    pub failure: Option<FailureReason>,
    /// When it began, and how long it took.
    pub time: (DateTime<Utc>, TimeDelta),
}

/// Says where spans are sent. The first one opens the connection; [`start`] does so at once.
pub fn configure(settings: Option<&Otlp>) {
    if let Some(settings) = settings {
        // A second call changes nothing, as with the log.
        let _ = SETTINGS.set(settings.clone());
    }
}

/// Prepares the sending of spans.
///
/// # Errors
/// [`TracesError`]: the headers cannot be read, or there is no HTTP client.
pub fn start() -> Result<(), TracesError> {
    if let Some(settings) = SETTINGS.get() {
        let _ = TRACES.set(Some(Traces::open(settings)?));
    }
    Ok(())
}

/// Sends the last spans, for as long as the end of the program may take.
pub async fn stop() {
    let Some(Some(traces)) = TRACES.get() else {
        return;
    };
    let provider = traces.provider.clone();
    let stopping = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(STOP_WITHIN));
    // Whatever went wrong, spans were lost, and that is said.
    let _ = stopping.await;
    traces.outage.warn_at_end();
}

/// Makes the span of a run.
pub fn run_ended(run: &EndedRun<'_>) {
    let Some(traces) = traces() else {
        return;
    };
    let Tally {
        requests,
        bytes,
        claimed: _,
        seen,
        added,
        changed,
        unchanged,
        quarantined,
    } = *run.tally;
    let mut attributes = vec![
        KeyValue::new("advisoryd.source", run.key.to_string()),
        KeyValue::new("advisoryd.run.id", run.id),
        KeyValue::new("advisoryd.run.mode", run.mode.name()),
        KeyValue::new("advisoryd.outcome", run.outcome.name()),
        count("advisoryd.requests", requests),
        count("advisoryd.bytes", bytes),
        count("advisoryd.records.seen", seen),
        count("advisoryd.records.added", added),
        count("advisoryd.records.changed", changed),
        count("advisoryd.records.unchanged", unchanged),
        count("advisoryd.records.quarantined", quarantined),
    ];
    attributes.extend(run.failure.map(|failure| error_type(failure.name())));
    let span = SpanBuilder::from_name(run.key.job())
        .with_kind(SpanKind::Internal)
        .with_attributes(attributes);
    traces.emit(span, run.times, run.outcome.error());
}

/// Makes the span of a delivery attempt.
pub fn attempted(attempt: &EndedAttempt<'_>) {
    let Some(traces) = traces() else {
        return;
    };
    let mut attributes = vec![
        KeyValue::new("advisoryd.sink", attempt.sink.to_owned()),
        KeyValue::new("advisoryd.message.id", attempt.message_id.to_owned()),
        KeyValue::new("advisoryd.rule", attempt.rule.to_owned()),
        count("advisoryd.alerts", attempt.alerts as u64),
        KeyValue::new("advisoryd.outcome", attempt.ending.name()),
    ];
    let status = attempt.status.map(i64::from);
    attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", status)));
    attributes.extend(attempt.failure.map(|failure| error_type(failure.name())));
    let span = SpanBuilder::from_name("delivery")
        .with_kind(SpanKind::Client)
        .with_attributes(attributes);
    let (at, took) = attempt.time;
    let end = at.checked_add_signed(took).unwrap_or(at);
    traces.emit(span, (at, end), attempt.ending.error());
}

fn count(name: &'static str, number: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(number).unwrap_or(i64::MAX))
}

fn error_type(name: &'static str) -> KeyValue {
    KeyValue::new("error.type", name)
}

fn traces() -> Option<&'static Traces> {
    let settings = SETTINGS.get()?;
    let open = || match Traces::open(settings) {
        Ok(traces) => Some(traces),
        Err(error) => {
            let error = chain(&error);
            warn!(error, "no traces are sent: {error}");
            None
        }
    };
    TRACES.get_or_init(open).as_ref()
}

impl Traces {
    /// Needs a runtime of tokio, in which spans are sent.
    fn open(settings: &Otlp) -> Result<Self, TracesError> {
        let outage = Arc::new(ExportOutage::new(settings.endpoint.as_str()));
        let exporter = Exporter::open(settings, Arc::clone(&outage))?;
        // A thread of its own, and a queue of at most 2048 spans (OTEL_BSP_*): what does not
        // fit is dropped.
        let processor = BatchSpanProcessor::builder(exporter).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(processor)
            .build();
        let tracer = provider.tracer(SERVICE);
        Ok(Self {
            provider,
            tracer,
            outage,
        })
    }

    fn emit(
        &self,
        span: SpanBuilder,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        error: Option<&str>,
    ) {
        let span = span.with_start_time(from);
        let mut span = span.start_with_context(&self.tracer, &Context::new());
        if let Some(error) = error {
            span.set_status(Status::error(error.to_owned()));
        }
        // A sampler may have left it out (OTEL_TRACES_SAMPLER).
        if span.is_recording() {
            self.outage.made();
        }
        span.end_with_timestamp(to.into());
    }
}

/// What is said of this program with all its spans.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let found = Resource::builder().with_attribute(version).build();
    let name = found.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with(NO_SERVICE));
    if is_named {
        return found;
    }
    let pairs = found.iter();
    let pairs = pairs.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(pairs)
        .with_service_name(SERVICE)
        .build()
}
