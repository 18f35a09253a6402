//! Alerts of a message that the receiver does not take, while it takes the others.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::{Alert, Message, PassedOverReason};
use crate::sink::Refused;
use crate::store::alerts::delivery::ClaimedDelivery;
use crate::store::alerts::parts;

/// How many are named in an error. `alerts show` names all.
const MAX_NAMED: usize = 50;

/// Which alerts of a message were passed over, by their places, and the refusals of this
/// attempt.
#[derive(Debug, Default)]
pub(super) struct PassedOverAlerts(BTreeMap<usize, Option<Refused>>);

impl PassedOverAlerts {
    /// Those of former attempts.
    pub(super) fn of(claim: &ClaimedDelivery) -> Self {
        let alerts = claim.message.alerts.iter().enumerate();
        let places = alerts.filter(|(_, alert)| {
            let id = id(alert);
            id.is_some_and(|id| claim.passed_over.contains(&id))
        });
        Self(places.map(|(place, _)| (place, None)).collect())
    }

    /// Their places.
    pub(super) fn places(&self) -> Vec<usize> {
        self.0.keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more, or one of them again; returns what is stored of it.
    pub(super) fn add(
        &mut self,
        message: &Message,
        (place, refused): (usize, Refused),
    ) -> Option<parts::PassedOverAlert> {
        let stored = parts::PassedOverAlert {
            alert_id: id(message.alerts.get(place)?)?,
            reason: reason(&refused),
            status: refused.status,
        };
        self.0.insert(place, Some(refused));
        Some(stored)
    }

    /// These were accepted; returns the ids of those that were passed over before.
    pub(super) fn remove(
        &mut self,
        message: &Message,
        places: std::ops::Range<usize>,
    ) -> Vec<Uuid> {
        let gone: Vec<usize> = self.0.range(places).map(|(place, _)| *place).collect();
        let gone = gone.into_iter().filter_map(|place| {
            self.0.remove(&place)?;
            id(message.alerts.get(place)?)
        });
        gone.collect()
    }

    /// The end of an attempt that sent all the others: it names those that are left.
    pub(super) fn refused(&self, message: &Message) -> Option<Refused> {
        let refused = self.0.values().flatten().next()?.clone();
        let names = [
            PassedOverReason::TooLarge,
            PassedOverReason::ObjectWithoutId,
        ]
        .into_iter()
        .filter_map(|why| self.named(message, why));
        let names: Vec<String> = names.collect();
        Some(Refused {
            reason: format!("{} ({})", refused.reason, names.join("; ")),
            can_repeat: false,
            ..refused
        })
    }

    /// Those that were passed over for a reason, in words.
    fn named(&self, message: &Message, why: PassedOverReason) -> Option<String> {
        let all = message.alerts.len();
        let places = self.0.iter();
        let places =
            places.filter(|(_, refused)| refused.as_ref().is_some_and(|one| reason(one) == why));
        let mut named: Vec<(usize, String)> = places
            .filter_map(|(place, _)| Some((place + 1, message.alerts.get(*place)?.called())))
            .collect();
        let what = match (why, named.len()) {
            (_, 0) => return None,
            (PassedOverReason::TooLarge, 1) => "is too large, also abridged",
            (PassedOverReason::TooLarge, _) => "are too large, also abridged",
            (PassedOverReason::ObjectWithoutId, 1) => "has an object whose id is not known",
            (PassedOverReason::ObjectWithoutId, _) => "have objects whose ids are not known",
        };
        if let [(number, key)] = &named[..] {
            return Some(format!("alert {number} of {all} ({key}) {what}"));
        }
        let more = named.len().saturating_sub(MAX_NAMED);
        named.truncate(MAX_NAMED);
        let list = named
            .iter()
            .map(|(number, key)| format!("{number} ({key})"));
        let list = list.collect::<Vec<_>>().join(", ");
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("alerts {list}{more} of {all} {what}"))
    }
}

fn reason(refused: &Refused) -> PassedOverReason {
    if refused.is_created {
        PassedOverReason::ObjectWithoutId
    } else {
        PassedOverReason::TooLarge
    }
}

fn id(alert: &Alert) -> Option<Uuid> {
    Uuid::parse_str(&alert.id).ok()
}
