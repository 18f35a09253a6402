//! Checks that a watch list exists upstream, before the JSON API takes its feed's place.

use super::scan::{PATH, ask};
use crate::http::{BodyType, ClientError, Request};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ListedList, chain, shortened};

/// How many of the account's lists an error names.
const MAX_NAMED: usize = 20;
/// Maximum length of a name in an error, in characters.
const MAX_NAME_CHARS: usize = 60;

/// Whether a watch list exists upstream, as far as this account may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Existence {
    /// Upstream shows it.
    Shown,
    /// Upstream shows nothing about it.
    NotShown {
        /// What was requested, and what was answered.
        why: String,
    },
}

/// Asks for a watch list; `was_shown` = former runs, or its feed, have shown it.
///
/// # Errors
/// [`Failure::NoSuchList`] if upstream does not have it, and any failure after which no other
/// request would be answered.
pub(crate) async fn find(
    context: &Context,
    id: i64,
    was_shown: bool,
) -> Result<Existence, Failure> {
    let request = Request::new(format!("{PATH}{id}/"), BodyType::JsonObject);
    let response = context.client.get_whole(&request);
    let error = match context.or_stopped(response).await? {
        Ok(_) => return Ok(Existence::Shown),
        Err(error) if error.is_too_large() => return Ok(Existence::Shown),
        Err(error @ (ClientError::NotFound { .. } | ClientError::Forbidden { .. })) => error,
        Err(error) => return Err(error.into()),
    };
    let is_missing = matches!(error, ClientError::NotFound { .. });
    let not_shown = |more: String| Existence::NotShown {
        why: format!("{}; {more}", chain(&error)),
    };
    match ask(context).await {
        Ok(listing) if listing.lists.iter().any(|list| list.id == id) => Ok(Existence::Shown),
        Ok(listing) if listing.unreadable > 0 => {
            let rows = listing.unreadable;
            let more = format!("{rows} of the account's lists came without an id");
            Ok(not_shown(more))
        }
        Ok(listing) if is_missing => Err(Failure::NoSuchList {
            id,
            known: names(&listing.lists),
        }),
        // The account may see only some of the lists.
        Ok(listing) => Ok(not_shown(names(&listing.lists))),
        Err(failure) if !is_about_lists(&failure) => Err(failure),
        Err(failure) if is_missing && !was_shown => Err(Failure::NoSuchList {
            id,
            known: format!("the account's lists cannot be read ({})", failure.chain()),
        }),
        // The account had it: perhaps there are no entries of lists any more.
        Err(failure) => Ok(not_shown(failure.chain())),
    }
}

/// Whether a failure says something about the list of lists, and not about the token, the
/// budget, the network or the database.
fn is_about_lists(failure: &Failure) -> bool {
    let Failure::Upstream(error) = failure else {
        return !matches!(
            failure,
            Failure::Stopped | Failure::Lost | Failure::Store(_)
        );
    };
    !matches!(
        error,
        ClientError::TokenRejected { .. }
            | ClientError::Throttled { .. }
            | ClientError::DailyBudget { .. }
            | ClientError::Network { .. }
            | ClientError::Timeout { .. }
            | ClientError::TooSlow { .. }
            | ClientError::Certificates { .. }
            | ClientError::ClockSkew { .. }
    )
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
