//! What of the configuration is recorded in the database, where all processes share it.

use sha2::{Digest as _, Sha256};

use super::Config;
use crate::model::{Catalogue, Matcher};

/// Bytes of the hash that are kept.
const BYTES: usize = 8;

impl Config {
    /// A hash of what is recorded in the database: what is followed and from where, the rules
    /// and the sinks. Two processes with different hashes replace each other's. Other settings,
    /// such as the token, schedules and ports, may differ.
    pub fn recorded(&self) -> String {
        let mut lists: Vec<i64> = self.watch_lists.iter().map(|list| list.id).collect();
        let mut unfollowed = self.unfollowed.clone();
        let mut feeds: Vec<&str> = self.extra_feeds.iter().map(|feed| &*feed.name).collect();
        let mut sinks: Vec<(&str, &str)> = self
            .alerts
            .sinks
            .iter()
            .map(|sink| (&*sink.name, sink.kind.name()))
            .collect();
        let rules = self.alerts.rules.iter().map(Matcher::rule);
        // Plain data with string keys: it cannot fail.
        let mut rules: Vec<String> = rules
            .map(|rule| serde_json::to_string(rule).unwrap_or_default())
            .collect();
        lists.sort_unstable();
        unfollowed.sort_unstable();
        feeds.sort_unstable();
        sinks.sort_unstable();
        rules.sort_unstable();
        let files =
            Catalogue::ALL.map(|one| self.enrichment.location(one).map(ToString::to_string));
        let recorded = (
            self.upstream.base_url.origin().ascii_serialization(),
            (lists, unfollowed, self.discovery.watch_lists, feeds),
            (
                self.tickets.enabled,
                self.feeds.sweep,
                self.fetches_details(),
            ),
            (rules, sinks, files),
        );
        let hash = Sha256::digest(format!("{recorded:?}"));
        hex::encode(&hash[..BYTES])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Config;

    fn of(text: &str) -> String {
        Config::from_text("c.toml", text).unwrap().recorded()
    }

    #[test]
    fn only_what_is_recorded_counts() {
        let one = of("[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 7\n");
        let same = [
            "[[watch_lists]]\nid = 7\n[[watch_lists]]\nid = 4\n",
            "[http]\nlisten = \"\"\n[schedule]\ntickets = \"0 0 * * * *\"\n[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 7\nname = \"Linux\"\n",
        ];
        for text in same {
            assert_eq!(of(text), one, "{text}");
        }
        let other = [
            "[[watch_lists]]\nid = 4\n",
            "[tickets]\nenabled = false\n[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 7\n",
            "[[watch_lists]]\nid = 4\n[[watch_lists]]\nid = 7\n[[extra_feeds]]\nname = \"all\"\nquery = { feed_type = \"all\" }\n",
        ];
        for text in other {
            assert_ne!(of(text), one, "{text}");
        }
    }
}
