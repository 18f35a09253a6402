//! Rules that are valid but probably unintended.

use std::collections::BTreeSet;

use super::setting_error::quoted;
use crate::model::filter::{Comparison, WatchListTest, parse_filter};
use crate::model::{ChangeKind, Clause, Matcher, Rule};

/// What the configuration says of the followed watch lists.
pub(super) struct Lists {
    /// The ids of all of them, if known.
    pub ids: Option<BTreeSet<i64>>,
    /// The names of all of them in lower case, if known.
    pub names: Option<BTreeSet<String>>,
}

/// Settings that are valid but probably unintended, one sentence each.
pub(super) fn warnings(rules: &[Matcher], lists: &Lists) -> Vec<String> {
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
        warnings.extend(unknown_lists(rule, lists));
    }
    warnings
}

/// A clause about tickets in a rule that gets none.
fn of_no_ticket(rule: &Rule) -> Option<Clause> {
    let is_event = |kind: &ChangeKind| kind.name().starts_with("ticket_");
    if rule.clock.ticket_open_for.is_some() || rule.on.iter().any(is_event) {
        return None;
    }
    let mut all = std::iter::once(&rule.clauses).chain(&rule.not);
    all.find_map(|clauses| clauses.set().into_iter().find(|one| one.is_of_tickets()))
}

/// Watch lists that no rule can match.
fn unknown_lists(rule: &Rule, lists: &Lists) -> Vec<String> {
    let name = quoted(&rule.name);
    let filter = rule.clauses.filter.as_deref();
    let filter = filter.and_then(|text| parse_filter(text).ok());
    let mut ids = rule.clauses.watch_lists.clone();
    let mut names = Vec::new();
    for test in filter.iter().flat_map(|filter| filter.watch_lists()) {
        match test {
            WatchListTest::Id(id) => ids.push(*id),
            WatchListTest::Name(Comparison::Equal, name) => names.push(name.clone()),
            WatchListTest::Name(Comparison::Contains, _) => {}
        }
    }
    let unknown = ids.into_iter().filter(|id| {
        let known = lists.ids.as_ref();
        known.is_some_and(|known| !known.contains(id))
    });
    let mut warnings: Vec<String> = unknown
        .map(|id| {
            format!(
                "rule `{name}` requires watch list {id}, which is not followed; add it under `[[watch_lists]]`"
            )
        })
        .collect();
    let Some(known) = &lists.names else {
        return warnings;
    };
    for list in names.iter().filter(|list| !known.contains(*list)) {
        let all: Vec<&str> = known.iter().map(String::as_str).collect();
        warnings.push(format!(
            "rule `{name}` requires the watch list `{}`, but no followed list has this name; known: {}",
            quoted(list),
            all.join(", ")
        ));
    }
    warnings
}
