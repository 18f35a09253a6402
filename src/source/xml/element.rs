//! An element that is taken as a whole, while its bytes arrive.

use super::token::{Next, TokenKind, next};

/// An element that is taken as a whole and has not ended yet.
pub(super) struct Element {
    pub name: Vec<u8>,
    /// How many elements of that name are open, itself included.
    pub open: usize,
    pub is_record: bool,
    /// The beginning of a record that is too large, which is skipped to its end.
    pub head: Option<Vec<u8>>,
}

/// What becomes of an element that is taken as a whole.
pub(super) enum Size {
    /// It is taken.
    Small,
    /// Nobody knows yet that it is a record: it is entered as a wrapper.
    Entered,
    /// It is a record that is too large: it is skipped to its end.
    Skipped,
}

impl Element {
    /// Looks for the end of this element from `resume` on, which it moves on.
    pub fn end(&mut self, buffer: &[u8], resume: &mut usize) -> Option<usize> {
        let mut at = *resume;
        if self.open == 0 {
            return Some(at);
        }
        loop {
            match next(buffer, at) {
                Next::Token(token) => {
                    at = token.end;
                    match token.kind {
                        TokenKind::End if token.name(buffer) == self.name => self.open -= 1,
                        TokenKind::Start if token.name(buffer) == self.name => self.open += 1,
                        _ => continue,
                    }
                    if self.open == 0 {
                        *resume = at;
                        return Some(at);
                    }
                }
                Next::More { from } => {
                    *resume = from;
                    return None;
                }
            }
        }
    }
}
