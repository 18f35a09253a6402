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
mod reported;
mod rules;
mod sinks;
mod sources;
mod token;

use super::Config;

/// The error lines for a configuration text, without the numbers of its lines.
fn errors(text: &str) -> Vec<String> {
    let error = Config::from_text("c.toml", text).unwrap_err();
    let mut errors = error.errors;
    for error in errors.iter_mut().filter(|error| !error.key.is_empty()) {
        error.origin = error.origin.split(':').next().unwrap().into();
    }
    let lines = errors.iter().map(ToString::to_string);
    lines
        .flat_map(|error| error.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
