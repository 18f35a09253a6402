//! HTTP client for upstream: retries, rate limit, token, and requests by path or URL.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{debug, warn};
use url::Url;

use super::answer::{Answer, BodyType};
use super::body::{BodyLimits, ResponseBody};
use super::clock::UpstreamClock;
use super::daily_quota::DailyQuota;
use super::error::ClientError;
use super::exchange::{BodyMode, Exchange, RequestContext};
use super::json_rows::SeenRows;
use super::origin::UpstreamOrigin;
use super::pauses::Pauses;
use super::permits::Permits;
use super::priority::Priority;
use super::rate_limiter::RateLimiter;
use super::raw::{RawRequest, RawResponse};
use super::request::Request;
use super::saved::SavedResponses;
use super::throttle::paused;
use super::transport::{is_proxied, transport};
use super::usage::{Retrying, Usage};
use crate::config::{ApiToken, BackoffSettings, Upstream};
use crate::model::chain;

/// Requests of the last day: times, and how many at each.
type Used = Vec<(DateTime<Utc>, u32)>;

/// The only client for upstream. Clones share rate limiter, daily quota, token and
/// connections. It sends only GET and OPTIONS, sends the token only to the origin of
/// `upstream.base_url`, and sends no cookies.
#[derive(Debug, Clone)]
pub struct Client {
    exchange: Arc<Exchange>,
    account: RequestContext,
    backoff: BackoffSettings,
    max_attempts: u32,
}

/// Retries of a request whose body is read by the caller: as many, and with the same
/// delays, as for a request that fails before its body.
#[derive(Debug)]
pub struct Retries {
    client: Client,
    pauses: Pauses,
}

