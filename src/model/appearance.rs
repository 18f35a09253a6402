//! As what a rule sees a change: an advisory that another source brought first appears for a
//! rule when it is news in a further one.

use std::borrow::Cow;

use super::{ChangeKind, Rule, Subject};

impl Rule {
    /// The kind of change as which the rule sees this one; `None` if it is not in `on`.
    pub fn sees(&self, subject: &Subject) -> Option<ChangeKind> {
        if self.on.contains(&subject.what) {
            return Some(subject.what);
        }
        let appears = subject.what == ChangeKind::JoinedWatchList
            && subject.is_new_in_source
            && self.on.contains(&ChangeKind::Appeared);
        appears.then_some(ChangeKind::Appeared)
    }

    /// The change as the rule sees it, for its alert.
    pub fn seen<'a>(&self, subject: &'a Subject) -> Cow<'a, Subject> {
        match self.sees(subject) {
            Some(what) if what != subject.what => Cow::Owned(Subject {
                what,
                ..subject.clone()
            }),
            _ => Cow::Borrowed(subject),
        }
    }
}
