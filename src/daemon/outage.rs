//! Waiting out an outage of the database, once for all workers.

use std::fmt::Display;
use std::time::Duration;

use sqlx::PgPool;
use tracing::{debug, warn};

use super::progress::Watch;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::store::database;

/// Pauses between attempts to reach a database, each twice as long as the last.
pub(super) struct Pauses(Duration);

impl Pauses {
    /// Short enough that a restart of the server is hardly noticed.
    const FIRST: Duration = Duration::from_millis(250);
    /// How late it may be noticed that the database is back.
    const LONGEST: Duration = Duration::from_secs(15);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let longer = (self.0 * 2).min(Self::LONGEST);
        std::mem::replace(&mut self.0, longer)
    }
}

/// Repeats `job` until the database is there for it; `who` is what the log calls
/// it. Ends as the job does, or with [`Failure::Stopped`] where the program is told
/// to stop during an outage. For a `watch`, waiting is no standstill.
///
/// The pauses grow for as long as the job fails: a database may answer and still
/// be of no use, for example because its disk is full.
pub(super) async fn until_done<T, F>(
    context: &Context,
    watch: Option<&Watch>,
    who: impl Display,
    mut job: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = Pauses::new();
    let mut is_told = false;
    loop {
        let failure = match job().await {
            Err(failure) if failure.is_database_away() => failure,
            done => return done,
        };
        let error = failure.chain();
        if is_told {
            debug!(source = %who, %error, "{who}: the database is still away: {error}");
        } else {
            is_told = true;
            warn!(source = %who, %error, "{who}: the database is away; this is repeated when it is back: {error}");
        }
        // Boxed: it is larger than many a job, and seldom needed.
        let waiting = Box::pin(context.or_stopped(wait(&context.pool, &mut pauses)));
        match watch {
            Some(watch) => watch.waits(waiting).await?,
            None => waiting.await?,
        }
    }
}

/// Waits for a pause at least, and until the database answers.
async fn wait(pool: &PgPool, pauses: &mut Pauses) {
    loop {
        tokio::time::sleep(pauses.next()).await;
        match database::reachable(pool).await {
            Ok(()) => return,
            Err(error) => debug!(%error, "the database does not answer yet"),
        }
    }
}
