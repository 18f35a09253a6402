//! Replaces what was found of secrets in a text.

/// Replacement text for a secret.
const REDACTED: &str = "[redacted]";

/// The text up to `end`, with the ranges replaced that begin there.
pub(super) fn replaced(text: &str, mut found: Vec<(usize, usize)>, end: usize) -> String {
    found.sort_unstable();
    let mut result = String::with_capacity(end);
    let mut done = 0;
    let begins = |(start, _): &(usize, usize)| *start < end;
    let mut ranges = found.into_iter().take_while(begins).peekable();
    while let Some((start, mut last)) = ranges.next() {
        while let Some((_, further)) = ranges.next_if(|(next, _)| *next <= last) {
            last = last.max(further);
        }
        result.push_str(&text[done..start]);
        result.push_str(REDACTED);
        done = last;
    }
    result.push_str(text.get(done..end).unwrap_or_default());
    result
}
