//! Sightings: which source sent an advisory, and its latest bytes from there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::copy::CopyRows;
use crate::model::Fingerprint;
use crate::store::ledger::room::MAX_REPLACED;
use crate::store::origin::ChunkOrigin;

/// One record of a source, to be inserted.
pub(crate) struct NewSighting<'a> {
    pub said: &'a str,
    pub byte_hash: Fingerprint,
    pub content_hash: Fingerprint,
    pub dissent: Option<&'a str>,
    /// Whether it is settled what it is.
    pub state: SightingState,
}

/// Whether a record is to be compared again, although its bytes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SightingState {
    /// No.
    Settled,
    /// Its modification time is earlier than that of the version of this source.
    TakenBack,
    /// It was imported, and may be newer than what upstream sent.
    Undecided,
    /// This source sends it in turn with the current version.
    Alternating,
}

/// A row that exists already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighted {
    pub id: i64,
    /// Whether the advisory has left the list; writing it again ends that.
    pub has_left: bool,
    /// Content that an earlier complete run received with an earlier modification time than
    /// that of the version of this source.
    pub taken_back: Option<Fingerprint>,
    /// Content that was held back, and since when it is the only one that came.
    pub held: Option<(Fingerprint, DateTime<Utc>)>,
}

/// The rows of a source, by advisory.
pub(crate) async fn sighted(
    connection: &mut PgConnection,
    source_id: i32,
    said: &[String],
) -> Result<HashMap<String, Sighted>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select g.id, g.said, g.left_at is not null as "has_left!",
                  g.content_hash, g.taken_back_at,
                  coalesce(s.last_success_at >= g.taken_back_at, false) as "is_repeated!"
           from sighting g
           join source s on s.id = g.source_id
           where g.source_id = $1
             and g.said = any($2)"#,
        source_id,
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let content = Fingerprint::try_from(row.content_hash).ok();
            let held = content.zip(row.taken_back_at);
            let sighted = Sighted {
                id: row.id,
                has_left: row.has_left,
                taken_back: content.filter(|_| row.is_repeated),
                held,
            };
            (row.said, sighted)
        })
        .collect())
}

