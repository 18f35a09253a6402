//! The error type of jobs: why a run is incomplete, and what kind of failure that is.

use chrono::{DateTime, Utc};

use crate::http::ClientError;
use crate::model::{LeaseHolder, RunFailure, chain};
use crate::source::page::{Incomplete, NotAPage};
use crate::source::xml::FeedError;
use crate::store;
use crate::store::ledger::room;

/// Why a run is incomplete. Its cursor does not move.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Upstream rejected a request, or is unreachable.
    #[error(transparent)]
    Upstream(#[from] ClientError),
    /// The feed document is incomplete or cannot be parsed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A JSON page has an unexpected structure.
    #[error(transparent)]
    Page(#[from] NotAPage),
    /// A JSON page says that rows are missing, or is damaged. What it holds was used.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The database.
    #[error("database error")]
    Store(#[from] sqlx::Error),
    /// A saved document has a `next` link to another page, which cannot be fetched.
    #[error(
        "the document is one page of several (its `next` is `{next}`); its records are stored, import the other pages too"
    )]
    OnePageOnly {
        /// The link.
        next: String,
    },
    /// advisoryd is stopping.
    #[error("interrupted")]
    Stopped,
    /// A run that is under way does not end, and must not go on meanwhile.
    #[error("a run is still under way ({holder}); try again when it has ended")]
    Reading {
        /// The process of the run.
        holder: LeaseHolder,
    },
    /// The source lock was not renewed in time, and another process has taken it.
    #[error("another process took over the run")]
    Lost,
    /// The number of rows never matched the total count that upstream reports.
    #[error("upstream reported {claimed} {collection} but returned {received}{}", in_a_row(*tries))]
    Disagree {
        /// What the rows are, in words.
        collection: &'static str,
        /// How often the collection was read.
        tries: u32,
        /// The total count that upstream reports.
        claimed: u64,
        /// The number of rows received, the last time.
        received: u64,
    },
    /// Upstream ignores a filter: it returned a row outside the requested window.
    #[error(
        "upstream ignores the filter `{filter}__gte`: it returned {key} ({collection}), which is outside the requested window. The returned rows are stored. The next run tests the filter again; no action needed"
    )]
    Outside {
        /// What the rows are, in words.
        collection: &'static str,
        /// The filter's name without `__gte`.
        filter: &'static str,
        /// The unexpected row.
        key: String,
    },
    /// Upstream's date filter does not return an advisory that upstream has.
    #[error(
        "upstream's filter `{filter}__gte` with `{filter}__lt` returns no advisory, not even one at its own modification time; an empty response does not count as complete"
    )]
    SelectsNothing {
        /// The filter's name without `__gte`.
        filter: &'static str,
    },
    /// The JSON API has no advisory at all.
    #[error(
        "the JSON API lists no advisory at all, also without a filter; an empty response does not count as complete"
    )]
    ListsNothing,
    /// The JSON API lists no advisory of a window in which a stored one was modified.
    #[error(
        "the JSON API lists no advisory modified since {from}, although {said} was modified since and is stored; an empty response does not count as complete",
        from = .from.format("%Y-%m-%d %H:%M:%S UTC")
    )]
    StoredNotListed {
        /// The stored advisory.
        said: String,
        /// Start of the window.
        from: DateTime<Utc>,
    },
    /// A full scan is missing so many tickets that its result is not accepted.
    #[error(
        "the full scan did not find {missing} of {known} tickets; more than a fifth missing is not accepted; no ticket was marked as deleted"
    )]
    TooManyGone {
        /// Tickets not found.
        missing: u64,
        /// Tickets known.
        known: u64,
    },
    /// A full pull lacks so many members of its list that it must be confirmed first.
    #[error(
        "the full pull did not contain {missing} of {known} members of the list; a loss of more than a fifth is accepted only if a full pull at least 12 hours later confirms it, or with `sync feeds --full --accept-removals`; all stay members until then"
    )]
    TooManyLeft {
        /// Members not contained.
        missing: usize,
        /// Members that it should have contained.
        known: usize,
    },
    /// More rows than fit into memory moved to a page that was read before.
    #[error(
        "too many rows moved to another page while the pages were read; the next run reads all pages again"
    )]
    LargePage,
    /// A page of tickets is larger than what is read.
    #[error("{error}; lower `[tickets] page_size`, which is {page_size}")]
    LargeTicketPage {
        /// Which limit it exceeds.
        error: ClientError,
        /// Tickets per request.
        page_size: u32,
    },
    /// A collection has an implausible number of pages.
    #[error("stopped after {pages} pages, which is the limit")]
    TooManyPages {
        /// Pages read.
        pages: u32,
    },
    /// A `next` link leads back to a page that was read already.
    #[error("the link to the next page leads back to {url}, which was read already")]
    RepeatedPage {
        /// The page.
        url: String,
    },
    /// A link to the next page of a feed leads to another feed.
    #[error("the link to the next page leads to another feed ({name}={value}): {url}")]
    OtherFeed {
        /// The parameter that differs.
        name: String,
        /// Its value.
        value: String,
        /// The link.
        url: String,
    },
    /// A further page has only records of the pages before it.
    #[error(
        "page {page} has only records that the pages before it had too, so upstream probably ignores the link to the next page"
    )]
    RepeatedRecords {
        /// Number of the page, from 1.
        page: u32,
    },
    /// The pages do not end although everything has come.
    #[error("received {rows} rows, and there are still more pages; upstream counts {}", in_words(*.counted))]
    EndlessPages {
        /// Rows received.
        rows: u64,
        /// The total count that upstream reports.
        counted: Option<u64>,
    },
    /// So many watch lists disappeared that the response must be confirmed first.
    #[error(
        "upstream no longer lists, or no longer enables, {lost} of {known} watch lists; a loss of more than a fifth is accepted only if a response at least 5 minutes later confirms it"
    )]
    ListsLost {
        /// Lists that would no longer be followed.
        lost: usize,
        /// Lists that were enabled before.
        known: usize,
    },
    /// Upstream has an implausible number of watch lists.
    #[error(
        "upstream has more than {limit} watch lists; name those to follow under [[watch_lists]] instead"
    )]
    TooManyLists {
        /// The maximum number of followed lists.
        limit: usize,
    },
    /// Watch lists that cannot be distinguished.
    #[error(
        "{unreadable} of the {listed} watch lists upstream have no usable id (a whole number from 1) and cannot be followed, the first is `{sample}`; the others are followed, and no list counts as deleted"
    )]
    ListsWithoutId {
        /// Their number.
        unreadable: usize,
        /// The number of all lists.
        listed: usize,
        /// The first of them.
        sample: String,
    },
    /// Watch lists with several rows that differ.
    #[error(
        "upstream lists {repeated} of its watch lists several times with different values, the first is {first}; of these rows one that is enabled is followed"
    )]
    ListsDiffer {
        /// The first such list.
        first: i64,
        /// Their number.
        repeated: usize,
    },
    /// Upstream has no such watch list.
    #[error(
        "the watch list does not exist upstream: status 404 for /api/asset-lists/{id}/; {known}; correct the id under [[watch_lists]] or remove the entry"
    )]
    NoSuchList {
        /// The requested list.
        id: i64,
        /// The lists that the account has, in words.
        known: String,
    },
    /// Nothing shows that a watch list that is read from the JSON API exists.
    #[error(
        "it cannot be verified that watch list {id} exists: {why}; the JSON API has listed no advisory of it either, as of a list that is empty; check the id under [[watch_lists]], and whether the account may read the list"
    )]
    NothingShown {
        /// The requested list.
        id: i64,
        /// What was requested to see it, and what was answered.
        why: String,
    },
    /// The database has no such source.
    #[error("{key} is not a known source")]
    NoSource {
        /// The requested source.
        key: String,
    },
    /// The source has too many records that are in no version.
    #[error(
        "quarantine is full (limits of a source: {} in quarantine, {} replaced). Records that could not be stored were not kept, and the run is not complete. Delete records with `advisoryd quarantine drop ID`, or set [retention] quarantine",
        room::MAX_QUARANTINED,
        room::MAX_REPLACED
    )]
    NoRoom,
    /// A task of the run panicked, or ended because another one failed.
    #[error("a task of the run ended unexpectedly: {0}")]
    Broken(String),
    /// The run panicked. The text is what the panic says.
    #[error("internal error (panic): {0}; please report this error")]
    Panicked(String),
}

