//! One advisory, one alert: what appears in several watch lists at once is reported by one
//! alert that names the lists.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::model::{ChangeKind, Matcher, Subject, Verdict, alert_id};
use crate::store::alerts::arrival::Arrival;
use crate::store::alerts::raised::Raised;

/// Lists that an advisory joins within this time of its alert are part of the same event:
/// the lists are pulled one after the other.
const SAME_EVENT: TimeDelta = TimeDelta::hours(1);

/// The alerts that reported an advisory in a watch list, by rule and key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals {
    last: HashMap<(String, String), (Uuid, DateTime<Utc>)>,
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
            if one.is_told {
                let entry = (one.id, one.at);
                arrivals.last.insert((one.rule, one.key), entry);
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
        let id = alert_id(rule, subject);
        if let (Some((first, at)), ChangeKind::JoinedWatchList, Some(list)) =
            (self.last.get(&rule_and_key), subject.what, subject.through)
            && *first != id
            && (*at..=*at + SAME_EVENT).contains(&subject.at)
        {
            self.added.push((*first, list));
            return Verdict::Reported;
        }
        if self.known.insert(id) {
            self.last.insert(rule_and_key, (id, subject.at));
        }
        verdict
    }

    /// What was raised is silenced, so that it reports nothing.
    pub(crate) fn forget(&mut self, raised: &Raised) {
        let rule_and_key = (raised.rule.clone(), raised.alert.key.clone());
        if self
            .last
            .get(&rule_and_key)
            .is_some_and(|(id, _)| *id == raised.id)
        {
            self.last.remove(&rule_and_key);
        }
    }

    /// Adds the lists to the alerts that are raised now; returns those for alerts that are
    /// in the database.
    pub(crate) fn add_to(self, raised: &mut [Raised]) -> Vec<(Uuid, i64)> {
        let places: HashMap<Uuid, usize> = raised
            .iter()
            .enumerate()
            .map(|(place, one)| (one.id, place))
            .collect();
        let mut stored = Vec::new();
        for (id, list) in self.added {
            match places.get(&id).and_then(|place| raised.get_mut(*place)) {
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
