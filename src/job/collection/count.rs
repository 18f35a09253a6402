//! Rows move between the pages of a collection while it is read: some are then
//! missed and some come twice. It is read again until the counts agree.

use tracing::warn;

use crate::job::failure::Failure;

/// How often a collection is read when what came is not what upstream claims (design.md).
const TRIES: u32 = 3;

/// What came of reading a collection once.
pub(crate) struct Tried<T> {
    /// How many rows upstream says there are.
    pub claimed: u64,
    /// How many different rows came.
    pub received: u64,
    /// What it makes, where that is all of it.
    pub whole: Option<T>,
}

/// The tries at one collection.
pub(crate) struct Tries {
    collection: &'static str,
    made: u32,
}

impl Tries {
    /// `collection` is what messages call its rows.
    pub(crate) fn at(collection: &'static str) -> Self {
        Self {
            collection,
            made: 0,
        }
    }

    /// What was read, where that is all; `None` where it is to be read again. Fails
    /// when that was tried often enough.
    pub(crate) fn judge<T>(&mut self, tried: Tried<T>) -> Result<Option<T>, Failure> {
        let Tried {
            claimed,
            received,
            whole,
        } = tried;
        let collection = self.collection;
        self.made += 1;
        if whole.is_none() && self.made == TRIES {
            return Err(Failure::Disagree {
                collection,
                tries: TRIES,
                claimed,
                received,
            });
        }
        if whole.is_none() {
            warn!(
                claimed,
                received,
                "{collection}: upstream claims {claimed} and sent {received}; they are read again"
            );
        }
        Ok(whole)
    }
}
