//! Published facts about CVEs: the KEV catalogue (known exploited vulnerabilities) and EPSS
//! scores (exploit prediction).

use chrono::{DateTime, NaiveDate, Utc};

/// A published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Catalogue {
    /// CISA's catalogue of known exploited vulnerabilities.
    Kev,
    /// FIRST's exploit predictions.
    Epss,
}

impl Catalogue {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Kev, Self::Epss];

    /// The name in SQL, JSON, the configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kev => "kev",
            Self::Epss => "epss",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kev => "KEV catalogue",
            Self::Epss => "EPSS scores",
        }
    }
}

/// The KEV catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KevCatalogue {
    /// Its version.
    pub release: Option<String>,
    /// When it was released.
    pub released_at: DateTime<Utc>,
    /// Its entries, one for each CVE.
    pub entries: Vec<KevEntry>,
}

/// A CVE that is known to be exploited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KevEntry {
    /// The CVE, in upper case.
    pub cve: String,
    /// When it was added.
    pub added_on: NaiveDate,
    /// Until when US agencies have to act.
    pub due_on: Option<NaiveDate>,
    /// Whether it is used in ransomware campaigns.
    pub is_ransomware: bool,
}

/// EPSS scores of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct EpssScores {
    /// Version of the model.
    pub release: Option<String>,
    /// The date of the scores.
    pub released_at: DateTime<Utc>,
    /// The scores, 0 to 1.
    pub scores: Vec<(CveNumber, f64)>,
}

/// A CVE identifier in eight bytes: there are hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CveNumber {
    year: u16,
    number: u32,
}

impl CveNumber {
    /// From an identifier such as `CVE-2026-1234`; `None` if it is none, or is not written
    /// as usual.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, digits) = text.strip_prefix("CVE-")?.split_once('-')?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // Only then it is the same text again.
        let is_padded = digits.len() > 4 && digits.starts_with('0');
        if year.len() != 4 || digits.len() < 4 || is_padded {
            return None;
        }
        (is_number(year) && is_number(digits)).then_some(())?;
        Some(Self {
            year: year.parse().ok()?,
            number: digits.parse().ok()?,
        })
    }
}

impl std::fmt::Display for CveNumber {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CVE-{:04}-{:04}", self.year, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::CveNumber;

    #[test]
    fn a_cve_is_the_same_text_again() {
        for text in ["CVE-1999-0001", "CVE-2026-1234", "CVE-2026-4294967295"] {
            let cve = CveNumber::parse(text);
            assert_eq!(cve.map(|cve| cve.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "CVE-2026",
            "CVE-2026-123",
            "CVE-2026-01234",
            "cve-2026-1234",
            "CVE-2026-4294967296",
            "CVE-+026-1234",
            "CVE-2026-+234",
        ] {
            assert_eq!(CveNumber::parse(text), None, "{text}");
        }
    }
}
