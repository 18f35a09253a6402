//! Reads all watch lists of the account, page by page.

use crate::http::Staleness;
use crate::job::collection::whole::{self, Whole};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ListedList, one_line, shortened};
use crate::source::asset_list;

/// Path of the watch lists.
pub(super) const PATH: &str = "/api/asset-lists/";
/// More lists than any account has; each costs at least one request per tick.
const MAX_LISTS: usize = 1000;
/// Maximum length of a row in a message, in characters.
const MAX_SAMPLE_CHARS: usize = 200;

/// What upstream says of its watch lists.
#[derive(Debug)]
pub struct Listing {
    /// The lists that can be followed.
    pub lists: Vec<ListedList>,
    /// Rows without an id, which cannot be followed.
    pub unreadable: usize,
    /// The first of them.
    sample: String,
    /// Lists with several rows that differ.
    repeated: Vec<i64>,
    /// How old the oldest page is.
    pub(super) staleness: Staleness,
}

impl Listing {
    /// Why it is incomplete, if it is.
    pub fn failure(&self) -> Option<Failure> {
        if let Some(first) = self.repeated.first() {
            return Some(Failure::ListsDiffer {
                first: *first,
                repeated: self.repeated.len(),
            });
        }
        (self.unreadable > 0).then(|| Failure::ListsWithoutId {
            unreadable: self.unreadable,
            listed: self.lists.len() + self.unreadable,
            sample: self.sample.clone(),
        })
    }
}

/// Requests all watch lists; writes nothing.
pub async fn ask(context: &Context) -> Result<Listing, Failure> {
    let read = |row: &_| asset_list::read(row).map(|list| (list.id, list));
    let Whole {
        rows,
        unreadable,
        sample,
        repeated,
        staleness,
        ..
    } = whole::read(context, PATH, "watch lists", read).await?;
    if rows.len() > MAX_LISTS {
        return Err(Failure::TooManyLists { limit: MAX_LISTS });
    }
    let sample = one_line(&sample.unwrap_or_default());
    Ok(Listing {
        lists: rows.into_values().collect(),
        unreadable,
        staleness,
        repeated: repeated.into_iter().collect(),
        sample: shortened(&sample, MAX_SAMPLE_CHARS),
    })
}