/// Writes sightings, new ones by COPY, and returns the ids of all of them.
/// `sighted` names the rows that exist already.
pub(crate) async fn write(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    seen: &[NewSighting<'_>],
    sighted: &HashMap<String, Sighted>,
) -> Result<Vec<i64>, sqlx::Error> {
    let (old, new): (Vec<&NewSighting<'_>>, Vec<&NewSighting<'_>>) = seen
        .iter()
        .partition(|seen| sighted.contains_key(seen.said));
    let mut ids = insert(connection, origin, &new).await?;
    update(connection, origin, &old).await?;
    let known = old.iter().filter_map(|seen| sighted.get(seen.said));
    ids.extend(known.map(|sighted| sighted.id));
    Ok(ids)
}

/// Marks conflicting copies that differ from a version of a source that is no longer
/// followed: there is nobody left to take turns with, so they are compared again. `changed`
/// are the sources that are followed since now, or no longer.
pub(crate) async fn reopen(
    connection: &mut PgConnection,
    changed: &[i32],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sighting g
         set is_undecided = true
         from advisory a, source former, source s
         where g.dissent is not null
           and g.is_undecided is null
           and a.said = g.said
           and a.source_id <> g.source_id
           and (a.source_id = any($1) or g.source_id = any($1))
           and former.id = a.source_id
           and not former.configured
           and s.id = g.source_id
           and s.configured",
        changed
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    seen: &[&NewSighting<'_>],
) -> Result<Vec<i64>, sqlx::Error> {
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let count = i64::try_from(seen.len()).unwrap_or(i64::MAX);
    let ids = sqlx::query_scalar!(
        r#"select nextval('sighting_id_seq') as "id!" from generate_series(1, $1::bigint)"#,
        count
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut rows = CopyRows::with_capacity(seen.len() * 128);
    for (seen, id) in seen.iter().zip(&ids) {
        rows.row(9);
        rows.int8(Some(*id));
        rows.int4(Some(origin.source_id));
        rows.text(Some(seen.said));
        rows.raw(&seen.byte_hash);
        rows.raw(&seen.content_hash);
        rows.timestamptz(Some(origin.at));
        rows.timestamptz(Some(origin.at));
        rows.text(seen.dissent);
        rows.bool((seen.state == SightingState::Undecided).then_some(true));
    }
    let mut copy = connection
        .copy_in_raw(
            "copy sighting (
                 id, source_id, said, byte_hash, content_hash, first_seen_at, last_seen_at, dissent, is_undecided)
             from stdin (format binary)",
        )
        .await?;
    rows.send(&mut copy).await?;
    copy.finish().await?;
    Ok(ids)
}

async fn update(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    seen: &[&NewSighting<'_>],
) -> Result<(), sqlx::Error> {
    if seen.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = seen.iter().map(|seen| seen.said.to_owned()).collect();
    let byte_hashes: Vec<Vec<u8>> = seen.iter().map(|seen| seen.byte_hash.to_vec()).collect();
    let content_hashes: Vec<Vec<u8>> = seen.iter().map(|seen| seen.content_hash.to_vec()).collect();
    let dissents: Vec<Option<String>> = seen
        .iter()
        .map(|seen| seen.dissent.map(str::to_owned))
        .collect();
    let is = |wanted: &[SightingState]| -> Vec<bool> {
        let all = seen.iter();
        all.map(|seen| wanted.contains(&seen.state)).collect()
    };
    let held = is(&[SightingState::TakenBack, SightingState::Alternating]);
    let undecided = is(&[SightingState::Undecided]);
    let alternating = is(&[SightingState::Alternating]);
    keep_replaced(connection, origin, &said, (&byte_hashes, &dissents)).await?;
    sqlx::query!(
        "update sighting g
         set byte_hash = n.byte_hash,
             content_hash = n.content_hash,
             dissent = n.dissent,
             taken_back_at = case
                 when not n.held then null
                 when g.content_hash = n.content_hash then coalesce(g.taken_back_at, $6)
                 else $6
             end,
             last_seen_at = $6,
             left_at = null,
             is_undecided = nullif(n.undecided, false),
             alternates_at = case when n.alternating then $6 else g.alternates_at end,
             away = case
                 when g.left_at is null then g.away
                 else coalesce(g.away, '{}') + tstzmultirange(tstzrange(g.left_at, greatest($6, g.left_at)))
             end
         from unnest($2::text[], $3::bytea[], $4::bytea[], $5::text[], $7::boolean[],
                     $8::boolean[], $9::boolean[])
              as n (said, byte_hash, content_hash, dissent, held, undecided, alternating)
         where g.source_id = $1
           and g.said = n.said",
        origin.source_id,
        &said,
        &byte_hashes,
        &content_hashes,
        &dissents as &[Option<String>],
        origin.at,
        &held,
        &undecided,
        &alternating
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps conflicting copies that the source no longer sends. One that it still sends stays a
/// conflicting copy, or became a version. Without room they are not kept, and no run of the
/// source is complete.
async fn keep_replaced(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    said: &[String],
    (byte_hashes, dissents): (&[Vec<u8>], &[Option<String>]),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into replaced_record (source_id, key, reason, raw, received_at, replaced_at)
         select g.source_id, g.said, 'conflicting copy: it differed from the current version of another source, or was imported',
                g.dissent, g.last_seen_at, $4
         from unnest($2::text[], $3::text[], $5::bytea[]) as n (said, dissent, byte_hash)
         join sighting g on g.source_id = $1 and g.said = n.said
         where g.dissent is not null
           and g.dissent is distinct from n.dissent
           and g.byte_hash <> n.byte_hash
           and (select count(*) from replaced_record where source_id = $1) < $6",
        origin.source_id,
        said,
        dissents as &[Option<String>],
        origin.at,
        byte_hashes,
        MAX_REPLACED
    )
    .execute(connection)
    .await?;
    Ok(())
}
