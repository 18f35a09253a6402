//! Proves that nothing is missing and nothing was altered, or says what is.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::model::SourceKey;
use crate::store::ledger::chain::{self, Break};
use crate::store::ledger::source;
use crate::store::trust::proof::{self, Extent, Miscount, ProofSource};
use crate::store::trust::proof_rows::{self, LostSource};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is concerned: a source, an advisory, a ticket, the changes.
    pub about: String,
    /// What is wrong with it.
    pub says: String,
    /// What to do.
    pub advice: String,
}

/// What came of proving.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Whether nothing is wrong.
    pub proven: bool,
    /// From when on it was looked.
    pub since: Option<DateTime<Utc>>,
    /// Up to when everything is known, by upstream's clock: what is newer is the
    /// next run's. `None` where a source was never read, or none is configured.
    pub known_to: Option<DateTime<Utc>>,
    /// Ended runs whose digests were recomputed.
    pub runs: u64,
    /// What else was looked at.
    #[serde(flatten)]
    pub extent: Extent,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Looks at one moment of the database; writes nothing.
pub async fn verify(
    pool: &PgPool,
    since: Option<DateTime<Utc>>,
) -> Result<Verification, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    proof::see_one_moment(&mut transaction).await?;
    let mut prover = Prover {
        since,
        runs: 0,
        problems: Vec::new(),
    };
    prover.rows(&mut transaction).await?;
    let sources = proof::sources(&mut transaction).await?;
    for source in &sources {
        prover.coverage(&mut transaction, source).await?;
        prover.counts(&mut transaction, source).await?;
        prover.chain(&mut transaction, source).await?;
    }
    prover.versions(&mut transaction).await?;
    prover.changes(&mut transaction).await?;
    let extent = proof::extent(&mut transaction).await?;
    transaction.rollback().await?;
    let Prover {
        since,
        runs,
        problems,
    } = prover;
    Ok(Verification {
        proven: problems.is_empty(),
        since,
        known_to: known_to(&sources),
        runs,
        extent,
        problems,
    })
}

/// The earliest end of what is covered of a configured source.
fn known_to(sources: &[ProofSource]) -> Option<DateTime<Utc>> {
    let configured = sources.iter().filter(|source| source.configured);
    let ends: Option<Vec<DateTime<Utc>>> = configured.map(|source| source.covered_to).collect();
    ends?.into_iter().min()
}

struct Prover {
    since: Option<DateTime<Utc>>,
    runs: u64,
    problems: Vec<Problem>,
}

impl Prover {
    fn found(&mut self, about: &dyn Display, says: impl Into<String>, advice: impl Into<String>) {
        self.problems.push(Problem {
            about: about.to_string(),
            says: says.into(),
            advice: advice.into(),
        });
    }

    async fn rows(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        const RESTORE: &str = "restore the database from a backup";
        for LostSource { about, records } in proof_rows::lost_sources(connection).await? {
            let says = format!(
                "it is no longer written down, and its runs neither, though {records} records came through it"
            );
            self.found(&about, says, RESTORE);
        }
        for table in proof_rows::emptied(connection).await? {
            self.found(&table, "its one row is gone", RESTORE);
        }
        Ok(())
    }

    async fn coverage(
        &mut self,
        connection: &mut PgConnection,
        source: &ProofSource,
    ) -> Result<(), sqlx::Error> {
        let key = &source.key;
        if source.covers_too_much {
            self.found(
                key,
                "more time counts as covered than its complete runs read",
                "rows of the ledger are gone or `source.covered` was changed: restore the database from a backup",
            );
        }
        // Details cover no time; the rows of what is wanted are their promise.
        if !source.configured || *key == SourceKey::Details {
            return Ok(());
        }
        let Some(covered_from) = source.covered_from else {
            if *key == SourceKey::RevisionScan {
                // It only looks over the feeds' shoulder, and some accounts may not.
                return Ok(());
            }
            let advice = format!("run `{}` and look at what it says", sync(key));
            self.found(key, "it was never read completely", advice);
            return Ok(());
        };
        if let Some(since) = self.since.filter(|since| covered_from > *since)
            && *key != SourceKey::RevisionScan
        {
            let says = format!("nothing is known of the time from {since} to {covered_from}");
            let advice = match key {
                SourceKey::Tickets => format!("run `{} --full`", sync(key)),
                _ => format!("run `{} --days N` with enough days", sync(key)),
            };
            self.found(key, says, advice);
        }
        if let (Some(since), Some(covered_to)) = (self.since, source.covered_to)
            && covered_to <= since
        {
            let says = format!("nothing is known of the time after {covered_to}");
            let advice = format!(
                "see `advisoryd status` and whether the daemon runs; to have it now, run `{}`",
                sync(key)
            );
            self.found(key, says, advice);
        }
        for gap in source::gaps(connection, source.chain.source_id).await? {
            if self.since.is_none_or(|since| gap.to > since) {
                let says = format!(
                    "nothing is known of the time from {} to {}",
                    gap.from, gap.to
                );
                let advice = format!(
                    "the next run asks for it again; to have it now, run `{}`",
                    sync(key)
                );
                self.found(key, says, advice);
            }
        }
        Ok(())
    }

