//! Verification: checks that no run, version or change is missing and that the run log
//! matches its digests (tamper evidence), and lists the problems. The content of other rows is
//! not compared.

use std::cmp::Ordering;
use std::fmt::Display;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use super::advice::{self, sync_command};
use crate::model::{SourceKey, counted, is_in_future};
use crate::store::database;
use crate::store::ledger::account;
use crate::store::ledger::chain::{self, Break};
use crate::store::ledger::source;
use crate::store::reports::receipt::{self, QuarantineFilter};
use crate::store::reports::{full_reads, missing};
use crate::store::trust::verification::{self, Extent, Miscount, VerifiedSource};
use crate::store::trust::verification_rows::{self, LostSource};

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is affected: a source, an advisory, a ticket, the changes.
    pub about: String,
    /// The problem.
    pub says: String,
    /// What to do.
    pub advice: String,
}

/// The result of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Whether there is no problem.
    pub proven: bool,
    /// The beginning of the verified time.
    pub since: Option<DateTime<Utc>>,
    /// The time up to which everything was read, by upstream's clock. `None` if a source
    /// was never read, or none is configured.
    pub known_to: Option<DateTime<Utc>>,
    /// Ended runs whose digests were recomputed.
    pub runs: u64,
    /// What else was verified.
    #[serde(flatten)]
    pub extent: Extent,
    /// The problems.
    pub problems: Vec<Problem>,
}

