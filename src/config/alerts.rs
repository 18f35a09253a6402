use std::collections::BTreeSet;

use super::rules;
use super::section::Section;
use crate::model::Matcher;

/// `[alerts]`: who is told of what.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    /// `[[alerts.rules]]`, compiled, with unique names.
    pub rules: Vec<Matcher>,
}

impl Alerts {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let sinks: BTreeSet<String> = BTreeSet::new();
        let rules = rules::rules(&mut section, &sinks);
        section.close();
        Self { rules }
    }

    /// Names of the sinks that keep alerts until they are told that they are over.
    pub fn resolving_sinks(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}
