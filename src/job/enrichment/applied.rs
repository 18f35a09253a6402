//! What a published file changed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::Catalogue;

/// What a file changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Applied {
    /// `kev` or `epss`.
    pub kind: &'static str,
    /// Version of the catalogue or the model.
    pub release: Option<String>,
    /// Its date according to its publisher.
    pub released_at: DateTime<Utc>,
    /// CVEs in it.
    pub entries: i64,
    /// CVEs that are new among those that are stored.
    pub added: u64,
    /// CVEs whose stored score changed.
    pub changed: u64,
    /// CVEs that are no longer in it.
    pub removed: u64,
    /// Advisories with a change `kev_added` or `epss_crossed`.
    pub advisories: usize,
    /// Whether it is the first one that was read, which makes no changes.
    pub is_first: bool,
}

impl Applied {
    /// Which file it was.
    pub fn label(&self) -> &'static str {
        Catalogue::from_name(self.kind).map_or("file", Catalogue::label)
    }

    /// What it changed, in one line.
    pub fn sentence(&self) -> String {
        let release = self.release.as_deref();
        let release = release.map_or_else(String::new, |release| format!(" ({release})"));
        let mut line = format!(
            "{} of {}{release}: {} CVEs",
            self.label(),
            self.released_at.format("%Y-%m-%d"),
            self.entries
        );
        for (count, what) in [
            (self.added, "added"),
            (self.changed, "changed"),
            (self.removed, "removed"),
        ] {
            if count > 0 {
                line = format!("{line}, {count} {what}");
            }
        }
        if self.is_first {
            return format!("{line}; this is the baseline, it causes no changes of advisories");
        }
        let what = match Catalogue::from_name(self.kind) {
            Some(Catalogue::Kev) => "are now known to be exploited",
            _ => "crossed the threshold",
        };
        match self.advisories {
            0 => line,
            1 => format!("{line}; 1 advisory {}", what.replacen("are", "is", 1)),
            several => format!("{line}; {several} advisories {what}"),
        }
    }
}
