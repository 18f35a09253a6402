//! Fetches the details of one advisory: the request, and what becomes of the answer.

use tokio::sync::Semaphore;

use super::identifier::is_plain;
use crate::http::{BodyType, ClientError, Request, Staleness};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{Detail, Fingerprint, QuarantineKind, chain, plain_fingerprint};
use crate::source::page::UnreadableRow;
use crate::source::{detail as detail_source, large, xml};
use crate::store;
use crate::store::advisories::detail::{self, DetailOutcome, FeedRecord};
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::{backlog, queue, throttled};

/// Details larger than this are parsed and stored one at a time: a value takes a few bytes of
/// text, and as many as a hundred times that until it is stored.
const LARGE_DETAIL_BYTES: usize = 64 * 1024;
static LARGE_DETAILS: Semaphore = Semaphore::const_new(1);

/// Path of the advisories.
pub(crate) const PATH: &str = "/api/advisories/";
/// The result of one request.
pub(super) enum DetailResult {
    Stored(DetailOutcome, Fingerprint),
    Unreadable,
    Unavailable,
    /// Upstream refuses these details to the account, or all of them.
    Refused(ClientError),
    /// The request failed, perhaps because of these details alone.
    Failed(ClientError),
    /// These details are always throttled.
    Throttled,
}

#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) context: Context,
    pub(super) guard: Guard,
    pub(super) origin: ChunkOrigin,
    /// Whether these details are throttled whatever else upstream answers.
    pub(super) is_throttled_alone: bool,
}

