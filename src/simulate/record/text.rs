//! Description and solution of a generated advisory.

use std::fmt::Write;

use crate::simulate::random::{self, RandomStream, chance, pick, skewed};
use crate::simulate::words;

use super::entry::AdvisoryEntry;

/// Plain text with CRLF, `<`, `&` and non-ASCII letters. Each revision adds a sentence.
pub fn description(seed: u64, entry: AdvisoryEntry, (vendor, product): (&str, &str)) -> String {
    let mut rng = random::rng(seed, entry.index, RandomStream::Text);
    let mut text = format!(
        "Weaknesses have been reported in {vendor} {product}, which can be exploited by malicious people to compromise an affected system."
    );
    for number in 1..=skewed(&mut rng, 1, 40, 16) {
        let weakness = pick(&mut rng, words::WEAKNESSES);
        // Writing to a string cannot fail.
        let _ = write!(text, "\r\n\r\n{number}) {weakness}");
    }
    if chance(&mut rng, 60) {
        text.push_str("\r\n\r\n");
        text.push_str(pick(&mut rng, words::CONSEQUENCES));
    }
    let versions = rng.u32(2..9);
    let _ = write!(
        text,
        "\r\n\r\nThe weaknesses are reported in versions prior to {versions}.{}.\r\nOther versions may also be affected.",
        versions * 2
    );
    if entry.revision > 0 {
        let _ = write!(
            text,
            "\r\n\r\nRevision {}: further versions are under review.",
            entry.revision
        );
    }
    text
}

/// A sentence or two; a few advisories have none.
pub fn solution(seed: u64, entry: AdvisoryEntry) -> String {
    let mut rng = random::rng(seed, entry.index, RandomStream::Change);
    if chance(&mut rng, 5) {
        return String::new();
    }
    let mut text = pick(&mut rng, words::SOLUTIONS).to_owned();
    for line in 0..skewed(&mut rng, 0, 12, 4) {
        let _ = write!(
            text,
            "\r\nBranch {line}.x: update to {line}.{}.",
            line * 3 + entry.revision
        );
    }
    text
}
