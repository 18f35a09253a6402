//! Watch lists of upstream, and how they changed since the last discovery.

use std::cmp::Ordering;

/// A watch list that upstream listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedList {
    /// Upstream's id.
    pub id: i64,
    /// Upstream's name.
    pub name: Option<String>,
    /// A disabled list is not followed.
    pub enabled: bool,
}

/// Of two rows with the same id, the one that is followed is greater.
impl Ord for ListedList {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |list: &Self| (list.id, list.enabled, list.name.clone());
        order(self).cmp(&order(other))
    }
}

impl PartialOrd for ListedList {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How a list changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListChange {
    /// New, or listed again.
    Appeared,
    /// Renamed.
    Renamed,
    /// Enabled again.
    Enabled,
    /// Disabled.
    Disabled,
    /// No longer listed by upstream.
    Vanished,
}

/// The changes from the `known` lists to the current ones, by id. Each change has
/// the list as it is now, or as it was last.
pub fn compare(known: &[ListedList], listed: &[ListedList]) -> Vec<(ListedList, ListChange)> {
    let mut changes = Vec::new();
    for list in listed {
        let Some(before) = known.iter().find(|known| known.id == list.id) else {
            changes.push((list.clone(), ListChange::Appeared));
            continue;
        };
        if before.name != list.name {
            changes.push((list.clone(), ListChange::Renamed));
        }
        match (before.enabled, list.enabled) {
            (false, true) => changes.push((list.clone(), ListChange::Enabled)),
            (true, false) => changes.push((list.clone(), ListChange::Disabled)),
            _ => {}
        }
    }
    let is_gone = |known: &&ListedList| listed.iter().all(|list| list.id != known.id);
    let gone = known.iter().filter(is_gone);
    changes.extend(gone.map(|list| (list.clone(), ListChange::Vanished)));
    changes
}

/// The lists that were enabled before and are now disabled or no longer listed.
pub fn lost(changes: &[(ListedList, ListChange)]) -> Vec<i64> {
    changes
        .iter()
        .filter(|(list, change)| match change {
            ListChange::Disabled => true,
            ListChange::Vanished => list.enabled,
            ListChange::Appeared | ListChange::Renamed | ListChange::Enabled => false,
        })
        .map(|(list, _)| list.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ListChange, ListedList, compare, lost};

    fn list(id: i64, name: &str, enabled: bool) -> ListedList {
        ListedList {
            id,
            name: Some(name.to_owned()),
            enabled,
        }
    }

    #[test]
    fn each_change_of_a_list_is_reported_once() {
        let known = [
            list(1, "same", true),
            list(2, "old", true),
            list(3, "off", true),
            list(4, "gone", true),
            list(5, "gone and off", false),
            list(6, "back", false),
        ];
        let listed = [
            list(1, "same", true),
            list(2, "new", true),
            list(3, "off", false),
            list(6, "back", true),
            list(7, "first", true),
        ];
        let changes = compare(&known, &listed);
        let sent: Vec<(i64, &ListChange)> =
            changes.iter().map(|(list, what)| (list.id, what)).collect();
        assert_eq!(
            sent,
            [
                (2, &ListChange::Renamed),
                (3, &ListChange::Disabled),
                (6, &ListChange::Enabled),
                (7, &ListChange::Appeared),
                (4, &ListChange::Vanished),
                (5, &ListChange::Vanished),
            ]
        );
        assert_eq!(lost(&changes), [3, 4], "a disabled list is not lost");
    }
}
