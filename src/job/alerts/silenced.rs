//! The silences that match alerts of a dry run: those that are active now, and those that were
//! active when the alert would have been created.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::model::{Alert, Silence, Subject};
use crate::store::alerts::silence;

/// An active silence, and how many alerts of a dry run it matches.
#[derive(Debug, Clone, Serialize)]
pub struct Silenced {
    /// Its number.
    pub id: i64,
    /// When it expires.
    pub until: DateTime<Utc>,
    /// The alerts that it matches.
    pub alerts: usize,
    #[serde(skip)]
    silence: Silence,
}

/// The active silences, which match nothing yet.
pub(super) async fn active(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<Silenced>, sqlx::Error> {
    let active = silence::active(connection, now).await?.into_iter();
    let found = active.map(|silence| Silenced {
        id: silence.id,
        until: silence.until,
        alerts: 0,
        silence,
    });
    Ok(found.collect())
}

impl Silenced {
    /// Whether it names products, which then have to be loaded.
    pub(super) fn names_products(&self) -> bool {
        self.silence.names_products()
    }

    /// Counts an alert that it matches.
    pub(super) fn add(&mut self, rule: &str, alert: &Alert, subject: &Subject) {
        self.alerts += usize::from(self.silence.fits_subject(rule, alert, subject));
    }
}

/// A silence, and when it was active.
#[derive(Debug, Clone)]
pub(super) struct PastSilence {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    silence: Silence,
}

impl PastSilence {
    /// Whether it names products, which then have to be loaded.
    pub(super) fn names_products(&self) -> bool {
        self.silence.names_products()
    }
}

/// The silences that were active since then.
pub(super) async fn since(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<Vec<PastSilence>, sqlx::Error> {
    let all = silence::since(connection, since).await?.into_iter();
    let all = all.map(|(from, silence)| PastSilence {
        from,
        until: silence.until,
        silence,
    });
    Ok(all.collect())
}

/// Those that were active at that time.
pub(super) fn at(all: &[PastSilence], time: DateTime<Utc>) -> Vec<Silence> {
    let active = all
        .iter()
        .filter(|one| one.from <= time && time < one.until);
    active.map(|one| one.silence.clone()).collect()
}
