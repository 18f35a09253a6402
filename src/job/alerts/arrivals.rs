//! One advisory, one alert: what appears in several watch lists at once is reported by one
//! alert that names the lists.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::{ChangeKind, Matcher, SAME_EVENT, Subject, Verdict, alert_id};
use crate::store::alerts::arrival::Arrival;
use crate::store::alerts::raised::Raised;

/// The alerts that reported an advisory in a watch list, by rule and key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals {
    last: HashMap<(String, String), (Uuid, DateTime<Utc>)>,
    /// The first alert by which a rule reported an advisory, under whatever definition: what
    /// was reported does not appear again.
    first_reported: HashMap<(String, String), (Uuid, DateTime<Utc>)>,
    /// All ids: an alert that exists already is not raised again, so that nothing can be
    /// added to it.
    known: HashSet<Uuid>,
    /// What further lists were added to alerts, in order.
    added: Vec<(Uuid, i64)>,
}

impl Arrivals {
    /// From the alerts in the database, in order of time.
    pub(crate) fn of(stored: Vec<Arrival>) -> Self {
        let mut arrivals = Self::default();
        for one in stored {
            arrivals.known.insert(one.id);
            let (entry, rule_and_key) = ((one.id, one.at), (one.rule, one.key));
            if !one.is_silenced {
                arrivals
                    .first_reported
                    .entry(rule_and_key.clone())
                    .or_insert(entry);
            }
            if one.is_reported {
                arrivals.last.insert(rule_and_key, entry);
            }
        }
        arrivals
    }

    /// The verdict of a rule, or [`Verdict::Reported`] if an alert has just reported the
    /// advisory.
    pub(crate) fn settle(
        &mut self,
        verdict: Verdict,
        matcher: &Matcher,
        subject: &Subject,
    ) -> Verdict {
        let is_arrival = matches!(
            subject.what,
            ChangeKind::Appeared | ChangeKind::JoinedWatchList
        );
        if verdict != Verdict::Matched || !is_arrival || subject.is_ticket {
            return verdict;
        }
        let rule = &matcher.rule().name;
        let rule_and_key = (rule.clone(), subject.key.clone());
        let seen = matcher.rule().seen(subject);
        let id = alert_id(rule, &seen);
        if subject.is_new_in_source
            && seen.what == ChangeKind::Appeared
            && let Some((first, at)) = self.first_reported.get(&rule_and_key)
            && *first != id
        {
            let list = subject.through;
            let is_same_event = is_at_once(*at, subject.at);
            self.added
                .extend(list.filter(|_| is_same_event).map(|list| (*first, list)));
            return Verdict::Reported;
        }
        if let (Some((first, at)), ChangeKind::JoinedWatchList, Some(list)) =
            (self.last.get(&rule_and_key), subject.what, subject.through)
            && *first != id
            && is_at_once(*at, subject.at)
        {
            self.added.push((*first, list));
            return Verdict::Reported;
        }
        if self.known.insert(id) {
            let entry = (id, subject.at);
            self.first_reported
                .entry(rule_and_key.clone())
                .or_insert(entry);
            self.last.insert(rule_and_key, entry);
        }
        verdict
    }

    /// What was raised is silenced, so that it reports nothing.
    pub(crate) fn forget(&mut self, raised: &Raised) {
        let rule_and_key = (raised.rule.clone(), raised.alert.key.clone());
        for reported in [&mut self.last, &mut self.first_reported] {
            let one = reported.get(&rule_and_key);
            if one.is_some_and(|(id, _)| *id == raised.id) {
                reported.remove(&rule_and_key);
            }
        }
    }

    /// Adds the lists to the alerts that are raised now; returns those for alerts that are
    /// in the database.
    pub(crate) fn add_to(self, raised: &mut [Raised]) -> Vec<(Uuid, i64)> {
        let places: HashMap<Uuid, usize> = raised
            .iter()
            .enumerate()
            .map(|(index, one)| (one.id, index))
            .collect();
        let mut stored = Vec::new();
        for (id, list) in self.added {
            match places.get(&id).and_then(|index| raised.get_mut(*index)) {
                Some(raised) => {
                    let lists = &mut raised.alert.watch_list_ids;
                    lists.push(list);
                    lists.sort_unstable();
                    lists.dedup();
                }
                None => stored.push((id, list)),
            }
        }
        stored
    }
}

/// Whether two changes belong to one event. Runs take the time before they store, so that what
/// is stored later may have happened earlier, also by the clocks of two machines.
fn is_at_once(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    (other - one).abs() <= SAME_EVENT
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{SAME_EVENT, is_at_once};

    #[test]
    fn what_is_stored_later_may_have_happened_earlier() {
        let at = DateTime::UNIX_EPOCH;
        let instant = TimeDelta::microseconds(1);
        for (apart, is_one) in [
            (TimeDelta::zero(), true),
            (TimeDelta::milliseconds(2), true),
            (SAME_EVENT, true),
            (SAME_EVENT + instant, false),
        ] {
            assert_eq!(is_at_once(at, at + apart), is_one, "{apart}");
            assert_eq!(is_at_once(at, at - apart), is_one, "-{apart}");
        }
    }
}
