//! Storing a published file: facts about CVEs, and the changes of advisories.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use super::applied::Applied;
use super::epss;
use super::failure::NotEnriched;
use super::file::ReadFile;
use crate::model::{DetailsMode, KevCatalogue, RecordKind};
use crate::source::enrichment::EnrichmentFile;
use crate::store::change::{self, Fact};
use crate::store::database;
use crate::store::enrichment::kev;
use crate::store::enrichment::state::{self, EnrichmentState, Release};
use crate::store::origin::ChunkOrigin;

/// A smaller catalogue is not compared with the one before.
const COMPARED_ENTRIES: i64 = 20;
/// A file may be of a later day than that of this machine, not of a later week.
const MOST_AHEAD: TimeDelta = TimeDelta::days(2);

/// On which terms a file is accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// The score from which on `epss_crossed` is recorded.
    pub threshold: Option<f64>,
    /// Whether the file may have far fewer CVEs than the one before.
    pub accept_removals: bool,
    /// When the file was read from its publisher; `None` = now. A bundle is imported later.
    pub read_at: Option<DateTime<Utc>>,
}

/// Stores a file in one transaction.
pub(super) async fn apply(
    pool: &PgPool,
    read: &ReadFile,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<Applied, NotEnriched> {
    let catalogue = read.published.catalogue();
    let mut transaction = database::begin(pool).await?;
    let state = state::lock(&mut transaction, catalogue).await?;
    let (released_at, release, entries) = match &read.published {
        EnrichmentFile::Kev(kev) => (kev.released_at, &kev.release, kev.entries.len()),
        EnrichmentFile::Epss(epss) => (epss.released_at, &epss.release, epss.scores.len()),
    };
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    check_date(&state, released_at, now)?;
    check_size(&state, entries, terms)?;
    let is_first = state.read_at.is_none();
    let mut applied = Applied {
        kind: catalogue.name(),
        release: release.clone(),
        released_at,
        entries,
        added: 0,
        changed: 0,
        removed: 0,
        advisories: 0,
        is_first,
    };
    let facts = match &read.published {
        EnrichmentFile::Kev(kev) => apply_kev(&mut transaction, kev, &mut applied, now).await?,
        EnrichmentFile::Epss(scores) => {
            epss::apply(&mut transaction, scores, terms.threshold, &mut applied, now).await?
        }
    };
    let release = Release {
        released_at,
        version: release.as_deref(),
        entries,
        digest: &read.digest,
        entity_tag: read.seal.entity_tag.as_deref(),
        last_modified: read.seal.last_modified.as_deref(),
    };
    let read_at = terms
        .read_at
        .map_or(now, |at| state.read_at.max(Some(at)).unwrap_or(at));
    state::read(&mut transaction, catalogue, &release, read_at).await?;
    applied.advisories = facts.len();
    record(&mut transaction, &facts, now).await?;
    transaction.commit().await?;
    Ok(applied)
}

/// A file of the future that an earlier version has accepted keeps no other one away.
fn check_date(
    state: &EnrichmentState,
    released_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), NotEnriched> {
    let is_ahead = |at: DateTime<Utc>| at > now + MOST_AHEAD;
    if is_ahead(released_at) {
        return Err(NotEnriched::Future { found: released_at });
    }
    let stored = state.released_at.filter(|stored| !is_ahead(*stored));
    if let Some(stored) = stored.filter(|stored| released_at < *stored) {
        return Err(NotEnriched::Older {
            catalogue: state.catalogue,
            found: released_at,
            stored,
        });
    }
    Ok(())
}

fn check_size(state: &EnrichmentState, entries: i64, terms: Terms) -> Result<(), NotEnriched> {
    let stored = state.entries.unwrap_or(0);
    let is_far_fewer = stored >= COMPARED_ENTRIES && entries * 10 < stored * 9;
    if is_far_fewer && !terms.accept_removals {
        let found = entries;
        return Err(NotEnriched::FarFewer { found, stored });
    }
    Ok(())
}

async fn apply_kev(
    transaction: &mut PgConnection,
    catalogue: &KevCatalogue,
    applied: &mut Applied,
    now: DateTime<Utc>,
) -> Result<Vec<Fact>, sqlx::Error> {
    let facts = if applied.is_first {
        Vec::new()
    } else {
        kev::newly_exploited(transaction, &catalogue.entries).await?
    };
    let merged = kev::merge(transaction, &catalogue.entries, applied.is_first, now).await?;
    applied.added = merged.added;
    applied.removed = merged.removed;
    Ok(facts)
}

/// Records the changes. They come from no source and no run.
async fn record(
    transaction: &mut PgConnection,
    facts: &[Fact],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let origin = ChunkOrigin {
        source_id: 0,
        run_id: 0,
        at: now,
        settled_before: None,
        details: DetailsMode::Never,
        is_live: false,
    };
    change::record(transaction, origin, RecordKind::Advisory, facts, false).await
}
