//! Health conditions: problems of advisoryd itself, and the evidence for them.

/// A problem of advisoryd itself. The names are public: alerts, the view and
/// the metrics contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// The last complete run is older than `[freshness]` allows.
    DataStale,
    /// Upstream rejects the token.
    TokenRejected,
    /// No advisory is recognised in a feed, or no page in a response.
    StructureNotRecognised,
    /// Records could not be parsed.
    QuarantineGrew,
    /// Upstream sends a field that it did not send before and no column is read from.
    UnknownField,
    /// There is a gap in the covered time.
    CoverageHole,
    /// A sink failed several times in a row.
    SinkFailing,
    /// A limit allows no more requests for now.
    RequestBudgetExhausted,
    /// A full pull lacks so many members of its list that this must be confirmed.
    RemovalsUnconfirmed,
    /// A list brought nothing, or far less than usual, for longer than usual.
    ListQuiet,
    /// A feed did not go back as far as requested.
    WindowNotHonoured,
    /// Advisories cannot be fetched from the JSON API, which a list is read from.
    DetailsMissing,
    /// The watch lists of the account are not all known.
    DiscoveryIncomplete,
    /// What a watch list contains was not read for long.
    ListContentsStale,
    /// A feed sends two contents of one revision in turn.
    ContentAlternates,
    /// Full pulls of a feed, or full scans of the tickets, have failed for hours.
    FullReadFailed,
}

impl Condition {
    /// All conditions.
    pub const ALL: [Self; 16] = [
        Self::DataStale,
        Self::TokenRejected,
        Self::StructureNotRecognised,
        Self::QuarantineGrew,
        Self::UnknownField,
        Self::CoverageHole,
        Self::SinkFailing,
        Self::RequestBudgetExhausted,
        Self::RemovalsUnconfirmed,
        Self::ListQuiet,
        Self::WindowNotHonoured,
        Self::DetailsMissing,
        Self::DiscoveryIncomplete,
        Self::ListContentsStale,
        Self::ContentAlternates,
        Self::FullReadFailed,
    ];

    /// The name used in SQL, JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataStale => "data_stale",
            Self::TokenRejected => "token_rejected",
            Self::StructureNotRecognised => "structure_not_recognised",
            Self::QuarantineGrew => "quarantine_grew",
            Self::UnknownField => "unknown_field",
            Self::CoverageHole => "coverage_hole",
            Self::SinkFailing => "sink_failing",
            Self::RequestBudgetExhausted => "request_budget_exhausted",
            Self::RemovalsUnconfirmed => "removals_unconfirmed",
            Self::ListQuiet => "list_quiet",
            Self::WindowNotHonoured => "window_not_honoured",
            Self::DetailsMissing => "details_missing",
            Self::DiscoveryIncomplete => "discovery_incomplete",
            Self::ListContentsStale => "list_contents_stale",
            Self::ContentAlternates => "content_alternates",
            Self::FullReadFailed => "full_read_failed",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Title of the alert, while the condition is active and when it is resolved.
    pub(crate) fn title(self, is_true: bool) -> &'static str {
        match (self, is_true) {
            (Self::DataStale, true) => "data is stale",
            (Self::DataStale, false) => "data is fresh again",
            (Self::TokenRejected, true) => "upstream rejects the token",
            (Self::TokenRejected, false) => "upstream accepts the token again",
            (Self::StructureNotRecognised, true) => "the response structure is not recognised",
            (Self::StructureNotRecognised, false) => "the response structure is recognised again",
            (Self::QuarantineGrew, true) => "records could not be parsed",
            (Self::QuarantineGrew, false) => "the quarantine is empty again",
            (Self::UnknownField, true) => "upstream sends an unknown field",
            (Self::UnknownField, false) => "no unknown field was received for a day",
            (Self::CoverageHole, true) => "coverage has a gap",
            (Self::CoverageHole, false) => "coverage has no gaps any more",
            (Self::SinkFailing, true) => "a sink is failing",
            (Self::SinkFailing, false) => "the sink works again",
            (Self::RequestBudgetExhausted, true) => "the request budget is exhausted",
            (Self::RequestBudgetExhausted, false) => "requests are allowed again",
            (Self::RemovalsUnconfirmed, true) => "a full pull lacks many members of a list",
            (Self::ListQuiet, true) => "a list has fewer new advisories than usual",
            (Self::ListQuiet, false) => "the list has the usual number of new advisories again",
            (Self::WindowNotHonoured, true) => "a feed does not go back as far as requested",
            (Self::WindowNotHonoured, false) => "the feed goes back as far as requested again",
            (Self::DetailsMissing, true) => "details of advisories cannot be fetched",
            (Self::DetailsMissing, false) => "no advisory of the list is missing any more",
            (Self::DiscoveryIncomplete, true) => "discovery of watch lists fails or is incomplete",
            (Self::DiscoveryIncomplete, false) => "discovery of watch lists succeeds again",
            (Self::ListContentsStale, true) => "the contents of a watch list cannot be read",
            (Self::ListContentsStale, false) => "the contents of the watch list are read again",
            (Self::ContentAlternates, true) => {
                "upstream sends different contents of one advisory in turn"
            }
            (Self::ContentAlternates, false) => {
                "no feed has alternated between two contents for a week"
            }
            (Self::FullReadFailed, true) => "full pulls or scans of a source fail",
            (Self::FullReadFailed, false) => "a full pull or scan of the source was complete",
            (Self::RemovalsUnconfirmed, false) => "the members of the list are confirmed",
        }
    }
}

