use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use chrono::{DateTime, TimeDelta, Utc};
use tracing::{debug, warn};
use url::Url;

use super::answer::{Answer, Kind};
use super::body::{Body, BodyLimits};
use super::clock::Clock;
use super::daily_quota::DailyQuota;
use super::error::ClientError;
use super::exchange::{BodyMode, Exchange, RequestContext};
use super::origin::Origin;
use super::rate_limiter::{Priority, RateLimiter};
use super::raw::{RawRequest, RawResponse};
use super::request::Request;
use super::transport::transport;
use super::usage::Usage;
use crate::config::{Backoff, Token, Upstream};

/// The one client for upstream. Clones share pace, limits, token and
/// connections. It only ever sends GET and OPTIONS, sends the token nowhere but to the
/// origin of `upstream.base_url`, and sends no cookie.
#[derive(Debug, Clone)]
pub struct Client {
    exchange: Arc<Exchange>,
    account: RequestContext,
    backoff: Backoff,
    max_attempts: u32,
}

impl Client {
    /// Makes the client of this process. `used` are the requests that were sent
    /// in the last 24 hours, from the ledger, for the daily limit.
    ///
    /// # Errors
    /// [`ClientError`]: `base_url`, `proxy`, `ca_file` or the machine's certificates cannot be used.
    pub fn new(
        settings: &Upstream,
        token: Token,
        used: Vec<(DateTime<Utc>, u32)>,
        clock: crate::clock::Clock,
    ) -> Result<Self, ClientError> {
        let limit = settings.requests_per_day;
        let clock = Clock::new(clock);
        let exchange = Exchange {
            transport: transport(settings)?,
            origin: Origin::new(settings.base_url.clone()),
            token: RwLock::new(token),
            rate_limiter: RateLimiter::new(settings.requests_per_minute),
            day: Mutex::new(DailyQuota::new(limit, used, clock.ours())),
            daily_limit: limit,
            clock,
            max_body_bytes: settings.max_body_bytes,
            silence: settings.read_timeout,
        };
        Ok(Self {
            exchange: Arc::new(exchange),
            account: RequestContext::default(),
            backoff: settings.backoff,
            max_attempts: settings.max_attempts,
        })
    }

    /// A clone that counts its [`Client::usage`] from zero, for one run.
    #[must_use]
    pub fn for_run(&self) -> Self {
        let mut client = self.clone();
        client.account.meter = self.account.meter.for_run();
        client
    }

    /// A clone whose requests go only while no other waits, leave half of the
    /// day's requests alone, and hold nothing else back when they alone are too
    /// many.
    #[must_use]
    pub fn in_the_background(&self) -> Self {
        let mut client = self.clone();
        client.account.priority = Priority::Background;
        client
    }

    /// Asks for something; its body is still on its way. Attempts end where the
    /// body begins: one that breaks later is an error of [`super::Body::chunk`].
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get(&self, request: &Request) -> Result<Answer, ClientError> {
        self.run(self.url(request), request.kind, BodyMode::Beginning)
            .await
    }

    /// Follows a URL that upstream gave (`next`), if it leads to upstream.
    ///
    /// # Errors
    /// [`ClientError`], [`ClientError::Elsewhere`] among them.
    pub async fn get_url(&self, next: &str, kind: Kind) -> Result<Answer, ClientError> {
        let url = self.exchange.origin.next(next, &self.exchange.token())?;
        self.run(url, kind, BodyMode::Beginning).await
    }

    /// As [`Client::get`], with the whole body (at most 64 MiB) in memory: one that
    /// breaks is asked for again.
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get_whole(&self, request: &Request) -> Result<Answer, ClientError> {
        self.run(self.url(request), request.kind, BodyMode::Whole)
            .await
    }