/// Verifies one snapshot of the database; writes nothing. `now` is compared with the end
/// of what is covered.
pub async fn verify(
    pool: &PgPool,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Verification, sqlx::Error> {
    let mut transaction = database::begin_snapshot(pool).await?;
    let mut verifier = Verifier {
        since,
        now,
        is_other_account: account::unread(&mut transaction).await?.is_some(),
        runs: 0,
        problems: Vec::new(),
    };
    verifier.rows(&mut transaction).await?;
    verifier.quarantine(&mut transaction).await?;
    verifier.details(&mut transaction).await?;
    let sources = verification::sources(&mut transaction).await?;
    for source in &sources {
        verifier.coverage(&mut transaction, source).await?;
        verifier.counts(&mut transaction, source).await?;
        verifier.chain(&mut transaction, source).await?;
    }
    for failed in full_reads::failed(&mut transaction).await? {
        let advice = format!(
            "run `{} --full` and check its output",
            sync_command(&failed.key)
        );
        verifier.report(&failed.key, failed.sentence(), advice);
    }
    verifier.versions(&mut transaction).await?;
    verifier.changes(&mut transaction).await?;
    let extent = verification::extent(&mut transaction).await?;
    transaction.rollback().await?;
    let Verifier {
        since,
        now: _,
        is_other_account: _,
        runs,
        problems,
    } = verifier;
    Ok(Verification {
        proven: problems.is_empty(),
        since,
        known_to: known_to(&sources),
        runs,
        extent,
        problems,
    })
}

/// The earliest end of the covered time of all configured sources.
fn known_to(sources: &[VerifiedSource]) -> Option<DateTime<Utc>> {
    let configured = sources.iter().filter(|source| source.configured);
    let ends: Option<Vec<DateTime<Utc>>> = configured.map(|source| source.covered_to).collect();
    ends?.into_iter().min()
}

struct Verifier {
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    /// Whether sources are to be read again with another account.
    is_other_account: bool,
    runs: u64,
    problems: Vec<Problem>,
}

impl Verifier {
    fn report(&mut self, about: &dyn Display, text: impl Into<String>, advice: impl Into<String>) {
        self.problems.push(Problem {
            about: about.to_string(),
            says: text.into(),
            advice: advice.into(),
        });
    }

    async fn rows(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        const RESTORE: &str = "restore the database from a backup";
        for LostSource { about, records } in verification_rows::lost_sources(connection).await? {
            let text = format!(
                "the source and its runs are missing, although {} were received from it",
                counted(records, "record")
            );
            self.report(&about, text, RESTORE);
        }
        for table in verification_rows::emptied(connection).await? {
            self.report(&table, "its single row is missing", RESTORE);
        }
        Ok(())
    }

    /// What was received and is in no version: nobody is alerted of it.
    async fn quarantine(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let filter = QuarantineFilter {
            since: self.since,
            limit: Some(verification::EXAMPLES),
            ..QuarantineFilter::default()
        };
        for record in receipt::unreplaced(connection, filter).await? {
            let about = record.key.as_deref().unwrap_or(&record.source).to_owned();
            let text = format!(
                "in quarantine since {}, and no later version has replaced it: {}",
                record.at.format("%Y-%m-%d %H:%M:%S UTC"),
                record.reason
            );
            let advice = format!(
                "see `advisoryd quarantine show {id}`; then parse it again with `advisoryd quarantine retry {id}`, or delete it with `advisoryd quarantine drop {id}`",
                id = record.id
            );
            self.report(&about, text, advice);
        }
        Ok(())
    }

    /// What upstream listed for a watch list that is read from the JSON API, and is not
    /// stored: the run that listed it is complete, the list is not.
    async fn details(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.revisions(connection).await?;
        let missing = missing::of_lists(connection).await?;
        if missing.pending == 0 {
            return Ok(());
        }
        let why = missing.error.as_deref().map_or_else(
            || "not requested yet".to_owned(),
            |error| format!("{} of them cannot be fetched: {error}", missing.failed),
        );
        let text = format!(
            "not fetched: {} that upstream lists for watch lists read from the JSON API ({}); {why}",
            counted(missing.pending, "advisory"),
            missing.named()
        );
        let advice = "`advisoryd status` shows these lists and why their feeds are not read; `advisoryd sync` requests feeds and details again";
        self.report(&"details", text, advice);
        Ok(())
    }

    /// Revisions that the revision scan has seen, and that are not stored.
    async fn revisions(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let missing = missing::of_revisions(connection, self.now).await?;
        if missing.pending > 0 {
            let why = missing.error.as_deref().unwrap_or("not requested yet");
            let text = format!(
                "not fetched: newer revisions of {} that upstream lists and no feed has brought ({}): {why}",
                counted(missing.pending, "advisory"),
                missing.named()
            );
            let advice = "`advisoryd sync` requests the details again, and so does a daemon, at growing intervals; if upstream refuses them, ask what the account may read";
            self.report(&"details", text, advice);
        }
        Ok(())
    }

    async fn coverage(
        &mut self,
        connection: &mut PgConnection,
        source: &VerifiedSource,
    ) -> Result<(), sqlx::Error> {
        let key = &source.key;
        if source.covers_too_much {
            self.report(
                key,
                "more time is marked as covered than its complete runs have read",
                "rows of the run log are missing or `source.covered` was altered: restore the database from a backup",
            );
        }
        self.future(source);
        // Details cover no time; the fetch queue ensures that none is forgotten.
        if !source.configured || *key == SourceKey::Details {
            return Ok(());
        }
        let Some(covered_from) = source.covered_from else {
            if let Some((text, advice)) = advice::never_read(source, self.is_other_account) {
                self.report(key, text, advice);
            }
            return Ok(());
        };
        if let Some(since) = self.since.filter(|since| covered_from > *since)
            && *key != SourceKey::RevisionScan
        {
            let text = format!("no complete sync from {since} to {covered_from}");
            let advice = match key {
                SourceKey::Tickets => format!("run `{} --full`", sync_command(key)),
                _ => format!("run `{} --days N` with enough days", sync_command(key)),
            };
            self.report(key, text, advice);
        }
        if let (Some(since), Some(covered_to)) = (self.since, source.covered_to)
            && covered_to <= since
        {
            let text = format!("no complete sync since {covered_to}");
            let advice = format!(
                "check `advisoryd status` and that the daemon is running; to sync now, run `{}`",
                sync_command(key)
            );
            self.report(key, text, advice);
        }
        for gap in source::gaps(connection, source.chain.source_id).await? {
            if self.since.is_none_or(|since| gap.to > since) {
                let text = format!("gap: no complete sync from {} to {}", gap.from, gap.to);
                let advice = format!(
                    "the next run requests it again; to sync now, run `{}`",
                    sync_command(key)
                );
                self.report(key, text, advice);
            }
        }
        Ok(())
    }

    /// Coverage that ends in the future hides what happens until then.
    fn future(&mut self, source: &VerifiedSource) {
        if let Some(to) = source
            .covered_to
            .filter(|to| is_in_future(Some(*to), self.now))
        {
            let text = format!(
                "the coverage ends in the future, at {to}; now is {}",
                self.now
            );
            self.report(
                &source.key,
                text,
                "a clock is or was wrong: correct it; the next run cuts the coverage back and requests what is missing",
            );
        }
    }

    async fn counts(
        &mut self,
        connection: &mut PgConnection,
        source: &VerifiedSource,
    ) -> Result<(), sqlx::Error> {
        let id = source.chain.source_id;
        for miscount in verification::miscounts(connection, id, self.since).await? {
            let Miscount {
                run_id,
                is_ok,
                claimed,
                accounted,
            } = miscount;
            let text = format!(
                "upstream reported {} but run {run_id} received {accounted}{}",
                counted(claimed, "record"),
                if is_ok {
                    ", and the run is marked as complete"
                } else {
                    "; no later complete run has covered it"
                }
            );
            let advice = format!("run `{} --full`", sync_command(&source.key));
            self.report(&source.key, text, advice);
        }
        Ok(())
    }

    async fn chain(
        &mut self,
        connection: &mut PgConnection,
        source: &VerifiedSource,
    ) -> Result<(), sqlx::Error> {
        /// A run log cannot be repaired, only restored or excluded.
        const ADVICE: &str = "the run log was altered: restore it from a backup, or verify from a later time on with --since";
        let (runs, breaks) = chain::verify(connection, &source.chain, self.since).await?;
        self.runs += runs;
        for broken in breaks {
            let text = match broken {
                Break::Missing { first, last } if first == last => {
                    format!("run {first} of the source is missing from the run log")
                }
                Break::Missing { first, last } => {
                    format!("runs {first} to {last} of the source are missing from the run log")
                }
                Break::Altered { run_id } => {
                    format!("run {run_id} or the one before it was altered after it had ended")
                }
                Break::Head => "its newest run is not the one that was recorded last".to_owned(),
            };
            self.report(&source.key, text, ADVICE);
        }
        for run_id in verification::outside_of_chain(connection, source).await? {
            let text = format!("run {run_id} has ended but is not part of the hash chain");
            self.report(&source.key, text, ADVICE);
        }
        Ok(())
    }

    async fn versions(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        const LOST: &str =
            "a version is missing that retention did not delete: restore it from a backup";
        const NOW: &str = "its current version is missing";
        for lost in verification::lost_advisory_versions(connection, self.since).await? {
            let text = format!("version {} is missing", lost.version);
            self.report(&lost.key, text, LOST);
        }
        for lost in verification::lost_ticket_versions(connection, self.since).await? {
            let text = format!("version {} is missing", lost.version);
            self.report(&format!("ticket {}", lost.key), text, LOST);
        }
        for said in verification::lost_advisories(connection).await? {
            self.report(
                &said,
                NOW,
                "restore it from a backup, or re-read the feeds with `advisoryd sync feeds --full`",
            );
        }
        for id in verification::lost_tickets(connection).await? {
            self.report(
                &format!("ticket {id}"),
                NOW,
                "restore it from a backup, or re-read the tickets with `advisoryd sync tickets --full`",
            );
        }
        Ok(())
    }

    async fn changes(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (first, last) in verification::lost_changes(connection).await? {
            let text = match first.cmp(&last) {
                Ordering::Less => format!("numbers {first} to {last} are missing"),
                Ordering::Equal => format!("number {first} is missing"),
                Ordering::Greater => {
                    format!("there are more than the {} that were counted", first - 1)
                }
            };
            self.report(
                &"changes",
                text,
                "restore them from a backup; consumers of `changes` should re-read the advisories and tickets",
            );
        }
        Ok(())
    }
}
