//! Replay: derives every column again from the stored raw texts, with the current parser
//! and aliases, without requests. It creates no versions, because only our parsing has
//! changed, not the data upstream. The exception is a conflicting copy that now turns out
//! to be newer than the current version: it becomes the next version.

mod pass;
mod report;
mod scope;

use self::pass::Pass;
pub use self::report::{Example, ReplayReport};
pub use self::scope::ReplayScope;
use super::retry::{Fate, Retry};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::LeaseHolder;
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::quarantine;
use crate::store::trust::reread::Versions;

impl ReplayScope<'_> {
    /// Replays everything once, as a dry run unless `write`. The inner `Err` is the id of
    /// a source that another run has locked, and its process.
    pub async fn run(
        &self,
        write: bool,
    ) -> Result<Result<ReplayReport, (i32, LeaseHolder)>, Failure> {
        let lock = match SourceLock::take_all(self.pool).await? {
            Ok(lock) => lock,
            Err(busy) => return Ok(Err(busy)),
        };
        let guard = Guard::new(self.pool, &lock);
        let result = self.run_locked(&guard, write).await;
        lock.release().await;
        result.map(Ok)
    }

    async fn run_locked(&self, guard: &Guard, write: bool) -> Result<ReplayReport, Failure> {
        let mut pass = Pass {
            replay: self,
            guard,
            write,
            report: ReplayReport {
                written: write,
                ..ReplayReport::default()
            },
        };
        for versions in [Versions::Current, Versions::Former] {
            pass.advisories(versions).await?;
            pass.tickets(versions).await?;
        }
        pass.conflicting_copies().await?;
        pass.details().await?;
        let mut report = pass.report;
        self.quarantine(guard, write, &mut report).await?;
        Ok(report)
    }

    async fn quarantine(
        &self,
        guard: &Guard,
        write: bool,
        report: &mut ReplayReport,
    ) -> Result<(), Failure> {
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
            let retried = retry.retry_locked(guard, id, write).await?;
            report.leaving += u64::from(matches!(retried.fate, Fate::Stored | Fate::Known));
        }
        Ok(())
    }
}