    /// As [`Client::get_url`], with the whole body (at most 64 MiB) in memory.
    ///
    /// # Errors
    /// [`ClientError`], after all attempts.
    pub async fn get_url_whole(&self, next: &str, kind: Kind) -> Result<Answer, ClientError> {
        let url = self.exchange.origin.next(next, &self.exchange.token())?;
        self.run(url, kind, BodyMode::Whole).await
    }

    /// Asks for something and takes the answer as it is, refusals too. One that
    /// says "too many requests" is not repeated, but holds back all later requests.
    ///
    /// # Errors
    /// [`ClientError`] where there is no answer, after all attempts.
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

    /// A saved document, plain or compressed, read as if it had just come from
    /// upstream; nothing is sent.
    ///
    /// # Errors
    /// As [`super::Body::chunk`].
    pub async fn saved<R>(&self, name: &str, reader: R) -> Result<Answer, ClientError>
    where
        R: tokio::io::AsyncRead + Send + Unpin + 'static,
    {
        let frame = BodyLimits {
            url: name.to_owned(),
            limit_bytes: self.exchange.max_body_bytes,
            silence: self.exchange.silence,
            meter: self.account.meter.clone(),
        };
        let body = Body::saved(reader, frame).await?;
        Ok(Answer::saved(self.exchange.origin.url("/", &[]), body))
    }

    /// Takes another token, after a reload.
    pub fn set_token(&self, token: Token) {
        let mut held = self
            .exchange
            .token
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *held = token;
    }

    /// Upstream's time, as its last answer told it; ours before the first one.
    pub fn upstream_now(&self) -> DateTime<Utc> {
        self.exchange.clock.upstream()
    }

    /// Upstream's time less ours.
    pub fn clock_offset(&self) -> TimeDelta {
        self.exchange.clock.offset()
    }

    /// What this clone asked of upstream since [`Client::for_run`].
    pub fn usage(&self) -> Usage {
        self.account.meter.run()
    }

    /// What the whole process asked of upstream.
    pub fn total_usage(&self) -> Usage {
        self.account.meter.process()
    }

    /// For how much longer upstream wants to be left alone.
    pub fn paused_for(&self) -> Option<Duration> {
        self.exchange.rate_limiter.paused_for()
    }

    fn url(&self, request: &Request) -> Url {
        self.exchange.origin.url(&request.path, &request.query)
    }

    /// Attempts until one succeeds.
    async fn run(&self, url: Url, kind: Kind, extent: BodyMode) -> Result<Answer, ClientError> {
        let mut pauses = self.pauses();
        loop {
            match self
                .exchange
                .attempt(&url, kind, extent, &self.account)
                .await
            {
                Ok(answer) => return Ok(answer),
                Err(error) => self.pause_after(error, &mut pauses).await?,
            }
        }
    }

    /// Pauses between attempts: they double.
    fn pauses(&self) -> ExponentialBackoff {
        let Backoff { first, longest } = self.backoff;
        ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_max_times(self.max_attempts.saturating_sub(1) as usize)
            .build()
    }

    /// Waits for the next attempt, cut by chance; the error where there is none.
    async fn pause_after(
        &self,
        error: ClientError,
        pauses: &mut ExponentialBackoff,
    ) -> Result<(), ClientError> {
        let held = error
            .retry_after_in()
            .is_some_and(|wait| self.exchange.hold(wait, &self.account));
        if let ClientError::Throttled { wait, .. } = &error {
            self.account.meter.throttled();
            let seconds = wait.as_secs();
            let who = if held { "all requests" } else { "the details" };
            warn!(
                wait_seconds = seconds,
                "upstream throttles, {who} wait {seconds} s"
            );
        }
        let again = error.is_retried() && (held || error.retry_after_in().is_none());
        let pause = pauses.next().filter(|_| again);
        let Some(pause) = pause else {
            return Err(error);
        };
        self.account.meter.retry();
        let pause = pause.mul_f64(fastrand::f64());
        debug!(error = %error, pause_ms = pause.as_millis(), "trying again: {error}");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
