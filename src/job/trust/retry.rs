//! Retries quarantined records with the current parser and aliases.

use std::sync::Arc;

use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool};

use crate::clock::Clock;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{DetailsMode, Ticket, plain_fingerprint};
use crate::source::detail as detail_source;
use crate::source::ticket as ticket_source;
use crate::source::xml::{self, ParserRules};
use crate::store;
use crate::store::advisories::advisory::{self, ChunkContext};
use crate::store::advisories::comparison::RecordComparison;
use crate::store::advisories::detail as store_detail;
use crate::store::advisories::detail::DetailOutcome;
use crate::store::advisories::received::ReceivedAdvisory;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::quarantine::{self, Kept, RecordFormat};
use crate::store::origin::ChunkOrigin;
use crate::store::tickets::ticket;
use crate::store::wanted::queue::{self, QueueEntry, Reason};

/// The result of retrying a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Its id in quarantine.
    pub id: i64,
    /// Its source, in words.
    pub source: String,
    /// Its identifier, if one was found.
    pub key: Option<String>,
    /// What happened to it.
    pub fate: Fate,
    /// Why it stays in quarantine; for [`Fate::Busy`], which process has the source.
    pub reason: Option<String>,
}

/// What happened to a retried record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was parsed and stored.
    Stored,
    /// It was parsed and is stored already; it left quarantine.
    Known,
    /// It stays in quarantine.
    Stays,
    /// A run has its source lock; nothing was changed.
    Busy,
    /// There is no such record.
    Gone,
}

/// Dependencies of a retry.
pub struct Retry<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// The current rules for parsing records.
    pub rules: &'a Arc<ParserRules>,
    /// The clock.
    pub clock: &'a Clock,
}

impl Retry<'_> {
    /// Retries one record, with the source lock like a run.
    pub async fn retry(&self, id: i64) -> Result<Retried, Failure> {
        let mut connection = self.pool.acquire().await?;
        let Some(kept) = quarantine::get(&mut connection, id).await? else {
            return Ok(gone(id));
        };
        drop(connection);
        let lock = match SourceLock::take(self.pool, kept.source_id).await? {
            Ok(lock) => lock,
            Err(holder) => return Ok(retried(&kept, Fate::Busy, Some(holder.to_string()))),
        };
        let guard = Guard::new(self.pool, &lock);
        let result = self.retry_locked(&guard, id, true).await;
        lock.release().await;
        result
    }

    /// Retries one record while the caller has its source lock. Without `write` the
    /// transaction is rolled back.
    pub(crate) async fn retry_locked(
        &self,
        guard: &Guard,
        id: i64,
        write: bool,
    ) -> Result<Retried, Failure> {
        // Exclusive: another list may be storing the same new advisory.
        let mut transaction = guard.begin_with_lock(WriteLock::Exclusive).await?;
        let Some(kept) = quarantine::get(&mut transaction, id).await? else {
            return Ok(gone(id));
        };
        let origin = ChunkOrigin {
            settled_before: None,
            source_id: kept.source_id,
            run_id: kept.last_run_id,
            at: self.clock.now(),
            // Details that the configuration excludes are not fetched later either.
            details: DetailsMode::Auto,
            is_live: false,
        };
        let Outcome { key, fate, reason } = self.read(&mut transaction, origin, &kept).await?;
        let reason = reason.as_deref().map(quarantine::short_reason);
        match &reason {
            None => quarantine::remove(&mut transaction, id).await?,
            Some(reason) => {
                quarantine::explain(&mut transaction, id, key.as_deref(), reason).await?;
            }
        }
        if write {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        let kept = Kept {
            key: key.or(kept.key),
            ..kept
        };
        Ok(retried(&kept, fate, reason))
    }

    /// Parses and stores one record. If PostgreSQL refuses a value in it, it stays.
    async fn read(
        &self,
        transaction: &mut PgConnection,
        origin: ChunkOrigin,
        kept: &Kept,
    ) -> Result<Outcome, sqlx::Error> {
        if !kept.kind.is_whole() {
            return Ok(Outcome::stays(None, kept.reason.clone()));
        }
        let mut savepoint = transaction.begin().await?;
        let outcome = match kept.form() {
            RecordFormat::Ticket => read_ticket(&mut savepoint, origin, kept).await,
            RecordFormat::Detail => self.read_detail(&mut savepoint, origin, kept).await,
            RecordFormat::Listed => self.read_listed(&mut savepoint, origin, kept).await,
            RecordFormat::Record => self.read_advisory(&mut savepoint, origin, kept).await,
        };
        match outcome {
            Ok(outcome) => {
                savepoint.commit().await?;
                Ok(outcome)
            }
            Err(error) => {
                let reason = store::refused_value(&error).ok_or(error)?;
                savepoint.rollback().await?;
                Ok(Outcome::stays(None, reason))
            }
        }
    }

    async fn read_advisory(
        &self,
        transaction: &mut PgConnection,
        origin: ChunkOrigin,
        kept: &Kept,
    ) -> Result<Outcome, sqlx::Error> {
        let bytes = original(kept);
        let advisory = match xml::read_record(self.rules, &bytes) {
            Ok(advisory) => advisory,
            Err(xml::UnreadableRecord { key, reason, .. }) => {
                return Ok(Outcome::stays(key, reason));
            }
        };
        let said = advisory.said.clone();
        let read = |raw: &str| xml::read_record(self.rules, raw.as_bytes()).ok();
        let comparison = advisory::compare(transaction, origin, &advisory, &read).await?;
        let outcome = Outcome::of(said, comparison);
        if outcome.fate == Fate::Stored {
            let received = ReceivedAdvisory {
                advisory,
                byte_hash: self.rules.fingerprint(&bytes),
                raw: xml::kept(&bytes).into_owned(),
            };
            let document = ChunkContext {
                is_seen: &|_| false,
                read: &read,
                has_local_times: &|_| false,
            };
            advisory::merge(transaction, origin, &[received], document).await?;
        }
        Ok(outcome)
    }
}

