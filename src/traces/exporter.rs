//! Sends spans to the collector: OTLP over HTTP, in protobuf.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message as _;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::runtime::Handle;
use url::Url;

use super::error::TracesError;
use super::outage::ExportOutage;
use super::outgoing_span::{outgoing_resource, outgoing_span};
use crate::config::{Otlp, is_loopback};
use crate::model::chain;

const USER_AGENT: &str = concat!("advisoryd/", env!("CARGO_PKG_VERSION"));
/// All attempts to send a batch together: the default of OpenTelemetry's specification.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Further attempts, after 1 and 2 seconds.
const MAX_RETRIES: usize = 2;
/// An answer says how many spans were rejected, and why.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    /// The processor waits in a thread of its own; requests need the runtime.
    runtime: Handle,
    resource: ResourceAttributesWithSchema,
    outage: Arc<ExportOutage>,
}

#[derive(Debug, Clone)]
struct Collector {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error("{}", chain(.0))]
    Unreachable(#[from] reqwest::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("it did not answer within {} seconds", SEND_WITHIN.as_secs())]
    Slow,
    #[error("advisoryd stops")]
    Stopping,
}

impl NotSent {
    /// Whether the specification asks for another attempt.
    fn can_repeat(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            Self::Slow | Self::Stopping => false,
        }
    }
}

/// How many spans of a batch were rejected, and why.
type Rejected = (u64, String);

impl Exporter {
    pub(super) fn open(settings: &Otlp, outage: Arc<ExportOutage>) -> Result<Self, TracesError> {
        let mut headers = settings.headers()?;
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        Ok(Self {
            collector: Collector {
                client: client(&settings.endpoint).map_err(TracesError::Client)?,
                url: traces_url(&settings.endpoint),
                headers,
            },
            runtime: Handle::current(),
            resource: ResourceAttributesWithSchema::default(),
            outage,
        })
    }
}

/// The endpoint is that of all kinds of telemetry; each has its own path below it.
fn traces_url(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!(
        "{}/v1/traces",
        endpoint.path().trim_end_matches('/')
    ));
    url
}

fn client(endpoint: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // An error means that the same provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(endpoint.scheme() == "https")
        .pool_max_idle_per_host(1)
        .connect_timeout(SEND_WITHIN);
    if is_loopback(endpoint) {
        builder = builder.no_proxy();
    }
    builder.build()
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let batch = batch.into_iter().map(outgoing_span).collect();
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.resource),
        };
        let body = Bytes::from(request.encode_to_vec());
        let sending = self.runtime.spawn(self.collector.clone().send(body));
        match sending.await.unwrap_or(Err(NotSent::Stopping)) {
            Ok((0, _)) => {
                self.outage.taken(spans);
                Ok(())
            }
            Ok((rejected, why)) => {
                self.outage.taken(spans.saturating_sub(rejected));
                self.outage
                    .lost(rejected, &format!("it rejected spans: {why}"));
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                self.outage.lost(spans, &why);
                Err(OTelSdkError::InternalFailure(why))
            }
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = (&outgoing_resource(resource)).into();
    }
}

impl Collector {
    async fn send(self, body: Bytes) -> Result<Rejected, NotSent> {
        let attempts = async {
            let retries = ExponentialBuilder::default().with_max_times(MAX_RETRIES);
            let mut pauses = retries.with_jitter().build();
            loop {
                let error = match self.post(body.clone()).await {
                    Err(error) if error.can_repeat() => error,
                    ended => return ended,
                };
                match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                }
            }
        };
        let ended = tokio::time::timeout(SEND_WITHIN, attempts).await;
        ended.unwrap_or(Err(NotSent::Slow))
    }

    async fn post(&self, body: Bytes) -> Result<Rejected, NotSent> {
        let request = self.client.post(self.url.clone());
        let mut response = request
            .headers(self.headers.clone())
            .body(body)
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(NotSent::Status(response.status()));
        }
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await? {
            answer.extend_from_slice(&part);
            if answer.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        // An answer of another kind rejects nothing.
        let answer = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap_or_default();
        let rejected = answer.partial_success.unwrap_or_default();
        let spans = u64::try_from(rejected.rejected_spans).unwrap_or(0);
        Ok((spans, rejected.error_message))
    }
}
