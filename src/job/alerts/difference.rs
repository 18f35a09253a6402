//! What other rules would have sent, and these would not, and the reverse.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::back_test::BackTest;
use super::line::BackTestAlert;

/// An alert that a sink would have got by only one of two sets of rules.
#[derive(Debug, Clone, Serialize)]
pub struct Only {
    /// The rules that would have sent it, by name.
    pub rules: Vec<String>,
    /// The sink; `None` if the rules send to none.
    pub sink: Option<String>,
    /// The alert.
    #[serde(flatten)]
    pub alert: BackTestAlert,
}

/// The difference between two sets of rules.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RuleSetDifference {
    /// What only the old rules would have sent.
    pub removed: Vec<Only>,
    /// What only the new rules would have sent.
    pub added: Vec<Only>,
    /// How many alerts both would have sent.
    pub both: usize,
}

type Key = (DateTime<Utc>, String, String, Option<String>);

/// Compares what was replayed, and what is stored by publication date. The same event is the
/// same alert for a sink, whichever rule sends it there.
pub fn difference(old: &[BackTest], new: &[BackTest]) -> RuleSetDifference {
    let (old, new) = (events(old), events(new));
    let only = |these: &BTreeMap<Key, Only>, others: &BTreeMap<Key, Only>| {
        let missing = these.iter().filter(|(key, _)| !others.contains_key(*key));
        missing.map(|(_, only)| only.clone()).collect::<Vec<Only>>()
    };
    let removed = only(&old, &new);
    RuleSetDifference {
        both: old.len() - removed.len(),
        added: only(&new, &old),
        removed,
    }
}

fn events(all: &[BackTest]) -> BTreeMap<Key, Only> {
    let mut events: BTreeMap<Key, Only> = BTreeMap::new();
    for one in all {
        let replayed = one.messages.iter().flat_map(|message| &message.alerts);
        let replayed: Vec<&BackTestAlert> = replayed.collect();
        let published = one.published.iter().flat_map(|published| &published.lines);
        // What came as a change is not counted again by its publication.
        let published = published.filter(|line| {
            let mut known = replayed.iter();
            !known.any(|one| one.key == line.key && one.what == line.what)
        });
        for line in replayed.iter().copied().chain(published) {
            for sink in one.receivers() {
                let key = (line.at, line.key.clone(), line.what.clone(), sink.clone());
                let entry = events.entry(key).or_insert_with(|| Only {
                    rules: Vec::new(),
                    sink,
                    alert: line.clone(),
                });
                entry.rules.push(one.rule.clone());
            }
        }
    }
    events
}
