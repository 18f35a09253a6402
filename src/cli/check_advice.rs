//! The part of `check` that says what to do about a request that failed.

use crate::http::ClientError;
use crate::job::failure::Failure;
use crate::model::chain;

/// Whether no other request would be answered, either.
pub(super) fn is_useless(error: &ClientError) -> bool {
    match error {
        ClientError::TokenRejected { .. } => true,
        ClientError::Network { source, .. } => source.is_connect(),
        _ => false,
    }
}

/// An error of a request, and what to do. Errors that name a setting say it themselves.
pub(super) fn advice(error: &ClientError) -> String {
    let says = chain(error);
    // Upstream's text may end as a sentence does.
    let says = says.trim_end_matches('.');
    let advice = match error {
        ClientError::TokenRejected { .. } => {
            "create a new token in Flexera's web interface, write it to the file of [upstream] token_file, and run `systemctl restart advisoryd`"
        }
        ClientError::NotFound { .. } => {
            "check that the watch list exists and that this account may read it"
        }
        ClientError::Forbidden { .. } => "check that this account is licensed for the API",
        ClientError::Network { .. } | ClientError::Timeout { .. } => {
            "check [upstream] base_url and proxy, name resolution and the firewall"
        }
        ClientError::Html { .. } | ClientError::WrongType { .. } => {
            "check [upstream] base_url, and whether a proxy answers in upstream's place"
        }
        ClientError::TooSlow { .. }
        | ClientError::CutShort { .. }
        | ClientError::Undecodable { .. }
        | ClientError::Server { .. }
        | ClientError::Throttled { .. } => "run `advisoryd check` again later",
        _ => return says.to_owned(),
    };
    format!("{says}; {advice}")
}

/// The same of a failure, which may be no failed request.
pub(super) fn of_failure(failure: &Failure) -> String {
    match failure {
        Failure::Upstream(error) => advice(error),
        _ => failure.chain(),
    }
}
