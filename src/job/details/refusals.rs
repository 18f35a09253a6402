//! Refused details: whether upstream refuses one advisory, or all of them to this account.
//! One that is refused is its own affair, and the others continue. After several in a row,
//! others are asked for, if possible such whose details were received before.

use super::identifier::is_plain;
use super::one::Fetching;
use crate::http::ClientError;
use crate::job::failure::Failure;
use crate::store::wanted::readable;

/// Refusals in a row after which others are asked for.
const IN_A_ROW: u32 = 3;
/// How many others. All are refused if these are.
const OTHERS: usize = 2;

/// The refusals of a run.
#[derive(Default)]
pub(super) struct Refusals {
    in_a_row: u32,
    /// The last one, if no other answer came since.
    last: Option<ClientError>,
    /// Whether another answer came: not all are refused.
    is_allowed: bool,
}

impl Refusals {
    /// How many requests may be in progress: few while it is not known whether all are refused.
    pub(super) fn most_at_once(&self, most: usize) -> usize {
        match (self.is_allowed, self.in_a_row) {
            (true, _) => most,
            (false, 0) => most.min(2),
            (false, _) => 1,
        }
    }

    /// Takes an answer, which is a refusal or none. `due` are those that are not requested yet.
    ///
    /// # Errors
    /// The refusal, if all are refused.
    pub(super) async fn take(
        &mut self,
        refused: Option<ClientError>,
        fetching: &Fetching,
        due: &mut impl DoubleEndedIterator<Item = String>,
    ) -> Result<(), Failure> {
        let Some(error) = refused else {
            (self.in_a_row, self.last, self.is_allowed) = (0, None, true);
            return Ok(());
        };
        self.in_a_row += 1;
        self.last = Some(error);
        if self.in_a_row < IN_A_ROW {
            return Ok(());
        }
        self.judge(fetching, due).await
    }

    /// Judges refusals at the end of a run in which nothing else came.
    pub(super) async fn judge_rest(&mut self, fetching: &Fetching) -> Result<(), Failure> {
        if self.is_allowed || self.last.is_none() {
            return Ok(());
        }
        self.judge(fetching, &mut std::iter::empty()).await
    }

    /// Asks for two others.
    async fn judge(
        &mut self,
        fetching: &Fetching,
        due: &mut impl DoubleEndedIterator<Item = String>,
    ) -> Result<(), Failure> {
        let mut connection = fetching.context.pool.acquire().await?;
        let mut others = readable::newest(&mut connection, OTHERS).await?;
        drop(connection);
        // What is asked for here stays in the queue.
        others.extend(due.rev().take(OTHERS.saturating_sub(others.len())));
        let mut is_allowed = false;
        for said in others.iter().filter(|said| is_plain(said)) {
            is_allowed = is_allowed || fetching.is_allowed(said).await?;
        }
        match self.last.take() {
            Some(error) if !is_allowed => Err(error.into()),
            _ => {
                (self.in_a_row, self.is_allowed) = (0, true);
                Ok(())
            }
        }
    }
}
