//! HTTP client for upstream: one rate limiter, one token, one origin; only GET and, for
//! `capture`, OPTIONS (contract §1–§3). It does not depend on advisories and tickets.

mod account;
mod answer;
mod beginning;
mod body;
mod claim_headers;
mod client;
mod clock;
mod daily_quota;
mod decoder;
mod error;
mod exchange;
mod json_rows;
mod json_values;
mod large_row;
mod link_header;
mod origin;
mod pauses;
mod permits;
mod priority;
mod published_file;
mod quote;
mod rate_limiter;
mod raw;
mod refusal;
mod request;
mod saved;
mod staleness;
#[cfg(test)]
mod tests;
mod throttle;
mod transport;
mod usage;

pub use account::account;
pub use answer::{Answer, BodyType};
pub use beginning::beginning;
pub use body::{ResponseBody, saved};
pub use client::{Client, Retries};
pub use error::ClientError;
pub use json_rows::{RowHashes, SeenRows};
pub use large_row::LargeRow;
pub(crate) use link_header::{is_same_page, resolved};
pub use permits::{PermitEvent, Permits, Slice, Spent, UsedUp};
pub use published_file::{FetchError, FetchedFile, Seal, fetch_file};
pub(crate) use quote::{asked, quote};
pub use raw::{RawRequest, RawResponse, Verb};
pub use refusal::is_about_the_token;
pub use request::Request;
pub use saved::{SavedResponse, SavedResponses, open_journal};
pub use staleness::Staleness;
pub use throttle::retry_after_in;
pub use usage::{Retrying, Usage};
