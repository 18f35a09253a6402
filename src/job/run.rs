//! Life cycle of a run: take the source lock, record the start, read, record the outcome.

mod report;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgTransaction;
use tracing::warn;

pub use self::report::RunReport;
use self::report::log_ended;
use super::context::Context;
use super::failure::Failure;
use super::transaction::Guard;
use crate::http::Staleness;
use crate::job::coverage;
use crate::model::{
    Fingerprint, FingerprintSum, LeaseHolder, Mode, Outcome, RunFailure, SourceKey, Tally, counted,
    is_in_future,
};
use crate::store::change;
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::run::{self, RunEnd};
use crate::store::ledger::source::{self, Source};
use crate::store::ledger::{activity, cursor, quarantine, room};
use crate::store::origin::ChunkOrigin;
use crate::store::tickets::reading;
use crate::store::tickets::scan::{self, Scan};

/// The result of starting a run.
#[derive(Debug)]
pub enum Ran {
    /// The run ended, complete or not.
    Ended(RunReport),
    /// Another run of this source is in progress, here or in another process.
    Busy(LeaseHolder),
}

/// Results of the work of a run, complete or not.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub tally: Tally,
    pub covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub root_element: Option<String>,
    pub sightings: Vec<i64>,
    /// How old the responses are that it read, by the oldest one.
    pub staleness: Staleness,
    /// Whether it is a full pull of a list.
    pub is_full: bool,
    pub received: FingerprintSum,
    /// The number to compare with the total count that upstream reports.
    pub accounted: Option<u64>,
    pub tickets: Option<TicketProgress>,
    /// The newest copy that was received of each ticket.
    pub newest: HashMap<i64, Copied>,
}

/// A copy of a ticket: when it was modified, and the fingerprint of its content.
pub(crate) type Copied = (Option<DateTime<Utc>>, Fingerprint);

/// How far a complete run read the tickets.
#[derive(Debug)]
pub(crate) struct TicketProgress {
    pub cursor_at: DateTime<Utc>,
    /// Whether changes of older tickets were read, not only new tickets.
    pub has_changes: bool,
    pub scan: Option<Scan>,
}

/// A run in progress.
pub(crate) struct Run {
    /// The job's context, with a client that counts the requests of this run.
    pub context: Context,
    /// Begins transactions that write only while the source lock is ours.
    pub guard: Guard,
    lock: SourceLock,
    key: SourceKey,
    pub source: Source,
    pub origin: ChunkOrigin,
    mode: Mode,
}

/// Takes the source lock and records the start; if another run has the lock, returns its
/// process.
pub(crate) async fn begin(
    context: &Context,
    key: &SourceKey,
    mode: Mode,
) -> Result<Result<Run, LeaseHolder>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let Some(found) = source::find(&mut connection, key).await? else {
        return Err(Failure::NoSource { key: key.label() });
    };
    drop(connection);
    let lock = match SourceLock::take(&context.pool, found.id).await? {
        Ok(lock) => lock,
        Err(holder) => return Ok(Err(holder)),
    };
    // A response with a wrong `Date` may have put it there while the daemon runs.
    let upstream_now = context.upstream_now();
    if is_in_future(found.covered_to, upstream_now) {
        coverage::cut_back(&context.pool, upstream_now).await?;
    }
    let guard = Guard::new(&context.pool, &lock);
    // Only now: the run that had the lock before has ended by this time.
    let now = context.clock.now();
    let mut transaction = guard.begin().await?;
    // Read again: the run that had the lock before may have moved the cursor.
    let found = source::find(&mut transaction, key).await?.unwrap_or(found);
    let run_id = run::begin(&mut transaction, found.id, key.job(), mode, now).await?;
    transaction.commit().await?;
    let settled_before = match mode {
        Mode::Reconcile => found.covered_to.map(|to| context.settled_before(key, to)),
        Mode::Window
        | Mode::Full
        | Mode::Incremental
        | Mode::Import
        | Mode::Json
        | Mode::Details => None,
    };
    let origin = ChunkOrigin {
        source_id: found.id,
        run_id,
        at: now,
        settled_before,
        details: context.config.feeds.details,
        is_live: mode != Mode::Import,
    };
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    Ok(Ok(Run {
        context,
        guard,
        lock,
        key: key.clone(),
        source: found,
        origin,
        mode,
    }))
}

impl Run {
    /// The origin of records that are stored now.
    pub(crate) fn origin_now(&self) -> ChunkOrigin {
        ChunkOrigin {
            at: self.context.clock.now(),
            ..self.origin
        }
    }

