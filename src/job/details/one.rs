//! Fetches the details of one advisory: the request, and what becomes of the answer.

use super::identifier::is_plain;
use crate::http::{BodyType, ClientError, Request, Staleness};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{Detail, Fingerprint, QuarantineKind, plain_fingerprint};
use crate::source::page::UnreadableRow;
use crate::source::{detail as detail_source, large, xml};
use crate::store;
use crate::store::advisories::detail::{self, DetailOutcome, FeedRecord};
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::quarantine;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::{backlog, queue};

/// Path of the advisories.
pub(crate) const PATH: &str = "/api/advisories/";
/// The result of one request.
pub(super) enum DetailResult {
    Stored(DetailOutcome, Fingerprint),
    Unreadable,
    Unavailable,
    /// Upstream refuses these details to the account, or all of them.
    Refused(ClientError),
}

#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) context: Context,
    pub(super) guard: Guard,
    pub(super) origin: ChunkOrigin,
}

impl Fetching {
    /// Fetches one detail. `Err` ends the run: the next request would probably fail too.
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
                self.failed(&said, &error.to_string(), true).await?;
                Ok(DetailResult::Refused(error))
            }
            Err(failure) => {
                if let Failure::Upstream(error) = &failure {
                    // It may be this one that is throttled: others come first.
                    let is_throttled = matches!(error, ClientError::Throttled { .. });
                    let is_own = is_specific(error);
                    if is_own || is_throttled {
                        self.failed(&said, &failure.chain(), is_own).await?;
                    }
                }
                Err(failure)
            }
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

    /// Records that a request failed, for this advisory or (`!is_own`) perhaps for all.
    async fn failed(&self, said: &str, why: &str, is_own: bool) -> Result<(), Failure> {
        let now = self.context.clock.now();
        let mut transaction = self.guard.begin().await?;
        if is_own {
            queue::failed(&mut transaction, said, why, now).await?;
        } else {
            queue::postponed(&mut transaction, said, why, now).await?;
        }
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
            let mut response = self.context.client.get_whole(&request).await?;
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

/// Whether the error concerns only this advisory, so that others may still succeed.
fn is_specific(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Forbidden { .. }
            | ClientError::TokenRejected { .. }
            | ClientError::Throttled { .. }
            | ClientError::DailyBudget { .. }
    )
}
