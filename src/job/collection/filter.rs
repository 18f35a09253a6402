//! Tests a date filter: upstream ignores unknown filters and returns everything.

use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::Value;

use crate::http::{BodyType, ClientError, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::parse_time;
use crate::source::page::Page;

/// 2100-01-01: only what has a wrong time is that new.
const FAR_FUTURE: i64 = 4_102_444_800;

/// Whether a filter works: it must return something since 1970, and nothing for the far
/// future but some rows that have such a time. `stem` is its name without `__gte`.
pub(crate) async fn works(context: &Context, path: &str, stem: &str) -> Result<bool, Failure> {
    let name = format!("{stem}__gte");
    let Some(future) = first(context, path, Some((&name, FAR_FUTURE))).await? else {
        return Ok(false);
    };
    if future.count > 0 && !is_wrong_time(context, path, (&future, stem)).await? {
        return Ok(false);
    }
    let past = first(context, path, Some((&name, 0))).await?;
    Ok(past.is_some_and(|past| past.count > 0))
}

/// Whether what was returned for the far future are some rows with a wrong time.
async fn is_wrong_time(
    context: &Context,
    path: &str,
    (future, stem): (&Page, &str),
) -> Result<bool, Failure> {
    let far = Utc.timestamp_opt(FAR_FUTURE, 0).single();
    let is_future = |row: &Value| time(row, stem) >= far;
    let are_all = !future.results.is_empty() && future.results.iter().all(is_future);
    Ok(are_all && future.count < count(context, path).await?)
}

/// The newest time in a row under a name like that of the filter, `modified_date` for
/// `modified`.
fn time(row: &Value, stem: &str) -> Option<DateTime<Utc>> {
    let fields = row.as_object()?.iter();
    let times = fields.filter(|(name, _)| name.contains(stem));
    times
        .filter_map(|(_, value)| parse_time(value.as_str()?))
        .max()
}

/// The number of rows.
pub(crate) async fn count(context: &Context, path: &str) -> Result<u64, Failure> {
    let page = first(context, path, None).await?;
    Ok(page.map_or(0, |page| page.count))
}

/// A page of one row; `None` if upstream rejects the filter.
async fn first(
    context: &Context,
    path: &str,
    filter: Option<(&str, i64)>,
) -> Result<Option<Page>, Failure> {
    let mut request = Request::new(path, BodyType::Json).with("page_size", "1");
    if let Some((name, value)) = filter {
        request = request.with(name, value.to_string());
    }
    let response = context.client.get_whole(&request);
    let mut response = match context.or_stopped(response).await? {
        Err(ClientError::Refused { .. } | ClientError::NotFound { .. }) if filter.is_some() => {
            return Ok(None);
        }
        response => response?,
    };
    let body = response.bytes().await?;
    let mut page = Page::read(&body)?;
    match page.claim.take() {
        Some(claim) if page.results.is_empty() && response.rows.large.is_empty() => {
            Err(claim.into())
        }
        // The scan that follows uses the rows, and fails.
        _ => Ok(Some(page)),
    }
}
