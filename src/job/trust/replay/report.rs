//! The result of a replay.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::store::trust::reread::FieldDifference;

/// Maximum number of examples per field.
const EXAMPLES: usize = 3;

/// The result of a replay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplayReport {
    /// Whether the differences were written.
    pub written: bool,
    /// Versions of advisories that were parsed again.
    pub advisories: u64,
    /// Versions of tickets that were parsed again.
    pub tickets: u64,
    /// Conflicting copies that were parsed again.
    pub dissents: u64,
    /// Conflicting copies that are newer than the current version by the current parser:
    /// they become the next version.
    pub promoted: u64,
    /// Details that were parsed again.
    pub details: u64,
    /// Quarantined records that were parsed again.
    pub quarantined: u64,
    /// Rows that differ in a visible column.
    pub differing: u64,
    /// Rows that differ, fingerprints included; only counted when written.
    pub rewritten: u64,
    /// Records that leave quarantine.
    pub leaving: u64,
    /// What differs, by kind and field.
    pub fields: BTreeMap<String, FieldReport>,
    /// Raw texts that can no longer be parsed; they are left unchanged.
    pub unreadable: u64,
    /// The first of them.
    pub unreadable_examples: Vec<String>,
}

/// How often a field differs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FieldReport {
    /// In how many versions.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Identifier or number.
    pub key: String,
    /// Which version.
    pub version: i32,
    /// As stored.
    pub old: Option<Value>,
    /// As parsed now.
    pub new: Option<Value>,
}

impl ReplayReport {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.differing == 0 && self.leaving == 0 && self.promoted == 0
    }

    pub(super) fn add(&mut self, kind: &str, differences: Vec<FieldDifference>) {
        let mut last = None;
        for difference in differences {
            let FieldDifference {
                key,
                version,
                field,
                old,
                new,
            } = difference;
            if last.as_ref() != Some(&(key.clone(), version)) {
                self.differing += 1;
                last = Some((key.clone(), version));
            }
            let report = self.fields.entry(format!("{kind} {field}")).or_default();
            report.count += 1;
            if report.examples.len() < EXAMPLES {
                report.examples.push(Example {
                    key,
                    version,
                    old,
                    new,
                });
            }
        }
    }

    pub(super) fn unreadable(&mut self, what: &str, reason: &str) {
        self.unreadable += 1;
        if self.unreadable_examples.len() < EXAMPLES {
            self.unreadable_examples.push(format!("{what}: {reason}"));
        }
    }
}
