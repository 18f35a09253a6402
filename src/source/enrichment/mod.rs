//! Published files about CVEs: the KEV catalogue (JSON) and EPSS scores (CSV).

mod epss;
mod error;
mod kev;
#[cfg(test)]
mod tests;

use crate::model::{Catalogue, EpssScores, KevCatalogue};
pub use epss::EpssReader;
pub use error::NotPublished;
pub use kev::kev_catalogue;

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EnrichmentFile {
    /// The KEV catalogue.
    Kev(KevCatalogue),
    /// EPSS scores.
    Epss(EpssScores),
}

impl EnrichmentFile {
    /// Which one it is.
    pub fn catalogue(&self) -> Catalogue {
        match self {
            Self::Kev(_) => Catalogue::Kev,
            Self::Epss(_) => Catalogue::Epss,
        }
    }
}

/// Which file begins like this; `None` if it is neither.
pub(crate) fn recognise(beginning: &[u8]) -> Option<Catalogue> {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    let text = text.trim_ascii_start();
    let begins = |with: &str| text.starts_with(with.as_bytes());
    match text {
        _ if begins("#model_version") || begins("cve,epss") => Some(Catalogue::Epss),
        [b'{', ..] => Some(Catalogue::Kev),
        _ => None,
    }
}
