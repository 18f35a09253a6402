/// What can be wrong with the program itself. Names are public: alerts, the view
/// and metrics carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Nothing was read completely for longer than `[freshness]` allows.
    DataStale,
    /// Upstream does not accept the token.
    TokenRejected,
    /// No advisory is recognised in a feed, or no page in an answer.
    StructureNotRecognised,
    /// Records could not be understood.
    QuarantineGrew,
    /// Time between complete runs is not covered.
    CoverageHole,
    /// A sink failed several times in a row.
    SinkFailing,
    /// No request may be sent any more, for now.
    RequestBudgetExhausted,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DataStale,
        Self::TokenRejected,
        Self::StructureNotRecognised,
        Self::QuarantineGrew,
        Self::CoverageHole,
        Self::SinkFailing,
        Self::RequestBudgetExhausted,
    ];

    /// The name used in SQL, JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataStale => "data_stale",
            Self::TokenRejected => "token_rejected",
            Self::StructureNotRecognised => "structure_not_recognised",
            Self::QuarantineGrew => "quarantine_grew",
            Self::CoverageHole => "coverage_hole",
            Self::SinkFailing => "sink_failing",
            Self::RequestBudgetExhausted => "request_budget_exhausted",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// For people, while it holds and when it is over.
    pub(super) fn title(self, holds: bool) -> &'static str {
        match (self, holds) {
            (Self::DataStale, true) => "data is stale",
            (Self::DataStale, false) => "data is fresh again",
            (Self::TokenRejected, true) => "the token is rejected",
            (Self::TokenRejected, false) => "the token is accepted again",
            (Self::StructureNotRecognised, true) => "the structure is not recognised",
            (Self::StructureNotRecognised, false) => "the structure is recognised again",
            (Self::QuarantineGrew, true) => "records could not be understood",
            (Self::QuarantineGrew, false) => "the quarantine is empty again",
            (Self::CoverageHole, true) => "not all time is covered",
            (Self::CoverageHole, false) => "all time is covered again",
            (Self::SinkFailing, true) => "a sink fails",
            (Self::SinkFailing, false) => "the sink no longer fails",
            (Self::RequestBudgetExhausted, true) => "the request budget is exhausted",
            (Self::RequestBudgetExhausted, false) => "requests are allowed again",
        }
    }
}

/// What kind of failure ended a run, as far as it says something of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFailure {
    /// Upstream answered that it does not accept the token.
    TokenRejected,
    /// An answer came, and nothing in it was recognised.
    StructureNotRecognised,
    /// Nothing was sent, or upstream says that it was too much.
    RequestBudgetExhausted,
    /// Everything else: it says nothing of the others.
    Other,
}

impl RunFailure {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenRejected => "token_rejected",
            Self::StructureNotRecognised => "structure_not_recognised",
            Self::RequestBudgetExhausted => "request_budget_exhausted",
            Self::Other => "other",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::TokenRejected,
            Self::StructureNotRecognised,
            Self::RequestBudgetExhausted,
            Self::Other,
        ]
        .into_iter()
        .find(|one| one.name() == name)
    }

    /// What the last run says of a condition: an upstream that cannot be reached
    /// has not accepted the token, and a rejected token proves that requests
    /// are allowed.
    pub fn says(last: Option<Self>, condition: Condition) -> Evidence {
        use Condition as C;
        match (condition, last) {
            (_, None)
            | (C::TokenRejected, Some(Self::StructureNotRecognised))
            | (
                C::RequestBudgetExhausted,
                Some(Self::TokenRejected | Self::StructureNotRecognised),
            ) => Evidence::Against,
            (C::TokenRejected, Some(Self::TokenRejected))
            | (C::StructureNotRecognised, Some(Self::StructureNotRecognised))
            | (C::RequestBudgetExhausted, Some(Self::RequestBudgetExhausted)) => Evidence::For,
            _ => Evidence::None,
        }
    }
}

/// What is known for or against a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It holds.
    For,
    /// It does not.
    Against,
    /// Nothing: it stays as it was.
    None,
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
            "nobody accepted it either"
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
