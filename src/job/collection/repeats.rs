//! Rows of one response that have the same id. Where upstream's total count counts each of
//! them, the number of different rows never reaches it.
//!
//! Rows that move between pages come twice on two pages, not on one: these do not count here,
//! and hide no row that is missing.

use std::collections::HashMap;

use tracing::warn;

use crate::model::counted;

/// How many ids are named.
const MOST: usize = 3;

/// The ids that a page has more than once.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// The rows beyond the first one, on the page that has most of them.
    more: HashMap<i64, u64>,
}

impl Repeats {
    /// Adds those of a page: its rows whose id an earlier one has.
    pub(crate) fn add_page(&mut self, ids: &[i64]) {
        let mut here: HashMap<i64, u64> = HashMap::new();
        for id in ids {
            *here.entry(*id).or_default() += 1;
        }
        for (id, count) in here {
            let most = self.more.entry(id).or_default();
            *most = count.max(*most);
        }
    }

    /// Rows beyond the different ones.
    pub(crate) fn count(&self) -> u64 {
        self.more.values().sum()
    }

    /// The number of rows that counts: the different ones, unless upstream's count is that
    /// of all of them, which is then reported. Whether one of them stands in the place of
    /// another row cannot be seen.
    pub(crate) fn received(&self, different: u64, claimed: u64, collection: &str) -> u64 {
        if different >= claimed || different + self.count() != claimed {
            return different;
        }
        let mut ids: Vec<i64> = self.more.keys().copied().collect();
        ids.sort_unstable();
        let named = ids.iter().take(MOST).map(i64::to_string);
        let named: Vec<String> = named.collect();
        let others = if ids.len() > MOST { ", …" } else { "" };
        warn!(
            claimed,
            received = different,
            "{collection}: upstream counts {claimed} and returned only {different} different ones; {} had the id of another row on the same page (ids {}{others}). The run counts as complete. If upstream left out other rows, the next full scan finds them",
            counted(self.count(), "row"),
            named.join(", ")
        );
        claimed
    }
}

#[cfg(test)]
mod tests {
    use super::Repeats;

    #[test]
    fn repeats_count_only_where_they_are_all_that_the_count_lacks() {
        let mut repeats = Repeats::default();
        repeats.add_page(&[1, 1]);
        repeats.add_page(&[1, 2]);
        for (different, claimed, received) in
            [(5, 8, 8), (5, 7, 5), (5, 9, 5), (5, 5, 5), (6, 5, 6)]
        {
            let found = repeats.received(different, claimed, "rows");
            assert_eq!(found, received, "{different} of {claimed}");
        }
    }
}
