//! `[enrichment]`: published files about CVEs, the KEV catalogue and EPSS scores.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use super::cron::{CronExpression, expression};
use super::environment::Environment;
use super::secret::SecretUrl;
use super::section::{Section, configured_value};
use super::splay::Splay;
use super::tree::SettingNode;
use super::values::{is_loopback, text};
use crate::config::advice::Advice;
use crate::model::Catalogue;

/// `[enrichment]`: the KEV catalogue and EPSS scores.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrichmentSettings {
    /// Where the KEV catalogue is. Default: nowhere.
    pub kev: Option<FileLocation>,
    /// When it is read. Default: once a day.
    pub kev_schedule: CronExpression,
    /// Where the EPSS scores are. Default: nowhere.
    pub epss: Option<FileLocation>,
    /// When they are read. Default: once a day.
    pub epss_schedule: CronExpression,
    /// The score from which on `epss_crossed` is recorded. Default: it never is.
    pub epss_threshold: Option<f64>,
}

/// Where a published file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileLocation {
    /// A URL, which is requested without the token of upstream.
    Url(SecretUrl),
    /// A file that something else keeps up to date.
    Path(PathBuf),
}

impl fmt::Display for FileLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(formatter),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

impl EnrichmentSettings {
    /// Where a file is; `None` if it is not configured.
    pub fn location(&self, catalogue: Catalogue) -> Option<&FileLocation> {
        match catalogue {
            Catalogue::Kev => self.kev.as_ref(),
            Catalogue::Epss => self.epss.as_ref(),
        }
    }

    /// When a file is read.
    pub fn schedule(&self, catalogue: Catalogue) -> &CronExpression {
        match catalogue {
            Catalogue::Kev => &self.kev_schedule,
            Catalogue::Epss => &self.epss_schedule,
        }
    }

    pub(super) fn read(
        mut section: Section<'_>,
        env: &Environment,
        is_offline: bool,
    ) -> Option<Self> {
        let mut schedule = |key, usual| {
            let usual = CronExpression::parse(usual).ok()?;
            let usual = usual.later(Splay::Auto.seconds(&env.installation, key));
            Some(section.value(key, usual, expression))
        };
        let kev_schedule = schedule("kev_schedule", "0 10 6 * * *")?;
        let epss_schedule = schedule("epss_schedule", "0 40 15 * * *")?;
        let enrichment = Self {
            kev: section.optional("kev", location),
            kev_schedule,
            epss: section.optional("epss", location),
            epss_schedule,
            epss_threshold: section.optional("epss_threshold", score),
        };
        for catalogue in Catalogue::ALL {
            if let (true, Some(FileLocation::Url(_))) = (is_offline, enrichment.location(catalogue))
            {
                let why = "is a URL, but `[upstream] offline` is true; expected a file, or nothing: `advisoryd import` takes the file of the bundle";
                section.unusable(catalogue.name(), why);
            }
        }
        section.close();
        Some(enrichment)
    }

    /// The same for all machines: without `splay`.
    #[must_use]
    pub(super) fn unmoved(&self) -> Self {
        Self {
            kev_schedule: self.kev_schedule.unmoved(),
            epss_schedule: self.epss_schedule.unmoved(),
            ..self.clone()
        }
    }
}

fn score(node: &SettingNode) -> Result<f64, Advice> {
    let score = configured_value(node).trim().parse().ok();
    score
        .filter(|score| (0.001..=1.0).contains(score))
        .ok_or_else(|| Advice::bare("expected a number from 0.001 to 1.0, such as `0.5`"))
}

fn location(node: &SettingNode) -> Result<FileLocation, Advice> {
    let advice = "expected `https://…`, or an absolute path (starting with `/`)";
    let text = text(node).map_err(|_| advice)?;
    if text.starts_with('/') {
        return Ok(FileLocation::Path(text.into()));
    }
    let url: Url = text.parse().map_err(|_| advice)?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if is_safe && url.has_host() && url.fragment().is_none() {
        Ok(FileLocation::Url(SecretUrl::new(&url)))
    } else {
        Err(advice.into())
    }
}
