//! Storing EPSS scores. A file has hundreds of thousands, most of which change a little each
//! day: only what somebody can notice is written.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::applied::Applied;
use crate::model::{CveNumber, EpssScores};
use crate::store::change::Fact;
use crate::store::enrichment::epss;

/// Scores from here on are stored for all CVEs, so that they are known for an advisory at
/// once; others as soon as a stored advisory names the CVE.
const HIGH: f64 = 0.1;
/// A stored score may differ by less than this from the published one.
const TOLERANCE: f64 = 0.001;
/// Scores per statement.
const CHUNK: usize = 10_000;

/// The difference between a file and what is stored.
#[derive(Default)]
struct Difference {
    new: u64,
    written: Vec<(CveNumber, f64)>,
    gone: Vec<CveNumber>,
    /// CVEs that have risen to the threshold.
    risen: Vec<String>,
}

/// Stores the scores; returns the changes of advisories.
pub(super) async fn apply(
    transaction: &mut PgConnection,
    scores: &EpssScores,
    threshold: Option<f64>,
    applied: &mut Applied,
    now: DateTime<Utc>,
) -> Result<Vec<Fact>, sqlx::Error> {
    let difference = compare(transaction, scores, threshold).await?;
    let crossings = match threshold.filter(|_| !applied.is_first) {
        Some(threshold) if !difference.risen.is_empty() => {
            epss::below(transaction, &difference.risen, threshold).await?
        }
        _ => Vec::new(),
    };
    for chunk in difference.written.chunks(CHUNK) {
        epss::write(transaction, chunk).await?;
    }
    if !difference.gone.is_empty() {
        epss::delete(transaction, &difference.gone).await?;
    }
    if !crossings.is_empty() {
        epss::cross(transaction, &crossings, now).await?;
    }
    applied.added = difference.new;
    applied.changed = difference.written.len() as u64 - difference.new;
    applied.removed = difference.gone.len() as u64;
    Ok(crossings.iter().map(epss::Crossing::fact).collect())
}

async fn compare(
    connection: &mut PgConnection,
    scores: &EpssScores,
    threshold: Option<f64>,
) -> Result<Difference, sqlx::Error> {
    let mut stored = epss::scores(connection).await?;
    let named = epss::named(connection).await?;
    let high = threshold.map_or(HIGH, |threshold| threshold.min(HIGH));
    let mut difference = Difference::default();
    for (cve, score) in &scores.scores {
        let former = stored.remove(cve);
        if former.is_none() && *score < high && !named.contains(cve) {
            continue;
        }
        let is_above = |score: f64| threshold.is_some_and(|threshold| score >= threshold);
        let was_above = former.is_some_and(is_above);
        let is_same = former.is_some_and(|former| {
            (former - score).abs() < TOLERANCE && was_above == is_above(*score)
        });
        if is_same {
            continue;
        }
        if is_above(*score) && !was_above {
            difference.risen.push(cve.to_string());
        }
        difference.new += u64::from(former.is_none());
        difference.written.push((*cve, *score));
    }
    // Only those that are left were not in the file.
    difference.gone = stored.into_keys().collect();
    Ok(difference)
}
