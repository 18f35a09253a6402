//! A single HTTP attempt: rate limit, daily quota, token header, redirects within the origin.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::answer::{Answer, BodyType, media_type};
use super::body::{BodyLimits, ResponseBody};
use super::claim_headers;
use super::clock::{Skew, UpstreamClock};
use super::daily_quota::DailyQuota;
use super::error::ClientError;
use super::json_rows::{PageRows, RowHashes, SeenRows};
use super::link_header;
use super::origin::UpstreamOrigin;
use super::permits::UsedUp;
use super::priority::Priority;
use super::quote::asked;
use super::rate_limiter::RateLimiter;
use super::raw::{RawRequest, RawResponse, Verb};
use super::refusal::refusal;
use super::saved::{SavedResponses, not_saved};
use super::staleness::{self, Staleness};
use super::throttle::wait;
use super::usage::Meter;
use crate::config::ApiToken;

/// Maximum number of redirects per request: a missing slash and an API version need two.
const MAX_REDIRECTS: usize = 5;
/// Total timeout for a page of JSON: a server that sends single bytes never triggers the read timeout.
const MAX_WHOLE_TIME: Duration = Duration::from_mins(10);
/// Encodings that [`ResponseBody`] can decompress.
pub(super) const ENCODINGS: &str = "gzip, br, zstd";

/// How much of a response must be received before the attempt succeeds.
#[derive(Debug, Clone)]
pub(super) enum BodyMode {
    /// The beginning; the caller reads the rest.
    Beginning,
    /// The whole body: one that is cut short is retried. Of a page of JSON, without these rows.
    Whole(SeenRows),
    /// The same, but a page of JSON that is too large comes in parts, of which this is the first.
    Parts,
}

/// Context of a request: usage counters and priority.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestContext {
    pub(super) meter: Meter,
    pub(super) priority: Priority,
    /// Whether saved responses are neither read nor written.
    pub(super) is_unsaved: bool,
    /// Whether a 429 says nothing about other requests.
    pub(super) is_throttled_alone: bool,
}

/// Parameters shared by all requests of one attempt.
#[derive(Clone, Copy)]
struct Ask<'a> {
    verb: Verb,
    kind: BodyType,
    token: &'a ApiToken,
    account: &'a RequestContext,
}

/// Sends requests and evaluates responses. Shared by all clones of the client.
#[derive(Debug)]
pub(super) struct Exchange {
    /// None if no request may be sent (`[upstream] offline`).
    pub(super) transport: Option<reqwest::Client>,
    /// Responses that are read instead of requested, or saved.
    pub(super) saved: Option<Arc<SavedResponses>>,
    pub(super) origin: UpstreamOrigin,
    pub(super) token: ApiToken,
    pub(super) rate_limiter: RateLimiter,
    pub(super) day: Mutex<DailyQuota>,
    pub(super) daily_limit: u32,
    pub(super) clock: UpstreamClock,
    pub(super) max_body_bytes: u64,
    pub(super) silence: Duration,
    /// Whether there may be a proxy in between.
    pub(super) is_proxied: bool,
    pub(super) total: Duration,
}

impl Exchange {
    /// Makes one attempt.
    pub(super) async fn attempt(
        &self,
        url: &Url,
        kind: BodyType,
        extent: BodyMode,
        account: &RequestContext,
    ) -> Result<Answer, ClientError> {
        let saved = self.saved.as_ref().filter(|_| !account.is_unsaved);
        let Some(saved) = saved else {
            return self.request(url, kind, extent, account).await;
        };
        let frame = || self.frame(url, &account.meter);
        let mut found = saved.answer(url, frame()).await?;
        if found.is_none() && saved.is_recording() {
            // It is saved as it came, not as it is read.
            let begun = BodyMode::Beginning;
            let received = self.request(url, kind, begun, account).await?;
            saved.save(url, received).await?;
            found = saved.answer(url, frame()).await?;
        }
        let mut answer = found.ok_or_else(|| not_saved(url))?;
        finish(&mut answer, kind, extent).await?;
        Ok(answer)
    }

