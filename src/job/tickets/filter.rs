//! Which date filter does upstream honour on tickets? Nobody has written it
//! down, and an unknown filter is ignored and returns everything (contract §4).

use super::page::PATH;
use crate::http::{ClientError, Kind, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::DateFilter;
use crate::source::page::Page;

/// 2100-01-01: no ticket is from then on.
const FAR_FUTURE: &str = "4102444800";
const EPOCH: &str = "0";

/// Finds out which filter works: it must find nothing in the far future and
/// something since 1970. `None` when there is no ticket to tell by.
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

/// How many tickets a filter finds; `None` when upstream refuses the filter.
async fn count(context: &Context, filter: Option<(&str, &str)>) -> Result<Option<u64>, Failure> {
    let mut query = vec![("page_size".to_owned(), "1".to_owned())];
    query.extend(filter.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let request = Request {
        path: PATH.to_owned(),
        query,
        kind: Kind::Json,
    };
    let asked = context.client.get_whole(&request);
    let mut answer = match context.or_stopped(asked).await? {
        Err(ClientError::Refused { .. } | ClientError::NotFound { .. }) if filter.is_some() => {
            return Ok(None);
        }
        answer => answer?,
    };
    let body = answer.bytes().await?;
    Ok(Some(Page::read(&body)?.count))
}
