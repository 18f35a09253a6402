//! Rules that are valid but probably unintended.

use std::collections::{BTreeMap, BTreeSet};

use super::setting_error::quoted;
use crate::model::filter::{StringComparison, WatchListTest, parse_filter};
use crate::model::{Clause, Matcher, Rule};

/// What others say of the followed watch lists: upstream, or the database.
#[derive(Debug, Clone, Default)]
pub struct ListNames {
    /// Upstream's names, by id. The name in the configuration takes precedence.
    pub names: BTreeMap<i64, String>,
    /// Whether the configuration has all lists that discovery finds now.
    pub has_discovered: bool,
}

/// What is known of the followed watch lists.
pub(super) struct Lists {
    /// The ids of all of them, if known.
    pub ids: Option<BTreeSet<i64>>,
    /// The names of all of them by their lower case, if known.
    pub names: Option<BTreeMap<String, String>>,
}

/// Settings that are valid but probably unintended, one sentence each.
pub(super) fn warnings(rules: &[Matcher]) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in rules.iter().map(Matcher::rule) {
        // The token may have been pasted there.
        let name = quoted(&rule.name);
        if rule.sinks.is_empty() && !rule.shadow {
            warnings.push(format!(
                "rule `{name}` has no sinks: its alerts are recorded but not sent; add `sinks`, or set `shadow = true` if that is intended"
            ));
        }
        if rule.clock.ticket_open_for.is_some() && !rule.names_ticket_status() {
            warnings.push(format!(
                "rule `{name}` has `ticket_open_for` and no `ticket_status`: closed tickets count, too, until they are deleted; set `[tickets] closed_statuses`, or list the statuses that mean open, or those that mean closed in `not`"
            ));
        }
        if let Some(clause) = of_no_ticket(rule) {
            let clause = clause.name();
            warnings.push(format!(
                "rule `{name}` has `{clause}`, but no event of tickets in `on`: the clause applies to tickets only and is ignored; remove it, or add an event such as `ticket_status`"
            ));
        }
    }
    warnings
}

/// A clause about tickets in a rule that gets none.
fn of_no_ticket(rule: &Rule) -> Option<Clause> {
    let has_event = rule.on.iter().any(|kind| kind.is_of_tickets());
    if rule.clock.ticket_open_for.is_some() || has_event {
        return None;
    }
    let mut all = std::iter::once(&rule.clauses).chain(&rule.not);
    all.find_map(|clauses| clauses.set().into_iter().find(|one| one.is_of_tickets()))
}

/// Rules that require watch lists that are not followed, one sentence each.
pub(super) fn unknown_lists(rules: &[Matcher], lists: &Lists) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in rules.iter().map(Matcher::rule) {
        let clauses = &rule.clauses;
        let (ids, names) = lists.unknown(&clauses.watch_lists, &clauses.watch_list_names);
        let wanted = clauses.watch_lists.len() + clauses.watch_list_names.len();
        let effect = if ids.len() + names.len() == wanted {
            "it can never match"
        } else {
            "it can never match advisories of that list"
        };
        warnings.extend(lists.sentences(rule, (ids, names), effect));
        let (ids, names) = of_filter(rule);
        let unknown = lists.unknown(&ids, &names);
        let effect = "this part of `where` can never match";
        warnings.extend(lists.sentences(rule, unknown, effect));
    }
    warnings
}

/// The lists that the filter of a rule names.
fn of_filter(rule: &Rule) -> (Vec<i64>, Vec<String>) {
    let filter = rule.clauses.filter.as_deref();
    let filter = filter.and_then(|text| parse_filter(text).ok());
    let (mut ids, mut names) = (Vec::new(), Vec::new());
    for test in filter.iter().flat_map(|filter| filter.watch_lists()) {
        match test {
            WatchListTest::Id(id) => ids.push(*id),
            WatchListTest::Name(StringComparison::Equal, name) => names.push(name.clone()),
            WatchListTest::Name(StringComparison::Contains, _) => {}
        }
    }
    (ids, names)
}

impl Lists {
    /// Those that are certainly not followed.
    fn unknown(&self, ids: &[i64], names: &[String]) -> (Vec<i64>, Vec<String>) {
        let is_unknown = |id: &i64| self.ids.as_ref().is_some_and(|known| !known.contains(id));
        let has_no_list = |name: &String| {
            let known = self.names.as_ref();
            known.is_some_and(|known| !known.contains_key(&name.to_lowercase()))
        };
        (
            ids.iter().copied().filter(is_unknown).collect(),
            names
                .iter()
                .filter(|name| has_no_list(name))
                .cloned()
                .collect(),
        )
    }

    fn sentences(
        &self,
        rule: &Rule,
        (ids, names): (Vec<i64>, Vec<String>),
        effect: &str,
    ) -> Vec<String> {
        let rule = quoted(&rule.name);
        let known = self.known();
        let ids = ids.into_iter().map(|id| {
            format!(
                "rule `{rule}` names watch list {id}, which is not followed: {effect}; add it under `[[watch_lists]]`, or remove it from the rule"
            )
        });
        let names = names.iter().map(|name| {
            let name = quoted(name);
            format!(
                "rule `{rule}` names the watch list `{name}`, but no followed list has this name: {effect}; {known}"
            )
        });
        ids.chain(names).collect()
    }
    /// The names that a rule can use.
    fn known(&self) -> String {
        let names = self.names.iter().flat_map(BTreeMap::values);
        let names: Vec<String> = names.map(|name| quoted(name)).collect();
        if names.is_empty() {
            "no list is followed".to_owned()
        } else {
            format!("known: {}", names.join(", "))
        }
    }
}
