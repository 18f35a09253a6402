//! What became of one request of `check`.

use super::check_advice::{advice, is_useless};
use super::finding::CheckResult;
use crate::http::ClientError;

/// What became of asking for one thing.
pub(super) enum Asked {
    /// It can be read.
    Readable(String),
    /// This account may not have it, which is no fault.
    Closed(String),
    /// Upstream cannot be reached, or does not accept the token: every further request would
    /// fail, too, and with a rejected token look like an attack.
    Useless(String),
    /// Upstream has no such watch list.
    Missing(String),
    /// It cannot be read.
    Unreadable(String),
}

impl Asked {
    pub(super) fn refused(error: &ClientError) -> Self {
        let says = advice(error);
        if is_useless(error) {
            Self::Useless(says)
        } else {
            Self::Unreadable(says)
        }
    }

    pub(super) fn ends_all(&self) -> bool {
        matches!(self, Self::Useless(_))
    }

    pub(super) fn finding(self, what: impl Into<String>) -> CheckResult {
        match self {
            Self::Readable(says) | Self::Closed(says) => CheckResult::good(what, says),
            Self::Useless(says) | Self::Missing(says) | Self::Unreadable(says) => {
                CheckResult::bad(what, says)
            }
        }
    }
}
