//! Tests of the configuration.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod database;
mod errors;
mod example;
mod health;
mod hooks;
mod http;
mod log;
mod misplaced;
mod misplaced_anywhere;
mod rules;
mod sinks;
mod sources;
mod token;

use super::Config;

/// The error lines for a configuration text.
fn errors(text: &str) -> Vec<String> {
    let error = Config::from_text("c.toml", text).unwrap_err();
    error.to_string().lines().map(str::to_owned).collect()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
