//! Details that fail: one that does keeps no other from being fetched. After several in a
//! row upstream is probably unable to answer, and the run ends.

use tracing::warn;

use crate::http::ClientError;
use crate::job::failure::Failure;

/// Failures in a row after which the run ends.
const IN_A_ROW: u32 = 3;

/// The failures of a run.
#[derive(Default)]
pub(super) struct Failures {
    in_a_row: u32,
    /// The last one.
    last: Option<ClientError>,
    /// Whether there was any other response.
    is_answered: bool,
}

impl Failures {
    /// Takes an answer.
    pub(super) fn answered(&mut self) {
        (self.in_a_row, self.is_answered) = (0, true);
    }

    /// Takes the failure of one advisory.
    ///
    /// # Errors
    /// The failure, if it is one of several in a row.
    pub(super) fn take(&mut self, error: ClientError) -> Result<(), Failure> {
        self.in_a_row += 1;
        if self.in_a_row >= IN_A_ROW {
            return Err(error.into());
        }
        warn!("details: not received, the others are fetched: {error}");
        self.last = Some(error);
        Ok(())
    }

    /// Judges the failures at the end of a run.
    ///
    /// # Errors
    /// The last failure, if nothing else came.
    pub(super) fn judge_rest(&mut self) -> Result<(), Failure> {
        match self.last.take() {
            Some(error) if !self.is_answered => Err(error.into()),
            _ => Ok(()),
        }
    }
}