    /// Sends a request once.
    async fn request(
        &self,
        url: &Url,
        kind: BodyType,
        extent: BodyMode,
        account: &RequestContext,
    ) -> Result<Answer, ClientError> {
        let ask = Ask {
            verb: Verb::Get,
            kind,
            token: &self.token,
            account,
        };
        let (url, response) = self.follow(url, ask).await?;
        if !matches!(
            response.status(),
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION
        ) {
            let now = self.clock.upstream();
            return Err(refusal(response, asked(&url), now).await);
        }
        let staleness = Staleness::of(response.headers(), self.clock.ours());
        let date = self.date(&response);
        let date = date.map_err(|skew| clock_skew(&url, skew))?;
        let mut answer = self.answer(url, response, date, &account.meter)?;
        answer.staleness = staleness;
        finish(&mut answer, kind, extent).await?;
        Ok(answer)
    }

    /// Makes one attempt and returns any response. A 429 pauses all later requests.
    pub(super) async fn exchange_raw(
        &self,
        url: &Url,
        raw: &RawRequest,
        account: &RequestContext,
    ) -> Result<RawResponse, ClientError> {
        let token = raw.token.as_ref().unwrap_or(&self.token);
        let ask = Ask {
            verb: raw.verb,
            kind: raw.request.kind,
            token,
            account,
        };
        let (url, response) = if raw.follows {
            self.follow(url, ask).await?
        } else {
            (url.clone(), self.send(url, ask).await?)
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            account.meter.throttled();
            let header = response.headers().get(RETRY_AFTER).map(text);
            let wait = wait(header.as_deref(), "", self.clock.upstream());
            self.pause_requests(wait, account);
        }
        // The caller gets the headers and judges them itself.
        let date = self.date(&response).unwrap_or_default();
        let answer = self.answer(url, response, date, &account.meter)?;
        Ok(RawResponse {
            status: answer.status,
            url: answer.url,
            headers,
            date: answer.date,
            body: answer.body,
        })
    }

    /// Pauses requests as upstream asked; returns whether all requests are paused. A
    /// background request that is throttled for longer than a minute hit a separate limit
    /// (contract §3: 30 advisories a day): feeds and tickets continue, because they have
    /// their own limit per minute.
    pub(super) fn pause_requests(&self, wait: Duration, account: &RequestContext) -> bool {
        const LONGEST_BURST: Duration = Duration::from_mins(1);
        if account.is_throttled_alone {
            return false;
        }
        let is_background = account.priority == Priority::Background;
        if is_background && wait > LONGEST_BURST {
            self.rate_limiter.pause_background(wait);
            self.rate_limiter.report_pause(wait, true);
            return false;
        }
        self.rate_limiter.pause_all(wait);
        self.rate_limiter.report_pause(wait, false);
        true
    }