impl Retry<'_> {
    /// A details response of the JSON API.
    async fn read_detail(
        &self,
        connection: &mut PgConnection,
        origin: ChunkOrigin,
        kept: &Kept,
    ) -> Result<Outcome, sqlx::Error> {
        let detail = match detail_source::read(self.rules, &original(kept)) {
            Ok(detail) => detail,
            Err(unreadable) => return Ok(Outcome::stays(unreadable.key, unreadable.reason)),
        };
        let said = detail.advisory.said.clone();
        if kept.key.as_ref().is_some_and(|key| *key != said) {
            let reason = format!("it is {said}, which is not the requested advisory");
            return Ok(Outcome::stays(None, reason));
        }
        let record = crate::job::details::fetch::record(connection, self.rules, &said).await?;
        let record = record.as_ref();
        let outcome = store_detail::store(connection, origin, &detail, record, None).await?;
        let comparison = match outcome {
            DetailOutcome::Added | DetailOutcome::Changed => RecordComparison::Newer,
            DetailOutcome::Unchanged
            | DetailOutcome::Elsewhere
            | DetailOutcome::Older
            | DetailOutcome::Alternating => RecordComparison::Same,
        };
        Ok(Outcome::of(said, comparison))
    }

    /// An element of the JSON API's list of advisories; its details are enqueued.
    async fn read_listed(
        &self,
        transaction: &mut PgConnection,
        origin: ChunkOrigin,
        kept: &Kept,
    ) -> Result<Outcome, sqlx::Error> {
        let element: serde_json::Value = match serde_json::from_slice(&original(kept)) {
            Ok(element) => element,
            Err(error) => return Ok(Outcome::stays(None, format!("invalid JSON: {error}"))),
        };
        match detail_source::read_listed(self.rules, element) {
            Ok(listed) => {
                let entry = QueueEntry {
                    said: listed.said.clone(),
                    reason: Reason::Json,
                    modified_at: listed.modified_at,
                };
                queue::enqueue(transaction, &[entry], origin.at).await?;
                Ok(Outcome::of(listed.said, RecordComparison::Same))
            }
            Err(unreadable) => Ok(Outcome::stays(unreadable.key, unreadable.reason)),
        }
    }
}

async fn read_ticket(
    transaction: &mut PgConnection,
    origin: ChunkOrigin,
    kept: &Kept,
) -> Result<Outcome, sqlx::Error> {
    let value = match serde_json::from_str(&kept.raw) {
        Ok(value) => value,
        Err(error) => return Ok(Outcome::stays(None, format!("invalid JSON: {error}"))),
    };
    let ticket: Ticket = match ticket_source::read(value) {
        Ok(ticket) => ticket,
        Err(unreadable) => return Ok(Outcome::stays(unreadable.key, unreadable.reason)),
    };
    let comparison = ticket::compare(transaction, origin, &ticket).await?;
    let outcome = Outcome::of(ticket.id.to_string(), comparison);
    if outcome.fate == Fate::Stored {
        ticket::merge(transaction, origin, &[ticket]).await?;
    }
    Ok(outcome)
}

/// The original bytes of the record. Records that could be parsed but were quarantined for
/// another reason were once stored without escaping: the fingerprint shows which.
fn original(kept: &Kept) -> Vec<u8> {
    let bytes = xml::unprintable(&kept.raw);
    let unescaped = kept.raw.as_bytes();
    let is_plain = plain_fingerprint(&bytes).as_slice() != kept.byte_hash
        && plain_fingerprint(unescaped).as_slice() == kept.byte_hash;
    if is_plain { unescaped.to_vec() } else { bytes }
}

struct Outcome {
    key: Option<String>,
    fate: Fate,
    reason: Option<String>,
}

impl Outcome {
    fn stays(key: Option<String>, reason: String) -> Self {
        Self {
            key,
            fate: Fate::Stays,
            reason: Some(reason),
        }
    }

    fn of(key: String, comparison: RecordComparison) -> Self {
        let fate = match comparison {
            RecordComparison::Unknown | RecordComparison::Newer => Fate::Stored,
            RecordComparison::Same => Fate::Known,
            RecordComparison::Other => {
                let reason = format!(
                    "it can be parsed, but the stored {key} differs and is as new or newer"
                );
                return Self::stays(Some(key), reason);
            }
        };
        Self {
            key: Some(key),
            fate,
            reason: None,
        }
    }
}

fn retried(kept: &Kept, fate: Fate, reason: Option<String>) -> Retried {
    Retried {
        id: kept.id,
        source: kept.source.clone(),
        key: kept.key.clone(),
        fate,
        reason,
    }
}

fn gone(id: i64) -> Retried {
    Retried {
        id,
        source: String::new(),
        key: None,
        fate: Fate::Gone,
        reason: None,
    }
}
