//! The rows of `sighting` that a document contains: a record can be twice in it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Advisory;
use crate::source::xml::{self, ParserRules};

/// Rows of `sighting` that a document contains, shared by all its writers, and the rules by
/// which it is parsed.
#[derive(Debug)]
pub(crate) struct SeenRecords {
    rows: Mutex<HashSet<i64>>,
    rules: Arc<ParserRules>,
}

impl SeenRecords {
    pub(crate) fn new(rules: Arc<ParserRules>) -> Self {
        Self {
            rows: Mutex::default(),
            rules,
        }
    }

    pub(super) fn add(&self, sightings: impl IntoIterator<Item = i64>) {
        self.lock().extend(sightings);
    }

    pub(super) fn contains(&self, sighting: i64) -> bool {
        self.lock().contains(&sighting)
    }

    pub(crate) fn take(&self) -> Vec<i64> {
        self.lock().drain().collect()
    }

    /// Parses the raw text of a stored record.
    pub(super) fn read(&self, raw: &str) -> Option<Advisory> {
        xml::read_record(&self.rules, raw.as_bytes()).ok()
    }

    /// Whether a record writes its times without a time zone.
    pub(super) fn has_local_times(&self, raw: &str) -> bool {
        xml::has_local_times(&self.rules, raw.as_bytes())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        // A set of numbers is consistent whenever its lock is free.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