    /// Sends a request and follows redirects within the origin. Each redirect is
    /// counted and rate-limited like any other request.
    async fn follow(&self, url: &Url, ask: Ask<'_>) -> Result<(Url, Response), ClientError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&url, ask).await?;
            let Some(target) = redirect(&response) else {
                return Ok((url, response));
            };
            url = self.origin.redirected(&url, &target)?;
        }
        Err(ClientError::TooManyRedirects {
            url: asked(&url),
            limit: MAX_REDIRECTS,
        })
    }

    async fn send(&self, url: &Url, ask: Ask<'_>) -> Result<Response, ClientError> {
        let RequestContext {
            meter, priority, ..
        } = ask.account;
        let Some(transport) = &self.transport else {
            return Err(ClientError::Offline { url: asked(url) });
        };
        if !self.rate_limiter.is_shared() {
            self.spend(*priority)?;
        }
        let permitted = self.rate_limiter.permit(*priority).await;
        permitted
            .map_err(|UsedUp { limit, until, .. }| ClientError::DailyBudget { limit, until })?;
        meter.request();
        transport
            .request(ask.verb.method(), url.clone())
            .headers(headers(ask.kind, ask.token)?)
            .send()
            .await
            .map_err(|error| self.unanswered(url, error))
    }

    /// Counts one request against the daily quota.
    fn spend(&self, priority: Priority) -> Result<(), ClientError> {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.steady();
        day.take(now, priority)
            .map_err(|until| ClientError::DailyBudget {
                limit: self.daily_limit,
                until: self.clock.ours() + (until - now),
            })
    }

    fn unanswered(&self, url: &Url, error: reqwest::Error) -> ClientError {
        let host = url.host_str().filter(|_| !self.is_proxied);
        let host = host.unwrap_or("the host or the proxy").to_owned();
        let url = asked(url);
        if error.is_timeout() && !error.is_connect() {
            return ClientError::Timeout {
                url,
                silence: self.silence,
            };
        }
        ClientError::Network {
            url,
            host,
            source: error.without_url(),
        }
    }

    fn frame(&self, url: &Url, meter: &Meter) -> BodyLimits {
        BodyLimits {
            url: asked(url),
            limit_bytes: self.max_body_bytes,
            silence: self.silence,
            total: self.total,
            meter: meter.clone(),
        }
    }

    /// The time of a response by upstream's clock, which updates ours of it.
    fn date(&self, response: &Response) -> Result<Option<DateTime<Utc>>, Skew> {
        let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        if response.headers().contains_key(AGE) {
            // It comes from a cache: it says nothing about upstream's clock, and its
            // contents are as old as that.
            let age = staleness::age(response.headers());
            return Ok(age.map(|age| self.clock.cached(header(DATE), age)));
        }
        header(DATE).map_or(Ok(None), |date| self.clock.update(date))
    }

    fn answer(
        &self,
        url: Url,
        response: Response,
        date: Option<DateTime<Utc>>,
        meter: &Meter,
    ) -> Result<Answer, ClientError> {
        let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        let (content_type, charset) = header(CONTENT_TYPE).map(media_type).unwrap_or_default();
        let frame = self.frame(&url, meter);
        Ok(Answer {
            status: response.status().as_u16(),
            date,
            content_type,
            charset,
            content_length: response.content_length(),
            next: link_header::next(response.headers(), &url),
            header_claims: claim_headers::header_claims(response.headers()),
            staleness: Staleness::default(),
            rows: RowHashes::default(),
            cut_after: None,
            url,
            body: ResponseBody::new(response, frame)?,
        })
    }
}

/// Checks the type of a response, and reads its body if the whole is wanted.
async fn finish(answer: &mut Answer, kind: BodyType, extent: BodyMode) -> Result<(), ClientError> {
    answer.check_type(kind).await?;
    let most = kind.max_bytes();
    let page = match extent {
        BodyMode::Beginning => return Ok(()),
        BodyMode::Whole(seen) => PageRows::new(most, seen),
        BodyMode::Parts => PageRows::new(most, SeenRows::default()).in_parts(),
    };
    if kind == BodyType::Json {
        answer.rows = answer.body.read_page(page, MAX_WHOLE_TIME).await?;
        return answer.check_end().await;
    }
    if kind == BodyType::JsonObject {
        answer.body.count_values()?;
    }
    answer.body.read_whole(most, MAX_WHOLE_TIME).await?;
    match kind {
        BodyType::JsonObject => answer.check_end().await,
        BodyType::Json | BodyType::Xml => Ok(()),
    }
}

fn clock_skew(url: &Url, skew: Skew) -> ClientError {
    let Skew { upstream, ours } = skew;
    ClientError::ClockSkew {
        url: asked(url),
        upstream,
        ours,
    }
}

fn headers(kind: BodyType, token: &ApiToken) -> Result<HeaderMap, ClientError> {
    let mut authorization =
        HeaderValue::from_str(&format!("Token {}", token.expose())).map_err(|_| {
            ClientError::Unusable {
                what: "the token contains characters that cannot be sent in a header".into(),
            }
        })?;
    authorization.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(ACCEPT, HeaderValue::from_static(kind.accept()));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    // Caches on the way must ask upstream: an old response would look like no news.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(headers)
}

/// The target of a redirect; `None` for any other response.
fn redirect(response: &Response) -> Option<String> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}
