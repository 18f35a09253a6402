//! Derives every column again from the raw texts, with today's parser and
//! aliases, without asking upstream. It makes no versions: what changes is how
//! we read, not what upstream said. Only what was kept beside a current version,
//! and now shows itself newer, becomes the next one.

mod pass;
mod report;
mod scope;

use self::pass::Pass;
pub use self::report::{Example, FieldReport, Report};
pub use self::scope::Replay;
use super::retry::{Fate, Retry};
use crate::job::failure::Failure;
use crate::store::ledger::lock::SourceLock;
use crate::store::ledger::quarantine;
use crate::store::trust::reread::Versions;

impl Replay<'_> {
    /// Goes over everything once, writing or only looking. `Err` names the row
    /// in `source` that a run has at this moment.
    pub async fn run(&self, write: bool) -> Result<Result<Report, i32>, Failure> {
        let hold = match SourceLock::take_all(self.pool).await? {
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
        pass.conflicting_copies().await?;
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
