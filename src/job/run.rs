//! One run: hold the source, open the ledger, do the work, close the ledger.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgTransaction;
use tracing::{error, info, warn};

use super::context::Context;
use super::failure::Failure;
use super::transaction;
use crate::model::{FingerprintSum, Mode, Outcome, RunFailure, SourceKey, Tally};
use crate::store::change;
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::run::{self, Ended};
use crate::store::ledger::source::{self, Source};
use crate::store::ledger::{cursor, quarantine};
use crate::store::origin::Origin;
use crate::store::tickets::reading;
use crate::store::tickets::scan::{self, Scan};

/// What came of asking for a run.
#[derive(Debug)]
pub enum Ran {
    /// It ran to an end, good or bad.
    Ended(Report),
    /// Another run of this source is under way, here or in another process.
    Busy,
}

/// A run that ended.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Row in the ledger.
    pub run_id: i64,
    /// What was read, in words.
    pub source: String,
    /// How it was read.
    pub mode: Mode,
    /// How it ended, and why it is not complete.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What it counted.
    #[serde(flatten)]
    pub tally: Tally,
    /// The window, by upstream's clock.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How long it took.
    pub seconds: f64,
}

/// What the work of a run hands back, complete or not.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub tally: Tally,
    pub covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub root_element: Option<String>,
    pub sightings: Vec<i64>,
    pub received: FingerprintSum,
    /// What is set against the number of records that upstream claims.
    pub accounted: Option<u64>,
    pub tickets: Option<TicketProgress>,
}

/// How far the tickets were read by a complete run.
#[derive(Debug)]
pub(crate) struct TicketProgress {
    pub cursor_at: DateTime<Utc>,
    pub walk: Option<Scan>,
}

/// A run under way.
pub(crate) struct Run {
    /// As every job's, with a client that counts for this run.
    pub context: Context,
    hold: SourceLock,
    key: SourceKey,
    pub source: Source,
    pub origin: Origin,
    mode: Mode,
}

/// Holds the source and opens the ledger; `None` when another run has the source.
pub(crate) async fn begin(
    context: &Context,
    key: &SourceKey,
    mode: Mode,
) -> Result<Option<Run>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let Some(found) = source::find(&mut connection, key).await? else {
        return Err(Failure::NoSource {
            key: key.to_string(),
        });
    };
    drop(connection);
    let Some(hold) = SourceLock::take(&context.pool, found.id).await? else {
        return Ok(None);
    };
    // Not before: the run that held the source until now has ended by this time.
    let now = context.clock.now();
    let mut transaction = context.pool.begin().await?;
    // Read again: the run that held the source before may have moved its cursor.
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
    let origin = Origin {
        source_id: found.id,
        run_id,
        at: now,
        settled_before,
        details: context.config.feeds.details,
    };
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    Ok(Some(Run {
        context,
        hold,
        key: key.clone(),
        source: found,
        origin,
        mode,
    }))
}

impl Run {
    /// Where records that are stored now come from.
    pub(crate) fn origin_now(&self) -> Origin {
        Origin {
            at: self.context.clock.now(),
            ..self.origin
        }
    }

