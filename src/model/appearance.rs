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
        let what = self.sees(subject).unwrap_or(subject.what);
        let returns = self.returns(subject);
        if (what, returns) == (subject.what, subject.returns) {
            return Cow::Borrowed(subject);
        }
        Cow::Owned(Subject {
            what,
            returns,
            ..subject.clone()
        })
    }

    /// How many returns to a list the alert counts. A rule that tells of both leaving and
    /// joining tells of each, however short: its last alert says what holds. To any other
    /// rule a return within a day is no news.
    fn returns(&self, subject: &Subject) -> i64 {
        let tells = |what| self.on.contains(&what);
        if tells(ChangeKind::JoinedWatchList) && tells(ChangeKind::LeftWatchList) {
            subject.all_returns
        } else {
            subject.returns
        }
    }
}
