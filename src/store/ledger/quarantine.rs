//! Quarantine: records that were received and could not be parsed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use super::quarantined::{Kept, ListedQuarantine, RecordFormat, get, list};
use super::room::Room;
use crate::model::{Fingerprint, QuarantineKind, outgoing_within, shortened};
use crate::store::origin::ChunkOrigin;

/// Maximum length of a key, in characters: its index rows hold 2.7 kB.
const MAX_KEY_CHARS: usize = 200;
/// Maximum length of a reason, in characters: it may quote the record.
const MAX_REASON_CHARS: usize = 1000;

/// A record that could not be parsed.
#[derive(Debug, Clone)]
pub struct QuarantineEntry {
    /// What is kept of it.
    pub kind: QuarantineKind,
    /// Its own identifier, if one was found.
    pub key: Option<String>,
    /// Identifiers in it that may be its own or those of other advisories. A version of such
    /// an advisory does not replace the record; the details of all of them do.
    pub hints: Vec<String>,
    /// Why it could not be parsed.
    pub reason: String,
    /// Fingerprint of its bytes, independent of the parser's version.
    pub byte_hash: Fingerprint,
    /// The raw record, in a form that a text column can store.
    pub raw: String,
}

impl QuarantineEntry {
    fn short_key(&self) -> Option<String> {
        self.key.as_deref().map(short_key)
    }

    /// The identifiers that may be its own, one per line.
    fn mentioned(&self) -> String {
        let hints = self.hints.iter().filter(|_| self.key.is_none());
        let lines: Vec<String> = hints.map(|hint| short_key(hint)).collect();
        lines.join("\n")
    }

    fn short_reason(&self) -> String {
        short_reason(&self.reason)
    }

    fn storable_raw(&self) -> String {
        storable(&self.raw)
    }
}

fn short_key(key: &str) -> String {
    shortened(&storable(key), MAX_KEY_CHARS)
}

/// A reason as it is stored and shown: it may quote the record, and so a secret.
pub fn short_reason(reason: &str) -> String {
    outgoing_within(&storable(reason), MAX_REASON_CHARS)
}

/// NUL is the one character that a text column cannot store.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Stores records; if the same bytes are already stored, only updates when they
/// were last seen. Several alike are one record. Those for which the source has no room
/// are not stored: [`super::room::lacked`] reports it to the run. Returns whether all are.
pub async fn keep(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    records: &[QuarantineEntry],
) -> Result<bool, sqlx::Error> {
    if records.is_empty() {
        return Ok(true);
    }
    // One statement cannot update a row twice: of records that are alike, one is kept.
    let mut different = HashSet::new();
    let different: Vec<&QuarantineEntry> = records
        .iter()
        .filter(|record| different.insert(record.byte_hash))
        .collect();
    let all = different.len();
    let different = with_room(connection, origin.source_id, different).await?;
    let has_all = different.len() == all;
    let hashes = different.iter().map(|record| record.byte_hash.to_vec());
    let hashes: Vec<Vec<u8>> = hashes.collect();
    let kinds = different.iter().map(|record| record.kind.name().to_owned());
    let kinds: Vec<String> = kinds.collect();
    let mentioned = different.iter().map(|record| record.mentioned());
    let mentioned: Vec<String> = mentioned.collect();
    let (keys, reasons, raws) = columns(different);
    sqlx::query!(
        r"insert into quarantine (run_id, last_run_id, source_id, at, key, reason, byte_hash, raw, kind, mentioned)
         select $1, $1, $2, $3, n.key, n.reason, n.byte_hash, n.raw, n.kind, string_to_array(n.mentioned, E'\n')
         from unnest($4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[])
              as n (key, reason, byte_hash, raw, kind, mentioned)
         on conflict (source_id, byte_hash) do update
         set last_run_id = excluded.last_run_id,
             mentioned = excluded.mentioned",
        origin.run_id,
        origin.source_id,
        origin.at,
        &keys as &[Option<String>],
        &reasons,
        &hashes,
        &raws,
        &kinds,
        &mentioned
    )
    .execute(connection)
    .await?;
    Ok(has_all)
}

/// The records that are kept already or for which there is room, the first ones first.
async fn with_room<'r>(
    connection: &mut PgConnection,
    source_id: i32,
    mut records: Vec<&'r QuarantineEntry>,
) -> Result<Vec<&'r QuarantineEntry>, sqlx::Error> {
    let hashes: Vec<Fingerprint> = records.iter().map(|record| record.byte_hash).collect();
    let known = known(connection, source_id, &hashes).await?;
    let known: HashSet<Vec<u8>> = known.into_iter().collect();
    let mut room = Room::of(connection, source_id).await?;
    records.retain(|record| known.contains(record.byte_hash.as_slice()) || room.take(&record.raw));
    Ok(records)
}

