//! Reads all watch lists of the account, page by page.

use tracing::warn;

use crate::job::collection::whole::{self, Whole};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ListedList, counted};
use crate::source::asset_list;

/// Path of the watch lists.
pub(super) const PATH: &str = "/api/asset-lists/";
/// More lists than any account has; each costs at least one request per tick.
const MAX_LISTS: usize = 1000;

/// Requests all watch lists; writes nothing.
pub async fn ask(context: &Context) -> Result<Vec<ListedList>, Failure> {
    let read = |row: &_| asset_list::read(row).map(|list| (list.id, list));
    let Whole { rows, unreadable } = whole::read(context, PATH, "watch lists", read).await?;
    if rows.len() > MAX_LISTS {
        return Err(Failure::TooManyLists { limit: MAX_LISTS });
    }
    if unreadable > 0 {
        warn!(
            unreadable,
            "discovery: not followed, because they have no id: {}",
            counted(unreadable, "watch list")
        );
    }
    Ok(rows.into_values().collect())
}
