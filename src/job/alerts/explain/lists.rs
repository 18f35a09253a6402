//! Lists of rules and outcomes, prepared for explanations.

use std::collections::HashMap;

use uuid::Uuid;

use crate::store::alerts::outcome::AlertOutcome;
use crate::store::alerts::rule::Definition;

/// The names of the current rules, or of the requested one.
pub(super) fn names(definitions: &[Definition], only: Option<&str>) -> Vec<String> {
    definitions
        .iter()
        .filter(|one| one.is_current)
        .map(|one| one.rule.name.clone())
        .filter(|name| only.is_none_or(|only| only == name))
        .collect()
}

pub(super) fn by_alert(outcomes: Vec<AlertOutcome>) -> HashMap<Uuid, Vec<AlertOutcome>> {
    let mut map = HashMap::<Uuid, Vec<AlertOutcome>>::new();
    for one in outcomes {
        map.entry(one.alert_id).or_default().push(one);
    }
    map
}