impl Failure {
    /// Whether the database is unavailable: the job is repeated when it is back.
    pub(crate) fn is_database_away(&self) -> bool {
        matches!(self, Self::Store(error) if store::is_away(error))
    }

    /// Whether the database is unavailable because its disk is full.
    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Store(error) if store::is_disk_full(error))
    }

    /// Whether the database is unavailable because the lock table of its server is full.
    pub(crate) fn is_lock_table_full(&self) -> bool {
        matches!(self, Self::Store(error) if store::database::is_lock_table_full(error))
    }

    /// The kind of failure, for alerts about advisoryd itself; `None` where the run
    /// ended for reasons on our side, which say nothing about its source.
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
            Self::NoSuchList { .. } => Some(RunFailure::ListMissing),
            _ => Some(RunFailure::Other),
        }
    }

    /// Says what to do if a page of tickets was too large. A page of one ticket cannot be
    /// smaller.
    #[must_use]
    pub(crate) fn of_ticket_page(self, page_size: u32) -> Self {
        match self {
            Self::Upstream(
                error @ (ClientError::TooManyValues { .. } | ClientError::TooLarge { .. }),
            ) if page_size > 1 => Self::LargeTicketPage { error, page_size },
            failure => failure,
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

fn in_words(count: Option<u64>) -> String {
    count.map_or_else(|| "none".to_owned(), |count| count.to_string())
}
