//! Derives every column again from the raw texts, with today's parser and
//! aliases, without asking upstream. It makes no versions: what changes is how
//! we read, not what upstream said. Only what was kept beside a current version,
//! and now shows itself newer, becomes the next one.

mod pass;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

use self::pass::Pass;
use super::retry::{Fate, Retry};
use crate::clock::Clock;
use crate::job::failure::Failure;
use crate::source::xml::Rules;
use crate::store::ledger::lock::Hold;
use crate::store::ledger::quarantine;
use crate::store::trust::reread::{Difference, Versions};

/// Differences of one field that are told; more would tell nobody more.
const EXAMPLES: usize = 3;

/// What is replayed.
pub struct Replay<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// How records are read today.
    pub rules: &'a Arc<Rules>,
    /// The time.
    pub clock: &'a Clock,
    /// Only versions that were stored since, and what came to quarantine since.
    pub since: Option<DateTime<Utc>>,
}

/// What a replay found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Whether it was written.
    pub written: bool,
    /// Versions of advisories that were read again.
    pub advisories: u64,
    /// Versions of tickets that were read again.
    pub tickets: u64,
    /// Records kept beside current versions that were read again.
    pub dissents: u64,
    /// Of those, the ones that are newer than the current version, as both read
    /// today: they become the next version.
    pub promoted: u64,
    /// Details that were read again.
    pub details: u64,
    /// Records in quarantine that were read again.
    pub quarantined: u64,
    /// Rows that differ in a column that people see.
    pub differing: u64,
    /// Rows that differ, fingerprints included; only told when written.
    pub rewritten: u64,
    /// Records that leave quarantine.
    pub leaving: u64,
    /// What differs, by kind and field.
    pub fields: BTreeMap<String, FieldReport>,
    /// Raw texts that no longer read, which are left as they are.
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
    /// As read today.
    pub new: Option<Value>,
}

impl Report {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.differing == 0 && self.leaving == 0 && self.promoted == 0
    }

    fn note(&mut self, kind: &str, differences: Vec<Difference>) {
        let mut last = None;
        for difference in differences {
            let Difference {
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

    fn unreadable(&mut self, what: &str, reason: &str) {
        self.unreadable += 1;
        if self.unreadable_examples.len() < EXAMPLES {
            self.unreadable_examples.push(format!("{what}: {reason}"));
        }
    }
}

impl Replay<'_> {
    /// Goes over everything once, writing or only looking. `Err` names the row
    /// in `source` that a run has at this moment.
    pub async fn run(&self, write: bool) -> Result<Result<Report, i32>, Failure> {
        let hold = match Hold::take_all(self.pool).await? {
            Ok(hold) => hold,
            Err(busy) => return Ok(Err(busy)),
        };
        let result = self.held(write).await;
        hold.release().await;
        result.map(Ok)
    }

    async fn held(&self, write: bool) -> Result<Report, Failure> {
        let mut pass = Pass {
            replay: self,
            write,
            report: Report {
                written: write,
                ..Report::default()
            },
        };
        for versions in [Versions::Current, Versions::Former] {
            pass.advisories(versions).await?;
            pass.tickets(versions).await?;
        }
        pass.dissents().await?;
        pass.details().await?;
        let mut report = pass.report;
        self.quarantine(write, &mut report).await?;
        Ok(report)
    }

    async fn quarantine(&self, write: bool, report: &mut Report) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let ids = quarantine::ids_since(&mut connection, self.since).await?;
        drop(connection);
        let retry = Retry {
            pool: self.pool,
            rules: self.rules,
            clock: self.clock,
        };
        for id in ids {
            report.quarantined += 1;
            let retried = retry.held(id, write).await?;
            report.leaving += u64::from(matches!(retried.fate, Fate::Stored | Fate::Known));
        }
        Ok(())
    }
}
