//! The silences that match alerts of a dry run.

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
