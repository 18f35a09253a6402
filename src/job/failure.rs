//! Why a run is not complete.

use crate::http::ClientError;
use crate::model::{RunFailure, chain};
use crate::source::page::NotAPage;
use crate::source::xml::FeedError;
use crate::store;

/// Why a run is not complete. Its cursor stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Upstream refused, or could not be reached.
    #[error(transparent)]
    Upstream(#[from] ClientError),
    /// The feed's document is not complete or not understood.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A page of JSON is not what it should be.
    #[error(transparent)]
    Page(#[from] NotAPage),
    /// The database.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
    /// A saved document leads on to another one, which is not here.
    #[error(
        "the document is one page of several (its `next` is `{next}`); what it held is stored, import the others too"
    )]
    OnePageOnly {
        /// Where it leads.
        next: String,
    },
    /// The program is stopping.
    #[error("the program was asked to stop")]
    Stopped,
    /// The connection that held the source died and another process took it over.
    #[error("the run was taken over by another process")]
    Lost,
    /// What came was never as much as upstream claims.
    #[error("upstream claims {claimed} {collection} and sent {received}{}", in_a_row(*tries))]
    Disagree {
        /// What its rows are.
        collection: &'static str,
        /// How often it was read.
        tries: u32,
        /// How many upstream says there are.
        claimed: u64,
        /// How many came, the last time.
        received: u64,
    },
    /// A filter is ignored: a row came that was not asked for.
    #[error(
        "upstream ignores `{filter}__gte`: it sent one of {collection}, {key}, which is outside of the window asked for"
    )]
    Outside {
        /// What its rows are.
        collection: &'static str,
        /// The filter's stem.
        filter: &'static str,
        /// The row that should not have come.
        key: String,
    },
    /// A full walk found so few tickets that it is not believed.
    #[error(
        "a full walk no longer found {missing} of {known} tickets; more than a fifth is not believed, and nothing was marked as gone"
    )]
    TooManyGone {
        /// Tickets not found.
        missing: u64,
        /// Tickets known.
        known: u64,
    },
    /// A collection has more pages than anything real.
    #[error("stopped after {pages} pages")]
    TooManyPages {
        /// Pages read.
        pages: u32,
    },
    /// Upstream names so few watch lists that it is not believed at once.
    #[error(
        "upstream no longer names, or no longer enables, {lost} of {known} watch lists; more than a fifth is believed only when an answer at least 5 minutes later says the same"
    )]
    ListsLost {
        /// Lists that would no longer be followed.
        lost: usize,
        /// Lists that are enabled as far as known.
        known: usize,
    },
    /// Upstream names more watch lists than anything real.
    #[error(
        "upstream names more than {limit} watch lists; name those to follow under [[watch_lists]] instead"
    )]
    TooManyLists {
        /// The most that are followed.
        limit: usize,
    },
    /// Nothing follows a source of this name.
    #[error("{key} is not written down as a source")]
    NoSource {
        /// Which was asked for.
        key: String,
    },
    /// A task of the run panicked, or ended because another one failed.
    #[error("a task of the run ended unexpectedly: {0}")]
    Broken(String),
}

impl Failure {
    /// Whether the database was away: the run is to be repeated once it is back.
    pub fn is_database_away(&self) -> bool {
        matches!(self, Self::Store(error) if store::is_away(error))
    }

    /// What kind of failure it is, for the program's own alerts; `None` where the
    /// run was given up on our side, which says nothing of its source.
    pub fn kind(&self) -> Option<RunFailure> {
        match self {
            Self::Stopped | Self::Lost => None,
            Self::Store(_) if self.is_database_away() => None,
            Self::Upstream(ClientError::TokenRejected { .. }) => Some(RunFailure::TokenRejected),
            Self::Upstream(ClientError::DailyBudget { .. } | ClientError::Throttled { .. }) => {
                Some(RunFailure::RequestBudgetExhausted)
            }
            Self::Feed(FeedError::NotRecognised { .. }) | Self::Page(_) => {
                Some(RunFailure::StructureNotRecognised)
            }
            _ => Some(RunFailure::Other),
        }
    }

    /// The whole chain of causes in one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

fn in_a_row(tries: u32) -> String {
    match tries {
        0 | 1 => String::new(),
        _ => format!(", {tries} times in a row"),
    }
}
