//! Rows without a key. Where pages repeat rows, one that is received twice is still one
//! row: counted twice, it would hide a row that is missing.

use std::collections::HashMap;

use crate::model::Fingerprint;

/// The rows without a key that were received.
#[derive(Debug, Default)]
pub(crate) struct Unnamed {
    /// How often each occurs on the page that has it most often: rows of one page that are
    /// alike are different rows.
    most: HashMap<Fingerprint, u64>,
}

impl Unnamed {
    /// Adds those of a page.
    pub(crate) fn add_page(&mut self, rows: impl IntoIterator<Item = Fingerprint>) {
        let mut here: HashMap<Fingerprint, u64> = HashMap::new();
        for row in rows {
            *here.entry(row).or_default() += 1;
        }
        for (row, count) in here {
            let most = self.most.entry(row).or_default();
            *most = count.max(*most);
        }
    }

    /// The number of different ones.
    pub(crate) fn count(&self) -> u64 {
        self.most.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Unnamed;

    #[test]
    fn a_row_on_two_pages_is_one_row_and_two_on_one_page_are_two() {
        let (one, other) = ([1; 16], [2; 16]);
        let mut rows = Unnamed::default();
        rows.add_page([one]);
        rows.add_page([one, one, other]);
        rows.add_page([other, one]);
        assert_eq!(rows.count(), 3);
    }
}
