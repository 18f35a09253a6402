//! Division of a message into requests: a receiver accepts only so much at once.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use super::outcome::Refused;
use crate::model::Message;

/// What became of a message in former attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartsState {
    /// How many parts were sent, one after the other: all but those passed over are accepted.
    pub done: usize,
    /// The places of the parts that were passed over, in order.
    pub passed_over: Vec<usize>,
    /// How many are sent together, if more were too large.
    pub together: Option<usize>,
}

/// Which alerts of a message are sent next. All that are left are sent together; if they are
/// too many for the receiver, half of them. Those that were passed over in former attempts come
/// last, each alone.
#[derive(Debug)]
pub struct Division {
    next: usize,
    all: usize,
    most: usize,
    /// As many as the sink takes.
    limit: usize,
    again: VecDeque<usize>,
}

impl Division {
    /// Of a message of so many parts, of which at most `most` are sent together. At least one
    /// is sent.
    pub(super) fn new(all: usize, state: &PartsState, most: usize) -> Self {
        let done = state.done.min(all);
        let again = state.passed_over.iter().copied();
        let again: VecDeque<usize> = again.filter(|place| *place < done).collect();
        let next = if again.is_empty() {
            done.min(all.saturating_sub(1))
        } else {
            done
        };
        let together = state.together.unwrap_or(usize::MAX);
        Self {
            next,
            all,
            most: most.min(together).max(1),
            limit: most.max(1),
            again,
        }
    }

    /// The parts of the next request.
    pub fn next(&self) -> Range<usize> {
        match self.again.front() {
            Some(place) if self.next >= self.all => *place..*place + 1,
            _ => self.next..self.next.saturating_add(self.most).min(self.all),
        }
    }

    /// They were sent.
    pub fn advance(&mut self) {
        if self.next < self.all {
            self.next = self.next().end;
        } else {
            self.again.pop_front();
        }
    }

    /// Of how many parts the message is for this sink.
    pub fn parts(&self) -> usize {
        self.all
    }

    /// How many were sent, one after the other.
    pub fn done(&self) -> usize {
        self.next
    }

    /// How many are sent together; `None` if it is as many as the sink takes.
    pub fn together(&self) -> Option<usize> {
        (self.most < self.all).then_some(self.most)
    }

    /// Whether all were sent.
    pub fn is_done(&self) -> bool {
        self.next >= self.all && self.again.is_empty()
    }

    /// A single one was too large, perhaps not their number: the others are sent together again.
    pub fn restore(&mut self) {
        self.most = self.limit;
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

#[cfg(test)]
mod tests {
    use super::{Division, PartsState};
    use crate::sink::Refused;

    fn too_large() -> Refused {
        Refused::too_large("body", 1)
    }

    /// All requests, of which those of more than `limit` parts are too large.
    fn requests(all: usize, state: &PartsState, (most, limit): (usize, usize)) -> Vec<String> {
        let mut division = Division::new(all, state, most);
        let mut made = Vec::new();
        while !division.is_done() {
            let next = division.next();
            if next.len() <= limit || !division.divides(&too_large()) {
                made.push(format!("{}-{}", next.start + 1, next.end));
                division.advance();
            }
        }
        made
    }

    #[test]
    fn each_part_is_sent_once_and_what_was_passed_over_comes_last() {
        let state = |done, passed_over: &[usize], together| PartsState {
            done,
            passed_over: passed_over.to_vec(),
            together,
        };
        let table = [
            (5, state(0, &[], None), (usize::MAX, 9), "1-5"),
            (5, state(0, &[], None), (usize::MAX, 3), "1-3 4-5"),
            (
                5,
                state(0, &[], None),
                (usize::MAX, 1),
                "1-1 2-2 3-3 4-4 5-5",
            ),
            (
                250,
                state(0, &[], None),
                (100, 999),
                "1-100 101-200 201-250",
            ),
            (5, state(2, &[], Some(2)), (usize::MAX, 9), "3-4 5-5"),
            (
                5,
                state(3, &[0, 2], Some(2)),
                (usize::MAX, 9),
                "4-5 1-1 3-3",
            ),
            (5, state(5, &[1], None), (usize::MAX, 9), "2-2"),
            // Not yet reached: it is sent with the others.
            (5, state(3, &[4], None), (usize::MAX, 9), "4-5"),
            // The response to the last one was lost.
            (5, state(5, &[], None), (usize::MAX, 9), "5-5"),
            (1, state(0, &[], None), (usize::MAX, 9), "1-1"),
        ];
        for (all, state, limits, expected) in table {
            let made = requests(all, &state, limits).join(" ");
            assert_eq!(made, expected, "{all} {state:?}");
        }
    }
}
