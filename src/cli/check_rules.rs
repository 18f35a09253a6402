//! The part of `check` that looks at the alert rules: last, because upstream and the database
//! know names of watch lists that the configuration lacks.

use super::finding::{CheckResult, Reporter};
use crate::config::{Config, ListNames};
use crate::job::lists::discover;
use crate::model::ListedList;
use crate::store::reports::named_list::NamedList;

/// What upstream and the database say of the watch lists.
#[derive(Default)]
pub(super) struct Seen {
    others: ListNames,
    /// The configuration with all lists that discovery finds now.
    followed: Option<Config>,
}

impl Seen {
    /// Adds the names that are stored.
    pub(super) fn stored(&mut self, lists: Vec<NamedList>) {
        let names = lists.into_iter().map(|list| (list.id, list.name));
        self.others.names.extend(names);
    }

    /// Adds a complete response of upstream, which is newer than what is stored.
    pub(super) fn listed(&mut self, config: &Config, lists: &[ListedList]) {
        let name = |list: &ListedList| Some((list.id, list.name.clone()?));
        self.others.names.extend(lists.iter().filter_map(name));
        self.others.has_discovered = true;
        self.followed = Some(config.with_discovered(&discover::enabled(lists)));
    }
}

/// How many rules there are, or which of them require lists that are not followed.
pub(super) fn report(config: &Config, seen: &Seen, reporter: &mut Reporter) {
    let config = seen.followed.as_ref().unwrap_or(config);
    let unmatched = config.rules_of_unknown_lists(&seen.others);
    let rules = config.alerts.rules.len();
    if rules > 0 && unmatched.is_empty() {
        let says = format!("{rules}; dry-run them with `advisoryd rules test`");
        reporter.report(CheckResult::good("alert rules", says));
    }
    for one in unmatched {
        reporter.report(CheckResult::bad("alert rules", one));
    }
}
