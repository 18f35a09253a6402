//! Characters that XML forbids.

/// Whether XML 1.0 forbids a character even as a reference.
pub(super) fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}
