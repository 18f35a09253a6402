//! Changes of the published files, for tests.

use super::Simulator;

/// Changes of the files.
impl Simulator {
    /// Where the KEV catalogue is.
    pub fn kev_url(&self) -> String {
        format!("{}/published/kev.json", self.base_url())
    }

    /// Where the EPSS scores are: a name that leads to the file of the day.
    pub fn epss_url(&self) -> String {
        format!("{}/published/epss-current.csv.gz", self.base_url())
    }

    /// Adds CVEs to the KEV catalogue.
    pub fn add_to_kev<'c>(&self, cves: impl IntoIterator<Item = &'c str>, ransomware: bool) {
        self.shared.publish(|files| {
            let cves = cves.into_iter().map(|cve| (cve.to_owned(), ransomware));
            files.kev.extend(cves);
            files.changes += 1;
        });
    }

    /// Removes a CVE from the KEV catalogue.
    pub fn remove_from_kev(&self, cve: &str) {
        self.shared.publish(|files| {
            files.kev.remove(cve);
            files.changes += 1;
        });
    }

    /// Sets the EPSS score of a CVE.
    pub fn set_score(&self, cve: &str, score: f64) {
        self.shared.publish(|files| {
            files.scores.insert(cve.to_owned(), score);
            files.changes += 1;
        });
    }

    /// Publishes files that are newer than all before.
    pub fn publish_newer_files(&self) {
        self.shared
            .publish(|files| files.changes = files.changes.abs() + 1);
    }

    /// Publishes files that are older than the ones before.
    pub fn publish_older_files(&self) {
        self.shared.publish(|files| files.changes -= 40_000);
    }
}
