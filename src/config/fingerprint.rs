//! Fingerprint of the configuration: different configurations have different ones.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::Config;

impl Config {
    /// A hash of all settings, 48 bits. It is the same for two instances with the same
    /// settings, wherever their files are; secrets are not part of it. It may be another
    /// one in another version of advisoryd.
    pub fn fingerprint(&self) -> u64 {
        let settings = Self {
            file: None::<PathBuf>,
            schedule: self.schedule.unmoved(),
            enrichment: self.enrichment.unmoved(),
            ignored_variables: Vec::new(),
            ..self.clone()
        };
        // `Debug` has all settings, and secrets are types that it does not show.
        let hash = Sha256::digest(format!("{settings:?}"));
        hash.iter()
            .take(6)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Config;

    fn of(text: &str) -> u64 {
        Config::from_text("c.toml", text).unwrap().fingerprint()
    }

    #[test]
    fn equal_settings_have_equal_fingerprints_and_others_do_not() {
        let one = "[upstream]\nrequests_per_minute = 30\n[[watch_lists]]\nid = 1\n";
        let same = "[[watch_lists]]\nid = 1 # comment\n[upstream]\nrequests_per_minute = 30\n";
        assert_eq!(of(one), of(same));
        assert_ne!(of(one), of(&one.replace("30", "31")));
        assert_ne!(of(one), of(&one.replace("id = 1", "id = 2")));
        assert!(of(one) < 1 << 48);
    }

    #[test]
    fn a_password_does_not_change_it() {
        let with = |password| {
            of(&format!(
                "[database]\nurl = \"postgres://me:{password}@localhost/advisoryd\"\n"
            ))
        };
        assert_eq!(with("one"), with("two"));
    }
}
