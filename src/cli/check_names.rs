//! The part of `check` that compares the names of watch lists with upstream's: a wrong id
//! would give its alerts the name of another list.

use super::finding::Finding;
use crate::config::Config;
use crate::model::ListedList;

/// Whether names of the configuration can be compared.
pub(super) fn has_names(config: &Config) -> bool {
    let mut lists = config.watch_lists.iter();
    lists.any(|list| list.name.is_some() && !list.discovered)
}

/// A warning for each list that upstream gives another name than the configuration.
pub(super) fn differing(config: &Config, listed: &[ListedList]) -> Vec<Finding> {
    let named = config.watch_lists.iter().filter(|list| !list.discovered);
    named
        .filter_map(|list| {
            let ours = list.name.as_deref()?;
            let theirs = listed.iter().find(|one| one.id == list.id)?.name.as_deref()?;
            let is_same = ours.trim().to_lowercase() == theirs.trim().to_lowercase();
            (!is_same).then(|| {
                Finding::warning(
                    format!("watch list {}", list.id),
                    format!(
                        "the configuration names it `{ours}`, upstream `{theirs}`; alerts and tables show the name of the configuration: check the ID"
                    ),
                )
            })
        })
        .collect()
}
