//! Verdict of a rule for a change, and its code in the database.

use super::Clause;

/// Verdict of a rule for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The rule matches.
    Matched,
    /// The rule does not match changes of this kind.
    NotAsked,
    /// The advisory was in no followed source at that time.
    NotFollowed,
    /// Everything matches, but it belongs to the baseline: a first load, or before the rule was new.
    Baseline,
    /// Everything matches, but an alert that was just raised reports the advisory.
    Reported,
    /// This clause does not match.
    False(Clause),
    /// The value for this clause is missing and the rule skips missing values.
    Missing(Clause),
}

/// First code of the clauses that do not match.
const FALSE: i16 = 100;
/// First code of missing values.
const MISSING: i16 = 200;

impl Verdict {
    /// The code in table `verdict`.
    pub fn code(self) -> i16 {
        match self {
            Self::Matched => 0,
            Self::NotAsked => 1,
            Self::NotFollowed => 2,
            Self::Baseline => 3,
            Self::Reported => 4,
            Self::False(clause) => FALSE + position(clause),
            Self::Missing(clause) => MISSING + position(clause),
        }
    }

    /// From the code.
    pub fn from_code(code: i16) -> Option<Self> {
        let clause = |base: i16| Clause::ALL.get(usize::try_from(code - base).ok()?).copied();
        match code {
            0 => Some(Self::Matched),
            1 => Some(Self::NotAsked),
            2 => Some(Self::NotFollowed),
            3 => Some(Self::Baseline),
            4 => Some(Self::Reported),
            FALSE..MISSING => clause(FALSE).map(Self::False),
            _ => clause(MISSING).map(Self::Missing),
        }
    }
}

fn position(clause: Clause) -> i16 {
    Clause::ALL
        .iter()
        .position(|other| *other == clause)
        .and_then(|position| i16::try_from(position).ok())
        .unwrap_or(i16::MAX - MISSING)
}

#[cfg(test)]
mod tests {
    use super::{Clause, Verdict};

    #[test]
    fn codes_lead_back() {
        let clauses = Clause::ALL
            .into_iter()
            .flat_map(|clause| [Verdict::False(clause), Verdict::Missing(clause)]);
        let all = [
            Verdict::Matched,
            Verdict::NotAsked,
            Verdict::NotFollowed,
            Verdict::Baseline,
            Verdict::Reported,
        ];
        for verdict in all.into_iter().chain(clauses) {
            assert_eq!(Verdict::from_code(verdict.code()), Some(verdict));
        }
        assert_eq!(Verdict::from_code(199), None);
        assert_eq!(Verdict::from_code(-1), None);
    }
}
