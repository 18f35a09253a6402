//! Detects which date filter upstream supports for tickets. The API documentation does not
//! say, and upstream ignores unknown filters and returns everything.

use super::page::PATH;
use crate::job::collection::filter::{count, works};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::DateFilter;

/// Detects the filter that works. `None` if there is no ticket to test with.
pub async fn discover(context: &Context) -> Result<Option<DateFilter>, Failure> {
    if count(context, PATH).await? == 0 {
        return Ok(None);
    }
    for filter in [DateFilter::Modified, DateFilter::Created] {
        if works(context, PATH, filter.name()).await? {
            return Ok(Some(filter));
        }
    }
    Ok(Some(DateFilter::None))
}
