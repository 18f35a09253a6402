//! The part of `check` that compares the names of watch lists with upstream's: a wrong id
//! would give its alerts the name of another list. It also names the lists that are not followed.

use super::finding::CheckResult;
use crate::config::Config;
use crate::model::{ListedList, counted};

/// Lists named at most.
const MOST: usize = 8;

/// The lists of the account that nothing follows; `None` if all are followed.
pub(super) fn not_followed(config: &Config, listed: &[ListedList]) -> Option<CheckResult> {
    let is_new = |list: &&ListedList| {
        let is_excluded = config.unfollowed.contains(&list.id);
        list.enabled && !is_excluded && !config.names(list.id)
    };
    let others: Vec<String> = listed
        .iter()
        .filter(is_new)
        .map(|list| match &list.name {
            Some(name) => format!("{} \"{name}\"", list.id),
            None => list.id.to_string(),
        })
        .collect();
    let more = others.len().saturating_sub(MOST);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!others.is_empty()).then(|| {
        let named: Vec<&str> = others.iter().take(MOST).map(String::as_str).collect();
        let named = named.join(", ");
        let text = format!(
            "{} of this account {} not followed: {named}{more}; to follow them, add them under [[watch_lists]], or set [discovery] watch_lists = true",
            counted(others.len(), "watch list"),
            if others.len() == 1 { "is" } else { "are" }
        );
        CheckResult::good("watch lists", text)
    })
}

/// A warning for each list that upstream gives another name than the configuration.
pub(super) fn differing(config: &Config, listed: &[ListedList]) -> Vec<CheckResult> {
    let named = config.watch_lists.iter().filter(|list| !list.discovered);
    named
        .filter_map(|list| {
            let ours = list.name.as_deref()?;
            let theirs = listed
                .iter()
                .find(|one| one.id == list.id)?
                .name
                .as_deref()?;
            let is_same = ours.trim().to_lowercase() == theirs.trim().to_lowercase();
            (!is_same).then(|| {
                CheckResult::warning(
                    format!("watch list {}", list.id),
                    format!("named \"{ours}\" here, \"{theirs}\" upstream; compare the ID"),
                )
            })
        })
        .collect()
}
