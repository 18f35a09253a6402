//! Followed watch lists: the configuration merged with the lists that discovery found.

use super::Config;
use super::lists::WatchList;
use super::rule_warnings::{self, ListNames, Lists};

impl Config {
    /// This configuration plus the discovered lists, except those that it excludes
    /// (`follow = false`). Lists that an earlier discovery added are dropped.
    #[must_use]
    pub fn with_discovered(&self, found: &[(i64, Option<String>)]) -> Self {
        let mut config = self.clone();
        config.watch_lists.retain(|list| !list.discovered);
        for (id, name) in found {
            let is_known = config.watch_lists.iter().any(|list| list.id == *id);
            if self.discovery.watch_lists && !is_known && !self.unfollowed.contains(id) {
                config
                    .watch_lists
                    .push(WatchList::discovered(*id, name.clone()));
            }
        }
        config
    }

    /// What is known of the followed lists.
    fn lists(&self, others: &ListNames) -> Lists {
        let is_whole = others.has_discovered || !self.discovery.watch_lists;
        let all = is_whole.then_some(&self.watch_lists);
        let ids = all.map(|all| all.iter().map(|list| list.id).collect());
        let name = |list: &WatchList| {
            let theirs = || others.names.get(&list.id).cloned();
            let name = list.name.clone().or_else(theirs)?;
            Some((name.to_lowercase(), name))
        };
        let names = all.and_then(|all| all.iter().map(name).collect());
        Lists { ids, names }
    }

    /// Rules that require watch lists that are not followed, one sentence each. A list without
    /// a name has that of upstream: `others` has it, if it is known.
    pub fn rules_of_unknown_lists(&self, others: &ListNames) -> Vec<String> {
        rule_warnings::unknown_lists(&self.alerts.rules, &self.lists(others))
    }

    /// Whether the configuration file itself names the list.
    pub fn names(&self, id: i64) -> bool {
        let named = |list: &WatchList| list.id == id && !list.discovered;
        self.watch_lists.iter().any(named)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::Config;

    #[test]
    fn discovered_lists_join_those_named_and_leave_those_excluded_out() {
        let text = "[discovery]\nwatch_lists = true\n[[watch_lists]]\nid = 4\nname = \"Ours\"\n\
                    [[watch_lists]]\nid = 5\nfollow = false\n";
        let config = Config::from_text("c", text).unwrap();
        let found = |ids: &[i64]| ids.iter().map(|id| (*id, None)).collect::<Vec<_>>();
        let ids = |config: &Config| config.watch_lists.iter().map(|list| list.id).collect();
        let all = config.with_discovered(&found(&[4, 5, 6]));
        let followed: Vec<i64> = ids(&all);
        assert_eq!(followed, [4, 6]);
        assert_eq!(all.watch_lists[0].name.as_deref(), Some("Ours"));
        assert!(all.names(4) && !all.names(6) && !all.names(5));
        // Lists that discovery no longer finds are dropped; configured lists stay.
        let followed: Vec<i64> = ids(&all.with_discovered(&found(&[7])));
        assert_eq!(followed, [4, 7]);
        let off = Config::from_text("c", "").unwrap();
        assert!(off.with_discovered(&found(&[4])).watch_lists.is_empty());
    }

    #[test]
    fn an_empty_list_of_lists_is_no_warning_where_they_are_discovered() {
        let warned = |text: &str| Config::from_text("c", text).unwrap().warnings().join("\n");
        assert!(warned("").contains("`[discovery] watch_lists = true`"));
        assert_eq!(warned("[discovery]\nwatch_lists = true"), "");
    }
}
