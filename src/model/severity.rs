//! Severity of an advisory.

use serde::{Deserialize, Serialize};

/// Severity of an advisory; a greater rank is more severe. Upstream's `criticality`
/// is in the opposite order (contract §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Rejected by the vendor: rank 0.
    Rejected,
    /// Rank 1, `criticality` 5.
    NotCritical,
    /// Rank 2, `criticality` 4.
    LessCritical,
    /// Rank 3, `criticality` 3.
    ModeratelyCritical,
    /// Rank 4, `criticality` 2.
    HighlyCritical,
    /// Rank 5, `criticality` 1.
    ExtremelyCritical,
}

impl Severity {
    /// Every severity, least severe first.
    pub const ALL: [Self; 6] = [
        Self::Rejected,
        Self::NotCritical,
        Self::LessCritical,
        Self::ModeratelyCritical,
        Self::HighlyCritical,
        Self::ExtremelyCritical,
    ];

    /// From the vendor's `criticality` code; `None` for an undocumented code.
    pub fn from_criticality(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Rejected),
            1 => Some(Self::ExtremelyCritical),
            2 => Some(Self::HighlyCritical),
            3 => Some(Self::ModeratelyCritical),
            4 => Some(Self::LessCritical),
            5 => Some(Self::NotCritical),
            _ => None,
        }
    }

    /// From [`Self::rank`].
    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.rank() == rank)
    }

    /// Parses a name in any spelling: `Highly critical`, `highly_critical`, `HIGHLY-CRITICAL`.
    pub fn from_name(name: &str) -> Option<Self> {
        let wanted: String = letters(name);
        Self::ALL
            .into_iter()
            .find(|severity| letters(severity.name()) == wanted)
    }

    /// The vendor's code for this severity (contract §7).
    pub fn criticality(self) -> i32 {
        match self {
            Self::Rejected => 0,
            Self::ExtremelyCritical => 1,
            Self::HighlyCritical => 2,
            Self::ModeratelyCritical => 3,
            Self::LessCritical => 4,
            Self::NotCritical => 5,
        }
    }

    /// 5 = extremely critical … 1 = not critical, 0 = rejected.
    pub fn rank(self) -> i16 {
        match self {
            Self::Rejected => 0,
            Self::NotCritical => 1,
            Self::LessCritical => 2,
            Self::ModeratelyCritical => 3,
            Self::HighlyCritical => 4,
            Self::ExtremelyCritical => 5,
        }
    }

    /// The name used in SQL, configuration and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::NotCritical => "not_critical",
            Self::LessCritical => "less_critical",
            Self::ModeratelyCritical => "moderately_critical",
            Self::HighlyCritical => "highly_critical",
            Self::ExtremelyCritical => "extremely_critical",
        }
    }
}

fn letters(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Severity;

    #[test]
    fn a_worse_severity_has_a_greater_rank_and_a_smaller_code() {
        for severity in Severity::ALL {
            assert_eq!(
                Severity::from_criticality(severity.criticality()),
                Some(severity)
            );
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
        }
        assert!(Severity::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            Severity::ALL
                .windows(2)
                .all(|pair| pair[0].rank() < pair[1].rank())
        );
        assert_eq!(
            Severity::from_name("Highly critical"),
            Some(Severity::HighlyCritical)
        );
        assert_eq!(Severity::from_criticality(6), None);
        assert_eq!(Severity::from_name("bad"), None);
    }
}
