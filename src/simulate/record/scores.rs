//! CVSS scores of a generated advisory.

use crate::simulate::random::{self, RandomStream, chance};

use super::entry::AdvisoryEntry;

/// How an advisory without a vector in some version of CVSS says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorGap {
    /// Score 0 and an empty vector.
    Blank,
    /// Score 0 and null.
    Null,
    /// The keys are missing.
    Missing,
}

/// One version's score.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// Scored, in tenths.
    Scored {
        base_tenths: u32,
        overall_tenths: u32,
        vector: String,
    },
    /// Not scored in this version.
    Absent(VectorGap),
}

impl Score {
    /// 0.0 to 10.0; 0 where there is none.
    pub fn base(&self) -> f64 {
        match self {
            Self::Scored { base_tenths, .. } => f64::from(*base_tenths) / 10.0,
            Self::Absent(_) => 0.0,
        }
    }

    /// With the temporal metrics.
    pub fn overall(&self) -> f64 {
        match self {
            Self::Scored { overall_tenths, .. } => f64::from(*overall_tenths) / 10.0,
            Self::Absent(_) => 0.0,
        }
    }

    /// The vector, if scored.
    pub fn vector(&self) -> Option<&str> {
        match self {
            Self::Scored { vector, .. } => Some(vector),
            Self::Absent(_) => None,
        }
    }

    /// Whether the keys are missing altogether.
    pub fn is_missing(&self) -> bool {
        *self == Self::Absent(VectorGap::Missing)
    }
}

/// All scores of an advisory.
#[derive(Debug, Clone)]
pub struct Scores {
    pub v2: Score,
    pub v3: Score,
    pub v4: Score,
    /// In tenths; `None` as without the licence for it.
    pub threat_tenths: Option<u32>,
}

/// Scores that go with the criticality. Old advisories have version 2, most
/// have version 3, the newest few version 4.
pub fn scores(seed: u64, entry: AdvisoryEntry, criticality: u8) -> Scores {
    let mut rng = random::rng(seed, entry.index, RandomStream::Scores);
    let least: u32 = match criticality {
        1 => 90,
        2 => 80,
        3 => 60,
        4 => 40,
        _ => 10,
    };
    let base = (least + rng.u32(0..10)).min(100);
    let overall = base - base.min(10) * rng.u32(0..10) / 10;
    let gap = match rng.u32(0..3) {
        0 => VectorGap::Blank,
        1 => VectorGap::Null,
        _ => VectorGap::Missing,
    };
    let low_high = if criticality <= 2 { "H" } else { "L" };
    let partial = if criticality <= 2 { "C" } else { "P" };
    let scored = |rng: &mut fastrand::Rng, percent, vector: String, gap| {
        if chance(rng, percent) {
            Score::Scored {
                base_tenths: base,
                overall_tenths: overall,
                vector,
            }
        } else {
            Score::Absent(gap)
        }
    };
    let v2 = format!("(AV:N/AC:L/Au:N/C:{partial}/I:{partial}/A:N/E:U/RL:OF/RC:C)");
    let v3 =
        format!("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:{low_high}/I:{low_high}/A:N/E:U/RL:O/RC:C");
    let v4 = format!(
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:{low_high}/VI:{low_high}/VA:N/SC:N/SI:N/SA:N"
    );
    Scores {
        // Version 2 is never left out in captured answers, only blank.
        v2: scored(&mut rng, 30, v2, VectorGap::Blank),
        v3: scored(&mut rng, 88, v3, gap),
        v4: scored(&mut rng, 15, v4, VectorGap::Missing),
        threat_tenths: chance(&mut rng, 40).then(|| random::skewed(&mut rng, 0, 99, 3) * 10),
    }
}