    /// Begins a transaction that writes what the run brought; it fails where another
    /// process has taken the run over.
    pub(crate) async fn transaction(&self) -> Result<PgTransaction<'static>, Failure> {
        transaction::begin(&self.context.pool, self.origin.run_id).await
    }

    /// Goes on with the JSON API instead of the feed. Reading old time again stays that.
    pub(crate) async fn reads_json(&mut self) -> Result<(), Failure> {
        if self.mode.advances_cursor() {
            self.mode = Mode::Json;
            let mut connection = self.context.pool.acquire().await?;
            run::change_mode(&mut connection, self.origin.run_id, self.mode).await?;
        }
        Ok(())
    }

    /// What is read, in words.
    pub(crate) fn source_name(&self) -> &SourceKey {
        &self.key
    }

    /// Closes the ledger: a complete run moves the cursor in the same transaction.
    pub(crate) async fn end(
        self,
        mut work: Work,
        result: Result<(), Failure>,
    ) -> Result<Report, Failure> {
        let now = self.context.clock.now();
        let usage = self.context.client.usage();
        work.tally.requests = usage.requests;
        work.tally.bytes = usage.bytes;
        let outcome = match &result {
            Ok(()) => Outcome::Ok,
            Err(failure @ Failure::Stopped) => Outcome::Interrupted(failure.chain()),
            Err(failure) => Outcome::Failed(failure.chain()),
        };
        let kind = result.as_ref().err().and_then(Failure::kind);
        self.write_down(&work, &outcome, kind, now).await?;
        let report = self.report(&work, outcome, now);
        if self.mode == Mode::Reconcile {
            self.tell_drift().await?;
        }
        tell(&report, &self.key, result.as_ref().err());
        crate::measures::run_ended(
            &report.source,
            &report.outcome,
            &report.tally,
            report.seconds,
        );
        self.hold.release().await;
        match result {
            // The caller waits the outage out and repeats the run.
            Err(failure) if failure.is_database_away() => Err(failure),
            _ => Ok(report),
        }
    }

    async fn write_down(
        &self,
        work: &Work,
        outcome: &Outcome,
        kind: Option<RunFailure>,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let mut transaction = self.transaction().await?;
        if matches!(outcome, Outcome::Ok) {
            let leads = self.mode.advances_cursor();
            source::set_baseline(&mut transaction, self.source.id, leads, now).await?;
        }
        match outcome {
            // Neither a file nor old time says how new data is read.
            _ if !self.mode.advances_cursor() => {}
            Outcome::Ok => self.complete(&mut transaction, work, now).await?,
            Outcome::Failed(error) | Outcome::Interrupted(error) => {
                source::failed(&mut transaction, self.source.id, (error, kind), now).await?;
            }
        }
        run::finish(
            &mut transaction,
            self.origin.run_id,
            Ended {
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
                began_at: self.origin.at,
                now,
            },
        )
        .await?;
        if let Some(TicketProgress { cursor_at, walk }) = &work.tickets {
            reading::advance(transaction, *cursor_at).await?;
            if let Some(walk) = walk {
                reading::walked(transaction, walk.began_at).await?;
                scan::finish(transaction, walk.id).await?;
            }
        }
        // After `seen` has moved: it tells which advisories read well now.
        quarantine::release_advisories(transaction, self.source.id, self.origin.run_id).await?;
        Ok(())
    }

    async fn tell_drift(&self) -> Result<(), Failure> {
        let Origin { run_id, at, .. } = self.origin;
        let mut connection = self.context.pool.acquire().await?;
        let drifted = change::drifted(&mut connection, run_id, at).await?;
        if drifted > 0 {
            warn!(
                source = %self.key, run.id = run_id, drifted,
                "{}: upstream has changed records that were read before, without telling: {drifted}; they are stored, and `changes` names them as `drifted`",
                self.key
            );
        }
        let drifted = u64::try_from(drifted).unwrap_or(0);
        crate::measures::drifted(&self.key.to_string(), drifted);
        Ok(())
    }

    fn report(&self, work: &Work, outcome: Outcome, now: DateTime<Utc>) -> Report {
        let lasted = (now - self.origin.at).to_std().unwrap_or(Duration::ZERO);
        Report {
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

/// The one line per run that an operator wants.
fn tell(report: &Report, key: &SourceKey, failure: Option<&Failure>) {
    let Tally {
        added,
        changed,
        unchanged,
        quarantined,
        requests,
        bytes,
        ..
    } = report.tally;
    let (run_id, seconds) = (report.run_id, report.seconds);
    let (mode, what) = (report.mode.name(), key.records());
    match failure {
        None => info!(
            source = %key, run.id = run_id, run.mode = mode, run.seconds = seconds,
            added, changed, unchanged, quarantined, requests, bytes,
            "{key}: {added} new, {changed} changed, {unchanged} unchanged {what} in {seconds:.1} s"
        ),
        Some(Failure::Stopped) => warn!(
            source = %key, run.id = run_id, run.mode = mode, added, changed, unchanged,
            "{key}: stopped before its end; what came so far is stored and the next run takes it up"
        ),
        Some(failure) => {
            let again = match report.mode {
                Mode::Details => "fetching stopped and goes on later",
                Mode::Import => "the import failed; what could be read is stored",
                Mode::Window | Mode::Full | Mode::Incremental | Mode::Reconcile | Mode::Json => {
                    "the run failed and will be repeated"
                }
            };
            error!(
                source = %key, run.id = run_id, run.mode = mode, run.seconds = seconds,
                added, changed, unchanged, quarantined, requests, bytes,
                error = %failure.chain(),
                "{key}: {again}: {}", failure.chain()
            );
        }
    }
    if quarantined > 0 {
        warn!(
            source = %key, run.id = run_id, quarantined,
            "{key}: {quarantined} records could not be understood; see advisoryd_v1.quarantine"
        );
    }
}