    async fn counts(
        &mut self,
        connection: &mut PgConnection,
        source: &ProofSource,
    ) -> Result<(), sqlx::Error> {
        let id = source.chain.source_id;
        for miscount in proof::miscounts(connection, id, self.since).await? {
            let Miscount {
                run_id,
                is_ok,
                claimed,
                accounted,
            } = miscount;
            let says = format!(
                "upstream claimed {claimed} records and run {run_id} held {accounted}{}",
                if is_ok {
                    ", and it counts as complete"
                } else {
                    "; no complete run has made up for it"
                }
            );
            let advice = format!("run `{} --full`", sync(&source.key));
            self.found(&source.key, says, advice);
        }
        Ok(())
    }

    async fn chain(
        &mut self,
        connection: &mut PgConnection,
        source: &ProofSource,
    ) -> Result<(), sqlx::Error> {
        /// A ledger cannot be mended, only replaced or left behind.
        const ADVICE: &str = "the ledger was changed by somebody else: restore it from a backup, or prove from a later time on with --since";
        let (runs, breaks) = chain::verify(connection, &source.chain, self.since).await?;
        self.runs += runs;
        for broken in breaks {
            let says = match broken {
                Break::Missing { first, last } if first == last => {
                    format!("its {first}. run is missing from the ledger")
                }
                Break::Missing { first, last } => {
                    format!("its {first}. to {last}. run are missing from the ledger")
                }
                Break::Altered { run_id } => {
                    format!("run {run_id} or the one before it was altered after it had ended")
                }
                Break::Head => {
                    "its newest run is not the one that was written down last".to_owned()
                }
            };
            self.found(&source.key, says, ADVICE);
        }
        for run_id in proof::outside_of_chain(connection, source).await? {
            let says = format!("run {run_id} has ended and has no place in the chain");
            self.found(&source.key, says, ADVICE);
        }
        Ok(())
    }

    async fn versions(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        const LOST: &str =
            "a version is gone that retention did not drop: restore it from a backup";
        const NOW: &str = "its current version is missing";
        for lost in proof::lost_advisory_versions(connection, self.since).await? {
            let says = format!("version {} is missing", lost.version);
            self.found(&lost.key, says, LOST);
        }
        for lost in proof::lost_ticket_versions(connection, self.since).await? {
            let says = format!("version {} is missing", lost.version);
            self.found(&format!("ticket {}", lost.key), says, LOST);
        }
        for said in proof::lost_advisories(connection).await? {
            self.found(
                &said,
                NOW,
                "restore it from a backup, or read the feeds anew with `advisoryd sync feeds --full`",
            );
        }
        for id in proof::lost_tickets(connection).await? {
            self.found(
                &format!("ticket {id}"),
                NOW,
                "restore it from a backup, or read the tickets anew with `advisoryd sync tickets --full`",
            );
        }
        Ok(())
    }

    async fn changes(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (first, last) in proof::lost_changes(connection).await? {
            let says = if first <= last {
                format!("numbers {first} to {last} are missing")
            } else {
                format!("there are more than the {} that were counted", first - 1)
            };
            self.found(
                &"changes",
                says,
                "restore them from a backup; who reads `changes` should read the advisories and tickets anew",
            );
        }
        Ok(())
    }
}

/// The command that reads a source now.
fn sync(key: &SourceKey) -> String {
    match key {
        SourceKey::WatchList(id) => format!("advisoryd sync feeds --watch-list {id}"),
        SourceKey::ExtraFeed(_) | SourceKey::RevisionScan | SourceKey::Details => {
            "advisoryd sync feeds".to_owned()
        }
        SourceKey::Tickets => "advisoryd sync tickets".to_owned(),
    }
}
