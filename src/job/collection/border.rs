//! The border between two pages of a collection. Rows that leave or join the collection
//! while it is read move the others: a row can move from the next page to one that was read
//! before, and the count of rows shows nothing if another one joined.

use std::collections::HashSet;

use serde_json::Value;

use crate::http::{RowHashes, SeenRows};
use crate::model::{Fingerprint, plain_fingerprint};
use crate::source::page::{Page, UnreadableRow};

/// What a page had when it was read.
#[derive(Clone, Default)]
pub(crate) struct PageContent {
    rows: HashSet<Fingerprint>,
    /// The ids of its rows, in their order; `None` if not all have one.
    ids: Option<Vec<i64>>,
    /// The bytes of its rows.
    bytes: SeenRows,
}

impl PageContent {
    pub(crate) fn of(page: &Page, received: &RowHashes) -> Self {
        let rows = page.results.iter().map(of_row);
        let unreadable = page.unreadable.iter().map(of_unreadable);
        let ids = page.results.iter().map(id).collect::<Option<Vec<i64>>>();
        Self {
            rows: rows.chain(unreadable).collect(),
            ids: ids.filter(|_| page.unreadable.is_empty() && received.large.is_empty()),
            bytes: SeenRows::new(received.taken.clone()),
        }
    }

    /// Adds another part of the page.
    pub(crate) fn add(&mut self, part: Self) {
        self.bytes = self.seen_with(&part);
        self.rows.extend(part.rows);
        self.ids = self.ids.take().zip(part.ids).map(|(mut ids, more)| {
            ids.extend(more);
            ids
        });
    }

    /// The rows of this page, by which they are left out of an answer.
    pub(crate) fn seen(&self) -> SeenRows {
        SeenRows::clone(&self.bytes)
    }

    /// The rows of both pages.
    pub(crate) fn seen_with(&self, other: &Self) -> SeenRows {
        SeenRows::new(self.bytes.union(&other.bytes).copied().collect())
    }

    /// Whether no row can have moved between this page and the next one: both are in the
    /// order of the ids, and no id is free between them.
    pub(crate) fn is_before(&self, next: &Self) -> bool {
        let (Some(ids), Some(next)) = (&self.ids, &next.ids) else {
            return false;
        };
        let (Some(last), Some(first)) = (ids.last(), next.first()) else {
            return false;
        };
        let is_order = |step: i64| {
            let both = ids.iter().chain(next);
            let follows = |(one, other): (&i64, &i64)| (other > one) == (step > 0) && one != other;
            both.clone().zip(both.skip(1)).all(follows) && last.checked_add(step) == Some(*first)
        };
        is_order(1) || is_order(-1)
    }

    /// Removes the rows that this page had from one that was read later.
    pub(crate) fn remove_from(&self, page: &mut Page) {
        page.results.retain(|row| !self.rows.contains(&of_row(row)));
        page.unreadable
            .retain(|row| !self.rows.contains(&of_unreadable(row)));
    }
}

fn of_row(row: &Value) -> Fingerprint {
    plain_fingerprint(row.to_string().as_bytes())
}

fn of_unreadable(row: &UnreadableRow) -> Fingerprint {
    plain_fingerprint(row.raw.as_bytes())
}

/// The ids of the rows whose id an earlier row has.
pub(super) fn repeats(rows: &[Value]) -> Vec<i64> {
    let mut known = HashSet::new();
    let ids = rows.iter().filter_map(id);
    ids.filter(|id| !known.insert(*id)).collect()
}

fn id(row: &Value) -> Option<i64> {
    match row.get("id")? {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

#[cfg(test)]
mod tests {
    use super::PageContent;

    fn page(ids: &[i64]) -> PageContent {
        PageContent {
            ids: Some(ids.to_vec()),
            ..PageContent::default()
        }
    }

    #[test]
    fn only_ids_in_order_without_a_gap_leave_no_room_for_a_row() {
        for (one, other, is_tight) in [
            (&[1, 2][..], &[3, 4][..], true),
            (&[1, 3], &[4, 9], true),
            (&[9, 7], &[6, 2], true),
            (&[5], &[6], true),
            (&[1, 2], &[4, 5], false),
            (&[9, 7], &[5, 2], false),
            (&[2, 1], &[2, 3], false),
            (&[1, 2], &[3, 2], false),
            (&[1, 1], &[2, 3], false),
            (&[1, 2], &[1, 0], false),
            (&[i64::MAX], &[i64::MIN], false),
            (&[], &[1], false),
            (&[1], &[], false),
        ] {
            let found = page(one).is_before(&page(other));
            assert_eq!(found, is_tight, "{one:?} {other:?}");
        }
        assert!(!PageContent::default().is_before(&page(&[1])));
    }
}
