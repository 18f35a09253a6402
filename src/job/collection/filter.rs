//! Tests a date filter: upstream ignores unknown filters and returns everything.

use crate::http::{ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::source::page::Page;

/// 2100-01-01: nothing is that new.
const FAR_FUTURE: &str = "4102444800";
const EPOCH: &str = "0";

/// Whether a filter works: it must return nothing for the far future and something since
/// 1970. `stem` is its name without `__gte`.
pub(crate) async fn works(context: &Context, path: &str, stem: &str) -> Result<bool, Failure> {
    let name = format!("{stem}__gte");
    let future = count(context, path, Some((&name, FAR_FUTURE))).await?;
    if future != Some(0) {
        return Ok(false);
    }
    let past = count(context, path, Some((&name, EPOCH))).await?;
    Ok(past.is_some_and(|past| past > 0))
}

/// The number of rows with a filter; `None` if upstream rejects the filter.
pub(crate) async fn count(
    context: &Context,
    path: &str,
    filter: Option<(&str, &str)>,
) -> Result<Option<u64>, Failure> {
    let mut query = vec![("page_size".to_owned(), "1".to_owned())];
    query.extend(filter.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let request = Request {
        path: path.to_owned(),
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
        Some(claim) if page.results.is_empty() && response.rows.large.is_empty() => {
            Err(claim.into())
        }
        // The scan that follows uses the rows, and fails.
        _ => Ok(Some(page.count)),
    }
}
