//! Download of a published file (KEV, EPSS): conditional, from its own origin, and never
//! with the token of upstream.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT_ENCODING, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::body::{BodyLimits, ResponseBody};
use super::error::ClientError;
use super::exchange::ENCODINGS;
use super::origin::UpstreamOrigin;
use super::quote::asked;
use super::refusal::refusal;
use super::transport::transport;
use super::usage::Meter;
use crate::config::Upstream;

/// Attempts, with a pause in between.
const ATTEMPTS: u32 = 3;
/// Longest random pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_secs(4);
/// A stable name often leads to the file of the day.
const MAX_REDIRECTS: usize = 3;
/// Longest `ETag` or `Last-Modified` that is kept, in bytes.
const MAX_SEAL_BYTES: usize = 512;

/// How a server recognises what was downloaded last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seal {
    /// `ETag`
    pub entity_tag: Option<String>,
    /// `Last-Modified`
    pub last_modified: Option<String>,
}

/// The result of a download.
#[derive(Debug)]
pub enum FetchedFile {
    /// It is what was downloaded last.
    Unchanged,
    /// The file, decompressed.
    File(Box<ResponseBody>, Seal),
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No response.
    #[error("{url}: the server does not answer")]
    Network {
        /// The request.
        url: String,
        /// The underlying error.
        source: reqwest::Error,
    },
    /// Anything else.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl FetchError {
    fn is_retried(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            // A server that asks to wait is asked again by the next scheduled attempt.
            Self::Client(error) => error.is_retried() && error.retry_after_in().is_none(),
        }
    }
}

/// Requests a file of at most `limit_bytes` after decompression. Proxy, certificates and
/// timeouts are those of `[upstream]`.
///
/// # Errors
/// [`FetchError`], after all attempts.
pub async fn fetch_file(
    url: &Url,
    settings: &Upstream,
    known: &Seal,
    limit_bytes: u64,
    now: DateTime<Utc>,
) -> Result<FetchedFile, FetchError> {
    let own = Upstream {
        base_url: url.clone(),
        allow_http: false,
        ..settings.clone()
    };
    let transport = transport(&own)?;
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt(&transport, &own, known, limit_bytes, now).await {
            Err(error) if error.is_retried() => {
                tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
                pause *= 2;
            }
            done => return done,
        }
    }
    attempt(&transport, &own, known, limit_bytes, now).await
}

async fn attempt(
    transport: &reqwest::Client,
    settings: &Upstream,
    known: &Seal,
    limit_bytes: u64,
    now: DateTime<Utc>,
) -> Result<FetchedFile, FetchError> {
    let (url, response) = follow(transport, &settings.base_url, known).await?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(FetchedFile::Unchanged);
    }
    if response.status() != StatusCode::OK {
        return Err(refusal(response, asked(&url), now).await.into());
    }
    let seal = Seal {
        entity_tag: header(&response, &ETAG),
        last_modified: header(&response, &LAST_MODIFIED),
    };
    let frame = BodyLimits {
        url: asked(&url),
        limit_bytes,
        silence: settings.read_timeout,
        total: settings.total_timeout,
        meter: Meter::default(),
    };
    let body = ResponseBody::of_file(response, frame).await?;
    Ok(FetchedFile::File(Box::new(body), seal))
}

/// Follows redirects within the origin of the URL.
async fn follow(
    transport: &reqwest::Client,
    first: &Url,
    known: &Seal,
) -> Result<(Url, Response), FetchError> {
    let origin = UpstreamOrigin::new(first.clone());
    let mut url = first.clone();
    for _ in 0..=MAX_REDIRECTS {
        let request = transport.get(url.clone()).headers(headers(known));
        let response = request.send().await.map_err(|error| FetchError::Network {
            url: asked(&url),
            source: error.without_url(),
        })?;
        let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        match header(&response, &LOCATION).filter(|_| is_redirect) {
            Some(target) => url = origin.follow(&url, &target)?,
            None => return Ok((url, response)),
        }
    }
    Err(FetchError::Client(ClientError::TooManyRedirects {
        url: asked(first),
        limit: MAX_REDIRECTS,
    }))
}

fn headers(known: &Seal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    let seals = [
        (IF_NONE_MATCH, &known.entity_tag),
        (IF_MODIFIED_SINCE, &known.last_modified),
    ];
    for (name, value) in seals {
        let value = value.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(value)) = value {
            headers.insert(name, value);
        }
    }
    headers
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    (value.len() <= MAX_SEAL_BYTES).then(|| value.to_owned())
}
