//! Detects which date filter upstream supports for tickets. The API documentation does not
//! say, and upstream ignores unknown filters and returns everything.

use super::page::PATH;
use crate::job::collection::filter::{count, works};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::DateFilter;

/// Detects the filter that works: it must return nothing for the far future and something
/// since 1970. `None` if there is no ticket to test with.
pub async fn discover(context: &Context) -> Result<Option<DateFilter>, Failure> {
    let Some(all) = count(context, PATH, None).await? else {
        return Ok(Some(DateFilter::None));
    };
    if all == 0 {
        return Ok(None);
    }
    for filter in [DateFilter::Modified, DateFilter::Created] {
        if works(context, PATH, filter.name()).await? {
            return Ok(Some(filter));
        }
    }
    Ok(Some(DateFilter::None))
}