impl Fetching {
    /// Fetches one detail. `Err` ends the run: the next request would fail too.
    pub(super) async fn fetch_one(self, said: String) -> Result<DetailResult, Failure> {
        if !is_plain(&said) {
            let why = "its identifier cannot be part of a URL";
            return self.unavailable(&said, why).await;
        }
        self.count_request().await?;
        match self.request(&said).await {
            Ok((body, staleness)) => self.store_response(&said, &body, staleness).await,
            Err(Failure::Upstream(error @ ClientError::NotFound { .. })) => {
                self.unavailable(&said, &error.to_string()).await
            }
            Err(Failure::Upstream(
                ref error @ (ClientError::TooLarge { ref head, .. }
                | ClientError::TooManyValues { ref head, .. }),
            )) => {
                let reason = large::too_large(&error.to_string(), head.len());
                let kept = (QuarantineKind::JsonBeginning, reason, xml::printable(head));
                self.quarantine(&said, head, kept).await
            }
            Err(Failure::Upstream(error @ ClientError::Forbidden { .. })) => {
                self.failed(&said, &error.to_string()).await?;
                Ok(DetailResult::Refused(error))
            }
            Err(Failure::Upstream(error @ ClientError::Throttled { .. })) => {
                if self.is_throttled_alone {
                    let why = "always answered with status 429 (too many requests)";
                    self.throttled(&said, why).await?;
                    return Ok(DetailResult::Throttled);
                }
                self.throttled(&said, &chain(&error)).await?;
                Err(error.into())
            }
            Err(Failure::Upstream(error)) if is_specific(&error) => {
                self.failed(&said, &chain(&error)).await?;
                if is_same_for_all(&error) {
                    return Err(error.into());
                }
                Ok(DetailResult::Failed(error))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether the account may read these details; `false` if upstream refuses them.
    pub(super) async fn is_allowed(&self, said: &str) -> Result<bool, Failure> {
        self.count_request().await?;
        match self.request(said).await {
            Err(Failure::Upstream(ClientError::Forbidden { .. })) => Ok(false),
            Err(Failure::Upstream(error))
                if error.is_too_large() || matches!(error, ClientError::NotFound { .. }) =>
            {
                Ok(true)
            }
            response => response.map(|_| true),
        }
    }

    /// Records that a request failed.
    async fn failed(&self, said: &str, why: &str) -> Result<(), Failure> {
        let mut transaction = self.guard.begin().await?;
        queue::failed(&mut transaction, said, why, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Records that a request was throttled, because of this advisory or with all others.
    async fn throttled(&self, said: &str, why: &str) -> Result<(), Failure> {
        let mut transaction = self.guard.begin().await?;
        throttled::record(&mut transaction, said, why, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Counts the request against the daily quota, before it is sent.
    async fn count_request(&self) -> Result<(), Failure> {
        let config = &self.context.config;
        if config.feeds.details_per_day == 0 || config.upstream.offline {
            return Ok(());
        }
        let mut transaction = self.guard.begin().await?;
        backlog::spend(&mut transaction, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn request(&self, said: &str) -> Result<(bytes::Bytes, Staleness), Failure> {
        let request = Request::new(format!("{PATH}{said}/"), BodyType::JsonObject);
        let response = async {
            let client = &self.context.client;
            let mut response = if self.is_throttled_alone {
                client.throttled_alone().get_whole(&request).await?
            } else {
                client.get_whole(&request).await?
            };
            // Half an advisory says nothing about the other half: it is requested again soon.
            if let Some(error) = response.cut_short() {
                return Err(error);
            }
            Ok::<_, ClientError>((response.bytes().await?, response.staleness))
        };
        Ok(self.context.or_stopped(response).await??)
    }

    async fn store_response(
        &self,
        said: &str,
        body: &[u8],
        staleness: Staleness,
    ) -> Result<DetailResult, Failure> {
        let _permit = if body.len() > LARGE_DETAIL_BYTES {
            let permit = self.context.or_stopped(LARGE_DETAILS.acquire()).await?;
            Some(permit.map_err(|error| Failure::Broken(error.to_string()))?)
        } else {
            None
        };
        let read = detail_source::read(&self.context.rules, body).and_then(|detail| {
            let found = &detail.advisory.said;
            if found == said {
                return Ok(detail);
            }
            Err(UnreadableRow {
                key: Some(said.to_owned()),
                reason: format!("requested {said}, got {found}"),
                raw: xml::printable(body),
            })
        });
        match read {
            Ok(detail) => match self.store(&detail, staleness).await {
                Err(Failure::Store(error)) => match store::refused_value(&error) {
                    Some(reason) => {
                        let kept = (QuarantineKind::Json, reason, xml::printable(body));
                        self.quarantine(said, body, kept).await
                    }
                    None => Err(error.into()),
                },
                outcome => Ok(DetailResult::Stored(outcome?, detail.byte_hash)),
            },
            Err(UnreadableRow { reason, raw, .. }) => {
                let kept = (QuarantineKind::Json, reason, raw);
                self.quarantine(said, body, kept).await
            }
        }
    }

    async fn store(&self, detail: &Detail, staleness: Staleness) -> Result<DetailOutcome, Failure> {
        let mut transaction = self.guard.begin_with_lock(WriteLock::Exclusive).await?;
        let now = self.context.clock.now();
        let origin = ChunkOrigin {
            at: now,
            ..self.origin
        };
        let said = &detail.advisory.said;
        let record = record(&mut transaction, &self.context.rules, said).await?;
        let keys = std::slice::from_ref(said);
        quarantine::release_keys(&mut transaction, origin.source_id, keys, now).await?;
        let (record, made) = (record.as_ref(), staleness.made_before(now));
        let outcome = detail::store(&mut transaction, origin, detail, record, made).await?;
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn quarantine(
        &self,
        said: &str,
        body: &[u8],
        (kind, reason, raw): (QuarantineKind, String, String),
    ) -> Result<DetailResult, Failure> {
        let mut transaction = self.guard.begin().await?;
        let now = self.context.clock.now();
        queue::unavailable(&mut transaction, said, &reason, now).await?;
        let record = quarantine::QuarantineEntry {
            kind,
            key: Some(said.to_owned()),
            hints: Vec::new(),
            reason,
            byte_hash: plain_fingerprint(body),
            raw,
        };
        let origin = ChunkOrigin {
            at: now,
            ..self.origin
        };
        let is_kept = quarantine::keep(&mut transaction, origin, &[record]).await?;
        transaction.commit().await?;
        if !is_kept {
            tracing::warn!(said, "{said}: {}", Failure::NoRoom);
        }
        Ok(DetailResult::Unreadable)
    }

    async fn unavailable(&self, said: &str, why: &str) -> Result<DetailResult, Failure> {
        let mut transaction = self.guard.begin().await?;
        queue::unavailable(&mut transaction, said, why, self.context.clock.now()).await?;
        transaction.commit().await?;
        Ok(DetailResult::Unavailable)
    }
}

/// The feed's record of an advisory, parsed with the current rules.
pub(crate) async fn record(
    connection: &mut sqlx::PgConnection,
    rules: &xml::ParserRules,
    said: &str,
) -> Result<Option<FeedRecord>, sqlx::Error> {
    let raw = detail::record(connection, said).await?;
    Ok(raw.map(|raw| FeedRecord {
        advisory: xml::read_record(rules, raw.as_bytes()).ok(),
        raw,
    }))
}

/// Whether the error may concern only this advisory. Of the others, a request says nothing
/// about the details.
fn is_specific(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Forbidden { .. }
            | ClientError::TokenRejected { .. }
            | ClientError::Throttled { .. }
            | ClientError::DailyBudget { .. }
    )
}

/// Whether each other request would fail in the same way.
fn is_same_for_all(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Offline { .. }
            | ClientError::Unusable { .. }
            | ClientError::File { .. }
            | ClientError::Certificates { .. }
            | ClientError::ClockSkew { .. }
    )
}
