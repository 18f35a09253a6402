//! Retry with backoff while the database is unavailable, for all workers.

use std::fmt::Display;
use std::time::Duration;

use sqlx::PgPool;
use tracing::{debug, warn};

use super::progress::Watch;
use super::systemd;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::outage;
use crate::model::chain;
use crate::store::database;

/// How often a database is asked that does not answer, or accepts no writes. Another server
/// may take over at any time.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Exponential backoff between attempts to reach the database.
pub(super) struct ReconnectBackoff(Duration);

impl ReconnectBackoff {
    /// Short, so that a restart of the server causes hardly any delay.
    const FIRST: Duration = Duration::from_millis(250);
    /// The longest delay between two attempts.
    const LONGEST: Duration = Duration::from_secs(15);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let longer = (self.0 * 2).min(Self::LONGEST);
        std::mem::replace(&mut self.0, longer)
    }
}

/// Whether a start failed only because the database is unavailable.
pub(super) fn is_away(error: &anyhow::Error) -> bool {
    let of_driver = error.downcast_ref().is_some_and(crate::store::is_away);
    of_driver || error.downcast_ref().is_some_and(Failure::is_database_away)
}

/// Whether a start failed because of the database, for whatever reason.
pub(super) fn is_of_database(error: &anyhow::Error) -> bool {
    let of_job = error.downcast_ref::<Failure>();
    error.downcast_ref::<sqlx::Error>().is_some()
        || of_job.is_some_and(|failure| matches!(failure, Failure::Store(_)))
}

/// Repeats `job` until it does not fail because the database is unavailable; `who` is
/// its name in the log. Returns the result of the job, or [`Failure::Stopped`] if
/// advisoryd stops during an outage. The `watch` does not count waiting as being stuck.
///
/// The pauses grow as long as the job fails: a database may accept connections and still
/// be unusable, for example because its disk is full.
pub(super) async fn until_done<T, F>(
    context: &Context,
    watch: Option<&Watch>,
    who: impl Display,
    mut job: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = ReconnectBackoff::new();
    let mut has_failed = false;
    let who = who.to_string();
    loop {
        let failure = match job().await {
            Err(failure) if failure.is_database_away() => failure,
            done => {
                if has_failed {
                    outage::end(context, &who);
                }
                return done;
            }
        };
        // Boxed, as what follows: it is larger than many jobs, and rarely needed.
        Box::pin(outage::begin(context, &who, &failure)).await;
        has_failed = true;
        let waiting = Box::pin(context.or_stopped(wait(&context.pool, &mut pauses)));
        match watch {
            Some(watch) => watch.waits(waiting).await?,
            None => waiting.await?,
        }
    }
}

/// Says why a start failed, and waits before it is tried again, for at most
/// [`systemd::REPORT_EVERY`]: as soon as the database accepts connections and writes, the start
/// is tried again. If it does and the start failed nevertheless, only after a pause.
pub(super) async fn wait_to_start(
    pool: &PgPool,
    pauses: &mut ReconnectBackoff,
    error: &anyhow::Error,
) {
    let error = chain(&**error);
    warn!(
        error,
        "the database is unreachable; waiting for it: {error}"
    );
    let why = format!("waiting for the database: {error}");
    systemd::still_starting(&why, systemd::EXTEND_TIMEOUT);
    let waiting = async {
        if database::reachable(pool).await.is_ok() {
            return tokio::time::sleep(pauses.next()).await;
        }
        *pauses = ReconnectBackoff::new();
        while let Err(error) = database::reachable(pool).await {
            debug!(%error, "the database is not reachable yet");
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(systemd::REPORT_EVERY, waiting).await;
}

/// Waits for a pause, and until the database accepts connections and writes.
async fn wait(pool: &PgPool, pauses: &mut ReconnectBackoff) {
    tokio::time::sleep(pauses.next()).await;
    while let Err(error) = database::reachable(pool).await {
        debug!(%error, "the database is not reachable yet");
        tokio::time::sleep(ASK_EVERY).await;
    }
}
