//! Published files about CVEs: an invented KEV catalogue and invented EPSS scores.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

/// What the files say besides the scores that follow from the names.
#[derive(Debug, Clone, Default)]
pub struct PublishedFiles {
    /// The CVEs in the KEV catalogue, and whether they are used in ransomware campaigns.
    pub kev: BTreeMap<String, bool>,
    /// Scores that a test has set.
    pub scores: BTreeMap<String, f64>,
    /// How often something changed: each change has a later date.
    pub changes: i64,
}

impl PublishedFiles {
    /// The KEV catalogue. It always has one CVE that no advisory names.
    pub fn kev(&self, starts_at: DateTime<Utc>) -> String {
        let day = starts_at.format("%Y-%m-%d").to_string();
        let due = (starts_at + TimeDelta::days(21))
            .format("%Y-%m-%d")
            .to_string();
        let unnamed = ("CVE-1999-99999".to_owned(), false);
        let all = self.kev.iter().map(|(cve, used)| (cve.clone(), *used));
        let entries: Vec<_> = all
            .chain([unnamed])
            .map(|(cve, used)| {
                json!({"cveID": cve, "vendorProject": "Example", "product": "Example",
                    "vulnerabilityName": "Example vulnerability", "dateAdded": day,
                    "shortDescription": "Invented.", "requiredAction": "None.", "dueDate": due,
                    "knownRansomwareCampaignUse": if used { "Known" } else { "Unknown" },
                    "notes": "", "cwes": []})
            })
            .collect();
        let released_at = starts_at + TimeDelta::seconds(self.changes);
        json!({"title": "Invented catalogue", "catalogVersion": released_at.format("%Y.%m.%d").to_string(),
            "dateReleased": released_at.to_rfc3339(), "count": entries.len(), "vulnerabilities": entries})
        .to_string()
    }

    /// The EPSS scores of these CVEs.
    pub fn epss(&self, starts_at: DateTime<Utc>, cves: impl Iterator<Item = String>) -> String {
        let released_at = starts_at + TimeDelta::seconds(self.changes);
        let date = released_at.format("%Y-%m-%dT%H:%M:%SZ");
        let mut text =
            format!("#model_version:v0.invented,score_date:{date}\ncve,epss,percentile\n");
        let cves: BTreeSet<String> = cves.collect();
        for cve in cves {
            let score = self.scores.get(&cve).copied();
            let score = score.unwrap_or_else(|| usual_score(&cve));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{cve},{score:.5},0.50000");
        }
        text
    }
}

/// Low, as most are.
fn usual_score(cve: &str) -> f64 {
    let number = xxh3_64(cve.as_bytes());
    f64::from(u16::try_from(number % 4000).unwrap_or_default()) / 100_000.0
}