/// Keys, reasons and raw texts, as the database takes them.
fn columns<'r>(
    records: impl IntoIterator<Item = &'r QuarantineEntry>,
) -> (Vec<Option<String>>, Vec<String>, Vec<String>) {
    let columns = records
        .into_iter()
        .map(|one| (one.short_key(), (one.short_reason(), one.storable_raw())));
    let (keys, (reasons, raws)) = columns.unzip();
    (keys, reasons, raws)
}

/// Keeps records that are not stored because a newer one was received with them, once each.
/// Those for which there is no room are not kept: then [`super::room::lacked`] is true.
pub async fn keep_replaced(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    records: &[QuarantineEntry],
) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let mut room = Room::of_replaced(connection, origin.source_id).await?;
    let kept: Vec<&QuarantineEntry> = records
        .iter()
        .take_while(|one| room.take(&one.raw))
        .collect();
    let (keys, reasons, raws) = columns(kept);
    sqlx::query!(
        "insert into replaced_record (source_id, key, reason, raw, received_at, replaced_at)
         select $1, n.key, n.reason, n.raw, $2, $2
         from unnest($3::text[], $4::text[], $5::text[]) as n (key, reason, raw)
         where not exists (
             select
             from replaced_record r
             where r.source_id = $1
               and r.key is not distinct from n.key
               and r.raw = n.raw)",
        origin.source_id,
        origin.at,
        &keys as &[Option<String>],
        &reasons,
        &raws
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which of these fingerprints are already in quarantine.
pub async fn known(
    connection: &mut PgConnection,
    source_id: i32,
    hashes: &[Fingerprint],
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    sqlx::query_scalar!(
        "select byte_hash
         from quarantine
         where source_id = $1
           and byte_hash = any($2)",
        source_id,
        &hashes
    )
    .fetch_all(connection)
    .await
}

/// Whether a source has no quarantined records, so that there is nothing to release.
pub async fn is_empty(connection: &mut PgConnection, source_id: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not exists (select from quarantine where source_id = $1) as "empty!""#,
        source_id
    )
    .fetch_one(connection)
    .await
}

/// How many records a run received first and left in quarantine.
pub async fn first_received(
    connection: &mut PgConnection,
    run_id: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from quarantine where run_id = $1"#,
        run_id
    )
    .fetch_one(connection)
    .await
}

/// Releases the advisories that the complete run parsed and did not receive as
/// unparsable again; returns their number. Call it after the run is stored in its
/// source; `is_full` as there. The records are kept among the replaced ones.
pub async fn release_advisories(
    connection: &mut PgConnection,
    source_id: i32,
    run_id: i64,
    (is_full, now): (bool, DateTime<Utc>),
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with gone as (
             delete from quarantine q
             using source s, sighting g
             where q.source_id = $1
               and q.last_run_id <> $2
               and s.id = q.source_id
               and g.source_id = q.source_id
               and g.said = q.key
               and case when $3 then s.full_seen else s.seen end @> g.id
             returning q.*)
         insert into replaced_record (source_id, key, reason, raw, received_at, replaced_at)
         select source_id, key, reason, raw, at, $4
         from gone
         order by id",
        source_id,
        run_id,
        is_full,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Releases the records whose same bytes can be parsed now, because the aliases or
/// the parser have changed; returns their number.
pub async fn release_bytes(
    connection: &mut PgConnection,
    source_id: i32,
    hashes: &[Fingerprint],
) -> Result<u64, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let done = sqlx::query!(
        "delete from quarantine
         where source_id = $1
           and byte_hash = any($2)",
        source_id,
        &hashes
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Releases the tickets whose ids were parsed now; returns their number. The records are
/// kept among the replaced ones.
pub async fn release_tickets(
    connection: &mut PgConnection,
    source_id: i32,
    ids: &[i64],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let keys: Vec<String> = ids.iter().map(i64::to_string).collect();
    release_keys(connection, source_id, &keys, now).await
}

/// Releases the records of these keys, because they were parsed now; returns their number.
/// They are kept among the replaced ones.
pub async fn release_keys(
    connection: &mut PgConnection,
    source_id: i32,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with gone as (
             delete from quarantine
             where source_id = $1
               and key = any($2)
             returning *)
         insert into replaced_record (source_id, key, reason, raw, received_at, replaced_at)
         select source_id, key, reason, raw, at, $3
         from gone
         order by id",
        source_id,
        keys,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ids of records first received since, in the order of receipt, in which they
/// are also parsed again.
pub async fn ids_since(
    connection: &mut PgConnection,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id
         from quarantine
         where $1::timestamptz is null
            or at >= $1
         order by id",
        since
    )
    .fetch_all(connection)
    .await
}

/// Removes one record.
pub async fn remove(connection: &mut PgConnection, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from quarantine where id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Updates the reason why a record is quarantined.
pub async fn explain(
    connection: &mut PgConnection,
    id: i64,
    key: Option<&str>,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let (key, reason) = (key.map(short_key), short_reason(reason));
    sqlx::query!(
        "update quarantine
         set key = coalesce($2, key),
             reason = $3
         where id = $1
           and (reason is distinct from $3 or key is distinct from coalesce($2, key))",
        id,
        key.as_deref(),
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}
