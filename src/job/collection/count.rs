//! Consistency check of a paginated collection. Rows move between pages while they
//! are read: some are then missed, some come twice. The collection is read again until
//! the number of rows matches upstream's total count.

use tracing::warn;

use crate::job::failure::Failure;

/// How often a collection is read when the counts do not match.
const MAX_ATTEMPTS: u32 = 3;

/// The result of reading a collection once.
pub(crate) struct ReadAttempt<T> {
    /// The total count that upstream reports.
    pub claimed: u64,
    /// The number of different rows received.
    pub received: u64,
    /// The result, if it is complete.
    pub complete: Option<T>,
}

/// The attempts to read one collection.
pub(crate) struct Attempts {
    collection: &'static str,
    made: u32,
}

impl Attempts {
    /// `collection` is the name of the rows in messages.
    pub(crate) fn at(collection: &'static str) -> Self {
        Self {
            collection,
            made: 0,
        }
    }

    /// Returns the result if it is complete, `None` if the collection must be read
    /// again. Fails after the last attempt.
    pub(crate) fn check<T>(&mut self, attempt: ReadAttempt<T>) -> Result<Option<T>, Failure> {
        let ReadAttempt {
            claimed,
            received,
            complete,
        } = attempt;
        let collection = self.collection;
        self.made += 1;
        if complete.is_none() && self.made == MAX_ATTEMPTS {
            return Err(Failure::Disagree {
                collection,
                tries: MAX_ATTEMPTS,
                claimed,
                received,
            });
        }
        if complete.is_none() {
            warn!(
                claimed,
                received,
                "upstream reported {claimed} {collection} but returned {received}; retrying"
            );
        }
        Ok(complete)
    }
}
