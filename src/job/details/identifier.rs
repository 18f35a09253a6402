//! Identifiers of advisories in URLs.

/// Whether an identifier is safe in a URL: its pattern is configurable, and it comes from
/// outside.
pub(crate) fn is_plain(said: &str) -> bool {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_.:".contains(character);
    said.chars().all(is_plain)
        && said
            .chars()
            .any(|character| character.is_ascii_alphanumeric())
}
