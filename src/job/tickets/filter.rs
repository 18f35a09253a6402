//! Detects which date filter upstream supports for tickets. The API documentation does not
//! say, and upstream ignores unknown filters and returns everything.

use super::page::PATH;
use crate::http::{ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::DateFilter;
use crate::source::page::Page;

/// 2100-01-01: no ticket is that new.
const FAR_FUTURE: &str = "4102444800";
const EPOCH: &str = "0";

/// Detects the filter that works: it must return nothing for the far future and something
/// since 1970. `None` if there is no ticket to test with.
pub async fn discover(context: &Context) -> Result<Option<DateFilter>, Failure> {
    let Some(all) = count(context, None).await? else {
        return Ok(Some(DateFilter::None));
    };
    if all == 0 {
        return Ok(None);
    }
    for filter in [DateFilter::Modified, DateFilter::Created] {
        let name = format!("{}__gte", filter.name());
        let future = count(context, Some((&name, FAR_FUTURE))).await?;
        if future != Some(0) {
            continue;
        }
        let past = count(context, Some((&name, EPOCH))).await?;
        if past.is_some_and(|past| past > 0) {
            return Ok(Some(filter));
        }
    }
    Ok(Some(DateFilter::None))
}

/// The number of tickets with a filter; `None` if upstream rejects the filter.
async fn count(context: &Context, filter: Option<(&str, &str)>) -> Result<Option<u64>, Failure> {
    let mut query = vec![("page_size".to_owned(), "1".to_owned())];
    query.extend(filter.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let request = Request {
        path: PATH.to_owned(),
        query,
        kind: Kind::Json,
    };
    let response = context.client.get_whole(&request);
    let mut response = match context.or_stopped(response).await? {
        Err(ClientError::Refused { .. } | ClientError::NotFound { .. }) if filter.is_some() => {
            return Ok(None);
        }
        response => response?,
    };
    let body = response.bytes().await?;
    let page = Page::read(&body)?;
    match page.claim {
        Some(claim) if page.results.is_empty() => Err(claim.into()),
        // The scan that follows uses the rows, and fails.
        _ => Ok(Some(page.count)),
    }
}