    /// Begins a transaction for data of this run. Fails if another process took over
    /// the run.
    pub(crate) async fn transaction(&self) -> Result<PgTransaction<'static>, Failure> {
        self.guard.begin().await
    }

    /// Switches from the feed to the JSON API. A reconciliation keeps its mode.
    pub(crate) async fn switch_to_json(&mut self) -> Result<(), Failure> {
        if self.mode.advances_cursor() {
            self.mode = Mode::Json;
            let mut transaction = self.transaction().await?;
            run::change_mode(&mut transaction, self.origin.run_id, self.mode).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Records the window that is requested, once upstream's clock is known.
    pub(crate) async fn record_window(
        &self,
        covers: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<(), Failure> {
        let mut transaction = self.transaction().await?;
        run::records_window(&mut transaction, self.origin.run_id, covers).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Sets the time before which upstream is not asked again after a rejection.
    pub(crate) async fn pause_source_until(
        &self,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        let mut transaction = self.transaction().await?;
        source::pause_until(&mut transaction, self.source.id, until).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The source that is read.
    pub(crate) fn source_name(&self) -> &SourceKey {
        &self.key
    }

    /// Records the outcome. A complete run moves the cursor in the same transaction.
    pub(crate) async fn end(
        self,
        mut work: Work,
        result: Result<(), Failure>,
    ) -> Result<RunReport, Failure> {
        let now = self.context.clock.now();
        let usage = self.context.client.usage();
        work.tally.requests = usage.requests;
        work.tally.bytes = usage.bytes;
        let result = match result {
            Ok(()) => self.check_room(&work).await,
            failed => failed,
        };
        let outcome = match &result {
            Ok(()) => Outcome::Ok,
            Err(failure @ Failure::Stopped) => Outcome::Interrupted(failure.chain()),
            Err(failure) => Outcome::Failed(failure.chain()),
        };
        let kind = result.as_ref().err().and_then(Failure::kind);
        self.record_outcome(&work, &outcome, kind, now).await?;
        let report = self.report(&work, outcome, now);
        if self.mode == Mode::Reconcile {
            self.log_drift().await?;
        }
        log_ended(&report, &self.key, result.as_ref().err());
        crate::measures::run_ended(
            &report.source,
            &report.outcome,
            &report.tally,
            report.seconds,
        );
        #[cfg(feature = "otlp")]
        report::trace(&report, (&self.key, kind), (self.origin.at, now));
        self.lock.release().await;
        match result {
            // The caller waits until the database is back and repeats the run.
            Err(failure) if failure.is_database_away() => Err(failure),
            _ => Ok(report),
        }
    }

    /// Fails if unreadable records of this run were not kept: it does not count as complete.
    async fn check_room(&self, work: &Work) -> Result<(), Failure> {
        let mut connection = self.context.pool.acquire().await?;
        let ids = (self.source.id, self.origin.run_id);
        if room::lacked(&mut connection, ids, work.tally.quarantined).await? {
            return Err(Failure::NoRoom);
        }
        Ok(())
    }

    async fn record_outcome(
        &self,
        work: &Work,
        outcome: &Outcome,
        kind: Option<RunFailure>,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let mut transaction = self.transaction().await?;
        if matches!(outcome, Outcome::Ok) {
            let advances_cursor = self.mode.advances_cursor();
            source::set_baseline(&mut transaction, self.source.id, advances_cursor, now).await?;
        }
        match outcome {
            // An import or a reconciliation does not show whether new data can be read.
            _ if !self.mode.advances_cursor() => {}
            Outcome::Ok => self.complete(&mut transaction, work, now).await?,
            Outcome::Interrupted(error) => {
                source::interrupted(&mut transaction, self.source.id, error, now).await?;
            }
            Outcome::Failed(error) => {
                source::failed(&mut transaction, self.source.id, (error, kind), now).await?;
            }
        }
        run::finish(
            &mut transaction,
            self.origin.run_id,
            RunEnd {
                outcome,
                tally: &work.tally,
                covers: work.covers,
                accounted: work.accounted,
                received: work.received,
                now,
            },
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn complete(
        &self,
        transaction: &mut sqlx::PgConnection,
        work: &Work,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let covers = work.covers.unwrap_or((self.origin.at, self.origin.at));
        cursor::completed(
            transaction,
            cursor::Completed {
                source_id: self.source.id,
                covers,
                root_element: work.root_element.as_deref(),
                seen: work.sightings.clone(),
                is_full: work.is_full,
                began_at: self.origin.at,
                now,
            },
        )
        .await?;
        if let Some(TicketProgress {
            cursor_at,
            has_changes,
            scan,
        }) = &work.tickets
        {
            reading::advance(transaction, *cursor_at, *has_changes).await?;
            if let Some(full) = scan {
                reading::record_full_scan(transaction, full.began_at).await?;
                scan::finish(transaction, full.id).await?;
            }
        }
        let Tally { added, changed, .. } = work.tally;
        // Members of a list that is read by JSON come with their details, later.
        let is_news = work.is_full || added + changed > 0 || self.mode == Mode::Json;
        if self.key.is_feed() && is_news {
            activity::refresh(transaction, self.source.id, covers.1).await?;
        }
        // After `seen` has moved: it shows which advisories can be parsed now.
        let (source_id, run_id) = (self.source.id, self.origin.run_id);
        let seen = (work.is_full, now);
        quarantine::release_advisories(transaction, source_id, run_id, seen).await?;
        Ok(())
    }

    async fn log_drift(&self) -> Result<(), Failure> {
        let ChunkOrigin { run_id, at, .. } = self.origin;
        let mut connection = self.context.pool.acquire().await?;
        let drifted = change::drifted(&mut connection, run_id, at).await?;
        if drifted > 0 {
            warn!(
                source = %self.key, run.id = run_id, drifted,
                "{}: upstream changed {} without a new modification date; what changed is stored and listed as `drifted` in `changes`",
                self.key.label(),
                counted(drifted, "record")
            );
        }
        let drifted = u64::try_from(drifted).unwrap_or(0);
        crate::measures::drifted(&self.key.to_string(), drifted);
        Ok(())
    }

    fn report(&self, work: &Work, outcome: Outcome, now: DateTime<Utc>) -> RunReport {
        let lasted = (now - self.origin.at).to_std().unwrap_or(Duration::ZERO);
        RunReport {
            run_id: self.origin.run_id,
            source: self.key.to_string(),
            mode: self.mode,
            outcome,
            tally: work.tally,
            window: work.covers,
            seconds: lasted.as_secs_f64(),
        }
    }
}