/// The kind of failure that ended a run, as far as a condition depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFailure {
    /// Upstream rejected the token.
    TokenRejected,
    /// Upstream responded, but nothing in the response was recognised.
    StructureNotRecognised,
    /// A limit allowed no request, or upstream reported too many requests.
    RequestBudgetExhausted,
    /// Upstream has no such watch list.
    ListMissing,
    /// Any other failure. It is no evidence for or against the others.
    Other,
}

impl RunFailure {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenRejected => "token_rejected",
            Self::StructureNotRecognised => "structure_not_recognised",
            Self::RequestBudgetExhausted => "request_budget_exhausted",
            Self::ListMissing => "list_missing",
            Self::Other => "other",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::TokenRejected,
            Self::StructureNotRecognised,
            Self::RequestBudgetExhausted,
            Self::ListMissing,
            Self::Other,
        ]
        .into_iter()
        .find(|one| one.name() == name)
    }

    /// The evidence that the last run gives for a condition. An unreachable upstream
    /// has not accepted the token; a rejected token proves that requests are allowed.
    pub fn says(last: Option<Self>, condition: Condition) -> Evidence {
        use Condition as C;
        match (condition, last) {
            (_, None)
            | (C::TokenRejected, Some(Self::StructureNotRecognised | Self::ListMissing))
            | (
                C::RequestBudgetExhausted,
                Some(Self::TokenRejected | Self::StructureNotRecognised | Self::ListMissing),
            ) => Evidence::Against,
            (C::TokenRejected, Some(Self::TokenRejected))
            | (C::StructureNotRecognised, Some(Self::StructureNotRecognised))
            | (C::RequestBudgetExhausted, Some(Self::RequestBudgetExhausted)) => Evidence::For,
            _ => Evidence::None,
        }
    }
}

/// Evidence for or against a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The condition is active.
    For,
    /// The condition is not active.
    Against,
    /// Unknown: the condition keeps its state.
    None,
    /// What it affected is no longer configured.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::{Condition, Evidence, RunFailure};

    #[test]
    fn a_run_says_of_a_condition_only_what_it_knows() {
        let rejected = Some(RunFailure::TokenRejected);
        let unreachable = Some(RunFailure::Other);
        let says = |last| RunFailure::says(last, Condition::TokenRejected);
        assert_eq!(says(rejected), Evidence::For);
        assert_eq!(
            says(unreachable),
            Evidence::None,
            "the token was not accepted either"
        );
        assert_eq!(
            says(Some(RunFailure::StructureNotRecognised)),
            Evidence::Against
        );
        assert_eq!(says(None), Evidence::Against);
        let budget = |last| RunFailure::says(last, Condition::RequestBudgetExhausted);
        assert_eq!(budget(rejected), Evidence::Against, "a request was sent");
    }

    #[test]
    fn names_lead_back() {
        for one in Condition::ALL {
            assert_eq!(Condition::from_name(one.name()), Some(one));
        }
        assert_eq!(Condition::from_name("fine"), None);
    }
}
