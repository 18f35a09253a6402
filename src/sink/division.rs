//! Division of a message into requests: a receiver accepts only so much at once.

use std::borrow::Cow;
use std::ops::Range;

use super::outcome::Refused;
use crate::model::Message;

/// Which alerts of a message are sent next. All that are left are sent together; if they are
/// too many for the receiver, half of them.
#[derive(Debug)]
pub struct Division {
    next: usize,
    all: usize,
    most: usize,
}

impl Division {
    /// Of a message of so many parts, of which some are accepted. At least one is sent, and at
    /// most `most` together.
    pub(super) fn new(all: usize, accepted: usize, most: usize) -> Self {
        Self {
            next: accepted.min(all.saturating_sub(1)),
            all,
            most,
        }
    }

    /// The parts of the next request.
    pub fn next(&self) -> Range<usize> {
        self.next..self.next.saturating_add(self.most).min(self.all)
    }

    /// They are accepted.
    pub fn advance(&mut self) {
        self.next = self.next().end;
    }

    /// How many are accepted.
    pub fn accepted(&self) -> usize {
        self.next
    }

    /// Whether all are accepted.
    pub fn is_done(&self) -> bool {
        self.next >= self.all
    }

    /// Whether fewer are to be sent now, because these were too many.
    pub fn divides(&mut self, refused: &Refused) -> bool {
        let parts = self.next().len();
        if !refused.is_too_large || parts < 2 {
            return false;
        }
        self.most = parts.div_ceil(2);
        true
    }
}

/// The message of some of its alerts. It has an id of its own, which is the same in each
/// attempt: a receiver that drops what it knows must take each piece.
pub(super) fn piece(message: &Message, parts: Range<usize>) -> Cow<'_, Message> {
    let all = message.alerts.len();
    let alerts = match message.alerts.get(parts.clone()) {
        Some(alerts) if alerts.len() < all => alerts.to_vec(),
        _ => return Cow::Borrowed(message),
    };
    Cow::Owned(Message {
        id: format!("{}-{}-{}", message.id, parts.start + 1, parts.end),
        title: Message::title_of(&message.rule, &alerts),
        rule: message.rule.clone(),
        alerts,
        ..*message
    })
}
