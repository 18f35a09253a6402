//! How long a search takes.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Redaction;

#[test]
fn the_time_grows_with_a_text_that_is_nothing_but_parts_of_a_secret() {
    let secret = "Zq3kT9xWvB7mR2pLhY6dN4sJcF8gAeUo";
    let mut secrets = Redaction::new();
    secrets.add(secret);
    let encoded = STANDARD.encode(&secret[..31]);
    let again = STANDARD.encode(&encoded);
    for part in [&secret[..31], &encoded, &again, &hex::encode(&secret[..31])] {
        let text = part.repeat(40_000 / part.len());
        let began = Instant::now();
        let redacted = secrets.redact(&text);
        assert!(redacted.len() < part.len() + 20, "{redacted:.100}");
        assert!(began.elapsed() < Duration::from_secs(20), "{part}");
    }
}
