//! How many alerts of a dry run there are only because a value is unknown.

use std::collections::BTreeMap;

use serde::Serialize;

/// Alerts that there are only because a value is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// Their number.
    pub alerts: usize,
    /// The same by clause or field; an alert may lack several.
    pub values: BTreeMap<&'static str, usize>,
}

impl Unknown {
    /// Counts one that lacks these; none if it lacks nothing.
    pub(super) fn add(&mut self, values: &[&'static str]) {
        self.alerts += usize::from(!values.is_empty());
        for value in values {
            *self.values.entry(*value).or_default() += 1;
        }
    }
}
