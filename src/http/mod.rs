//! The client for upstream: one pace, one token, one origin, only GET
//! and, for `capture`, OPTIONS (contract §1–§3). It knows nothing of advisories and tickets.

mod answer;
mod beginning;
mod body;
mod client;
mod clock;
mod day;
mod error;
mod exchange;
mod look;
mod origin;
mod pace;
mod quote;
mod refusal;
mod request;
#[cfg(test)]
mod tests;
mod throttle;
mod transport;
mod usage;

pub use answer::{Answer, Kind};
pub use beginning::beginning;
pub use body::{Body, saved};
pub use client::Client;
pub use error::ClientError;
pub use look::{Look, Sight, Verb};
pub use refusal::is_about_the_token;
pub use request::Request;
pub use throttle::told_wait;
pub use usage::Usage;