impl Retries {
    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error`, if another attempt cannot help or none is left.
    pub async fn pause(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.client.pause_after(error, &mut self.pauses).await
    }
}

impl Client {
    /// Creates the client of this process. `used` are the requests of the last 24 hours
    /// according to the run log, for the daily quota.
    ///
    /// # Errors
    /// [`ClientError`]: `base_url`, `proxy`, `ca_file` or the system's certificates are unusable.
    pub fn new(
        settings: &Upstream,
        token: ApiToken,
        used: Used,
        clock: crate::clock::Clock,
    ) -> Result<Self, ClientError> {
        Self::build(settings, token, (used, None), clock)
    }

    /// The same with responses in a directory, which are read instead of requested. Where
    /// they are recorded, what is missing is requested and saved; otherwise nothing is sent.
    ///
    /// # Errors
    /// Same as [`Client::new`].
    pub fn with_saved(
        settings: &Upstream,
        token: ApiToken,
        saved: Arc<SavedResponses>,
        clock: crate::clock::Clock,
    ) -> Result<Self, ClientError> {
        Self::build(settings, token, (Vec::new(), Some(saved)), clock)
    }

    fn build(
        settings: &Upstream,
        token: ApiToken,
        (used, saved): (Used, Option<Arc<SavedResponses>>),
        clock: crate::clock::Clock,
    ) -> Result<Self, ClientError> {
        let limit = settings.requests_per_day;
        let clock = UpstreamClock::new(clock);
        let sends = !settings.offline && saved.as_ref().is_none_or(|saved| saved.is_recording());
        let exchange = Exchange {
            transport: sends.then(|| transport(settings)).transpose()?,
            saved,
            origin: UpstreamOrigin::new(settings.base_url.clone()),
            token,
            rate_limiter: RateLimiter::new(settings.requests_per_minute),
            day: Mutex::new(DailyQuota::new(limit, used, clock.steady())),
            daily_limit: limit,
            clock,
            max_body_bytes: settings.max_body_bytes,
            silence: settings.read_timeout,
            is_proxied: is_proxied(settings),
            total: settings.total_timeout,
        };
        Ok(Self {
            exchange: Arc::new(exchange),
            account: RequestContext::default(),
            backoff: settings.backoff,
            max_attempts: settings.max_attempts,
        })
    }

    /// A clone whose [`Client::usage`] starts at zero, for one run.
    #[must_use]
    pub fn for_run(&self) -> Self {
        let mut client = self.clone();
        client.account.meter = self.account.meter.for_run();
        client
    }

    /// A clone for background requests: they are sent only while no other request waits, use
    /// at most half of the daily quota, and pause no others when only they are throttled.
    #[must_use]
    pub fn in_the_background(&self) -> Self {
        let mut client = self.clone();
        client.account.priority = Priority::Background;
        client
    }

    /// A clone that asks upstream even for what is saved, and saves nothing: to see whether
    /// it has changed since. Where nothing may be sent, each request fails with
    /// [`ClientError::Offline`].
    #[must_use]
    pub fn without_saved(&self) -> Self {
        let mut client = self.clone();
        client.account.is_unsaved = true;
        client
    }

    /// Whether responses may come from a bundle, which has those to requests as they were
    /// when it was made.
    pub fn has_saved(&self) -> bool {
        self.exchange.saved.is_some()
    }

    /// Sends a GET request; the body has not been read yet. Retries end when the body
    /// starts: a later failure is an error of [`super::ResponseBody::chunk`]; see [`Client::retries`].
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get(&self, request: &Request) -> Result<Answer, ClientError> {
        self.run(self.url(request), request.kind, BodyMode::Beginning)
            .await
    }

    /// Requests a URL that upstream returned (`next`), if it is on upstream's origin.
    ///
    /// # Errors
    /// [`ClientError`], [`ClientError::Elsewhere`] among them.
    pub async fn get_url(&self, next: &str, kind: BodyType) -> Result<Answer, ClientError> {
        let url = self.exchange.origin.next(next)?;
        self.run(url, kind, BodyMode::Beginning).await
    }

    /// Same as [`Client::get`], with the whole body (at most 16 MiB) in memory; a body that
    /// is cut short is requested again.
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get_whole(&self, request: &Request) -> Result<Answer, ClientError> {
        self.get_rest(request, SeenRows::default()).await
    }

    /// Same as [`Client::get_whole`] for a page of a collection, at a URL that upstream returned
    /// (`next`) if there is one. A page that does not fit into memory comes in parts, see
    /// [`Answer::next_part`].
    ///
    /// # Errors
    /// [`ClientError`], [`ClientError::Elsewhere`] among them.
    pub async fn get_parts(
        &self,
        request: &Request,
        next: Option<&str>,
    ) -> Result<Answer, ClientError> {
        let url = match next {
            Some(next) => self.exchange.origin.next(next)?,
            None => self.url(request),
        };
        self.run(url, request.kind, BodyMode::Parts).await
    }

    /// Same as [`Client::get_whole`] for a page of a collection, without the rows that were
    /// `seen`. What does not fit into 16 MiB is left out, see [`Answer::rows`].
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get_rest(&self, request: &Request, seen: SeenRows) -> Result<Answer, ClientError> {
        let url = self.url(request);
        self.run(url, request.kind, BodyMode::Whole(seen)).await
    }

    /// Same as [`Client::get_rest`], for a URL that upstream returned (`next`).
    ///
    /// # Errors
    /// [`ClientError`], [`ClientError::Elsewhere`] among them.
    pub async fn get_url_rest(
        &self,
        next: &str,
        kind: BodyType,
        seen: SeenRows,
    ) -> Result<Answer, ClientError> {
        let url = self.exchange.origin.next(next)?;
        self.run(url, kind, BodyMode::Whole(seen)).await
    }

    /// Sends a request and returns the response with any status, including errors. A 429
    /// is not retried, but pauses all later requests.
    ///
    /// # Errors
    /// [`ClientError`] if there is no response after all attempts.
    pub async fn exchange_raw(&self, request: &RawRequest) -> Result<RawResponse, ClientError> {
        let url = self.url(&request.request);
        let mut pauses = self.pauses();
        loop {
            match self
                .exchange
                .exchange_raw(&url, request, &self.account)
                .await
            {
                Ok(response) => return Ok(response),
                Err(error) => self.pause_after(error, &mut pauses).await?,
            }
        }
    }

    /// The retries of a request whose body the caller reads.
    pub fn retries(&self) -> Retries {
        Retries {
            client: self.clone(),
            pauses: self.pauses(),
        }
    }

    /// A saved document, plain or compressed, read as if upstream had just returned it;
    /// nothing is sent.
    ///
    /// # Errors
    /// Same as [`super::ResponseBody::chunk`].
    pub async fn saved<R>(&self, name: &str, reader: R) -> Result<Answer, ClientError>
    where
        R: tokio::io::AsyncRead + Send + Unpin + 'static,
    {
        let frame = BodyLimits {
            url: name.to_owned(),
            limit_bytes: self.exchange.max_body_bytes,
            silence: self.exchange.silence,
            // A pipe may wait for its writer.
            total: Duration::MAX,
            meter: self.account.meter.clone(),
        };
        let body = ResponseBody::saved(reader, frame).await?;
        Ok(Answer::saved(self.exchange.origin.url("/", &[]), body))
    }

    /// Upstream's time, according to its last response; local time before the first one.
    pub fn upstream_now(&self) -> DateTime<Utc> {
        self.exchange.clock.upstream()
    }

    /// The same, but at most the last `Date` header plus the time that passed since. It ends
    /// what a response without `Date` covers.
    pub fn upstream_at_most(&self) -> DateTime<Utc> {
        self.exchange.clock.upstream_at_most()
    }

    /// Upstream's time minus local time.
    pub fn clock_offset(&self) -> TimeDelta {
        self.exchange.clock.offset()
    }

    /// The same in the last response, also if it was too large to be accepted; `None`
    /// before the first response with a date.
    pub fn measured_clock_offset(&self) -> Option<TimeDelta> {
        self.exchange.clock.measured()
    }

    /// Shares the budget of requests with other processes: from now on each request needs
    /// a permit too, and the daily quota of this process does not count. Whoever is given
    /// the permits asks for slices and hands them in.
    pub fn share(&self) -> Arc<Permits> {
        self.exchange.rate_limiter.share()
    }

    /// Requests and bytes of this clone since [`Client::for_run`].
    pub fn usage(&self) -> Usage {
        self.account.meter.run()
    }

    /// Requests and bytes of the whole process.
    pub fn total_usage(&self) -> Usage {
        self.account.meter.process()
    }

    /// The request that waits for its next attempt, if one does.
    pub fn retrying(&self) -> Option<Retrying> {
        self.account.meter.retrying()
    }

    /// Remaining time for which requests are paused.
    pub fn paused_for(&self) -> Option<Duration> {
        self.exchange.rate_limiter.paused_for()
    }

    fn url(&self, request: &Request) -> Url {
        self.exchange.origin.url(&request.path, &request.query)
    }

    /// A clone whose requests pause no others when they are throttled, as they always are.
    #[must_use]
    pub fn throttled_alone(&self) -> Self {
        let mut client = self.clone();
        client.account.is_throttled_alone = true;
        client
    }

    /// Retries until an attempt succeeds or attempts are exhausted.
    async fn run(&self, url: Url, kind: BodyType, extent: BodyMode) -> Result<Answer, ClientError> {
        let mut pauses = self.pauses();
        // What ends before its end may be what upstream has: more would only cost requests.
        let mut is_repeated = false;
        loop {
            let extent = extent.clone();
            let attempt = self.exchange.attempt(&url, kind, extent, &self.account);
            let (error, answer) = match Box::pin(attempt).await {
                Ok(answer) => match answer.cut_short() {
                    Some(error) if !is_repeated => (error, Some(answer)),
                    _ => return Ok(answer),
                },
                Err(error) => (error, None),
            };
            is_repeated |= answer.is_some();
            if let Err(error) = self.pause_after(error, &mut pauses).await {
                // What came of it is used if no attempt is left.
                return answer.ok_or(error);
            }
        }
    }

    fn pauses(&self) -> Pauses {
        Pauses::new(self.backoff, self.max_attempts)
    }

    /// Waits a random delay before the next attempt; the error if there is none.
    async fn pause_after(
        &self,
        error: ClientError,
        pauses: &mut Pauses,
    ) -> Result<(), ClientError> {
        let held = error
            .retry_after_in()
            .is_some_and(|wait| self.exchange.pause_requests(wait, &self.account));
        if let ClientError::Throttled { wait, .. } = &error {
            self.account.meter.throttled();
            let seconds = wait.as_secs();
            let which = paused(held, self.account.is_throttled_alone, seconds);
            warn!(
                wait_seconds = seconds,
                "upstream returned 429 (too many requests); {which}"
            );
        }
        let again = error.is_retried() && (held || error.retry_after_in().is_none());
        let pause = pauses.delays.next().filter(|_| again);
        let Some(pause) = pause else {
            return Err(error);
        };
        self.account.meter.retry();
        let pause = pause.mul_f64(fastrand::f64());
        pauses.made += 1;
        let _waiting = self.account.meter.waits(Retrying {
            error: chain(&error),
            at: Instant::now() + pause,
            attempt: pauses.made + 1,
            of: self.max_attempts,
        });
        debug!(error = %error, pause_ms = pause.as_millis(), "retrying: {error}");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
