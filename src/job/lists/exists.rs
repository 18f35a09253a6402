//! Checks that a watch list exists upstream, before the JSON API takes its feed's place.

use super::scan::{PATH, ask};
use crate::http::{BodyType, ClientError, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ListedList, shortened};

/// How many of the account's lists an error names.
const MAX_NAMED: usize = 20;
/// Maximum length of a name in an error, in characters.
const MAX_NAME_CHARS: usize = 60;

/// Fails with [`Failure::NoSuchList`] if upstream has no such list. An account that may
/// not read watch lists shows nothing about them, so the list is assumed to exist.
pub(crate) async fn require(context: &Context, id: i64) -> Result<(), Failure> {
    let request = Request::new(format!("{PATH}{id}/"), BodyType::JsonObject);
    let response = context.client.get_whole(&request);
    match context.or_stopped(response).await? {
        Ok(_) | Err(ClientError::Forbidden { .. }) => return Ok(()),
        Err(ClientError::NotFound { .. }) => {}
        Err(error) if error.is_too_large() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match ask(context).await {
        Ok(listing) if listing.lists.iter().any(|list| list.id == id) => Ok(()),
        // It may be one of those without an id.
        Ok(listing) if listing.unreadable > 0 => Ok(()),
        Ok(listing) => Err(Failure::NoSuchList {
            id,
            known: names(&listing.lists),
        }),
        // There is no such resource: its status says nothing about the list.
        Err(Failure::Upstream(ClientError::Forbidden { .. } | ClientError::NotFound { .. })) => {
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

/// The account's lists, for an error.
fn names(lists: &[ListedList]) -> String {
    if lists.is_empty() {
        return "this account has no watch lists".to_owned();
    }
    let names = lists.iter().take(MAX_NAMED).map(|list| match &list.name {
        Some(name) => format!("{} (`{}`)", list.id, shortened(name, MAX_NAME_CHARS)),
        None => list.id.to_string(),
    });
    let names: Vec<String> = names.collect();
    let more = match lists.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("this account has {}{more}", names.join(", "))
}
