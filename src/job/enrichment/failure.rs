//! Why a published file was not accepted.

use std::io;

use chrono::{DateTime, Utc};

use crate::http::{ClientError, FetchError};
use crate::model::Catalogue;
use crate::source::enrichment::NotPublished;

/// Why a published file was not accepted. What is stored stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotEnriched {
    /// It cannot be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It cannot be read to its end.
    #[error(transparent)]
    Body(#[from] ClientError),
    /// The file cannot be opened.
    #[error("cannot read the file")]
    File(#[source] io::Error),
    /// It is damaged, or something else.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
    /// It begins like neither.
    #[error(
        "this is neither a KEV catalogue (known_exploited_vulnerabilities.json) nor a file of EPSS scores (epss_scores-….csv)"
    )]
    Unknown,
    /// The wrong one is configured.
    #[error("these are {}; expected {}", .found.label(), .expected.label())]
    Other {
        /// What it is.
        found: Catalogue,
        /// What it should be.
        expected: Catalogue,
    },
    /// It is older than what is stored.
    #[error(
        "the file is of {}, but {} of {} are stored; an older file is not accepted",
        time(found), catalogue.label(), time(stored)
    )]
    Older {
        /// Which.
        catalogue: Catalogue,
        /// Its date.
        found: DateTime<Utc>,
        /// The date of what is stored.
        stored: DateTime<Utc>,
    },
    /// It is of a time to come: every later one would be older.
    #[error(
        "the file is dated {}, which is in the future, and was not loaded; check the file and the clock of this machine (NTP)",
        time(found)
    )]
    Future {
        /// Its date.
        found: DateTime<Utc>,
    },
    /// It has far fewer CVEs than before.
    #[error(
        "the file has {found} CVEs, the one before had {stored}; it is probably cut off, and a loss of more than a tenth is not accepted; if it is right, use `advisoryd enrich --accept-removals FILE`"
    )]
    FarFewer {
        /// Its CVEs.
        found: i64,
        /// Those before.
        stored: i64,
    },
    /// It is too large.
    #[error("the file has more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// It did not come in time.
    #[error("the file was not complete after {} minutes", .minutes)]
    TooSlow {
        /// The limit.
        minutes: u64,
    },
    /// The database.
    #[error("database error")]
    Store(#[from] sqlx::Error),
}

fn time(at: &DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}
