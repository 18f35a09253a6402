//! Operations on simulated tickets.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::simulate::options::TicketShape;
use crate::simulate::random::{self, RandomStream, chance};
use crate::simulate::record::{AdvisoryEntry, time};
use crate::simulate::words;

use super::state::World;
use super::ticket_place::TicketPlace;

impl World {
    /// Adds a ticket made at `created_at`; every third was touched before `now`.
    pub(super) fn open_ticket(&mut self, created_at: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
        let id = self.next_ticket;
        self.next_ticket += 1;
        let mut rng = random::rng(self.seed, id, RandomStream::Step);
        let age = (now - created_at).num_seconds();
        let touched = age > 60 && chance(&mut rng, 33);
        let count = self.advisories.len() as u64;
        self.tickets.insert(
            id,
            TicketPlace {
                id,
                revision: u32::from(touched),
                created_at,
                modified_at: if touched {
                    created_at + TimeDelta::seconds(rng.i64(1..age))
                } else {
                    created_at
                },
                advisory: (count > 0).then(|| rng.u64(0..count.max(1))),
            },
        );
        id
    }

    /// Every ticket that exists, by number.
    pub fn tickets(&self) -> impl Iterator<Item = &TicketPlace> {
        self.tickets.values()
    }

    /// Changes a ticket; `false` when it does not exist.
    pub fn touch_ticket(&mut self, id: u64, now: DateTime<Utc>) -> bool {
        let Some(ticket) = self.tickets.get_mut(&id) else {
            return false;
        };
        ticket.revision += 1;
        ticket.modified_at = now;
        true
    }

    /// Removes a ticket without a trace, as upstream does; `false` when it does not exist.
    pub fn remove_ticket(&mut self, id: u64) -> bool {
        self.tickets.remove(&id).is_some()
    }

    /// One ticket as upstream would send it.
    pub fn ticket_json(&self, id: u64) -> Option<Value> {
        let ticket = self.tickets.get(&id)?;
        let mut rng = random::rng(self.seed, id, RandomStream::Ticket);
        let about = ticket
            .advisory
            .and_then(|index| self.advisories.get(usize::try_from(index).ok()?));
        let shape = || self.shape(id);
        let status = (rng.usize(0..words::STATUSES.len()) + ticket.revision as usize)
            % words::STATUSES.len();
        let list = about.map(|entry| i64::from(entry.lists.trailing_zeros()) + 1);
        let list = list.and_then(|id| self.watch_list(id));
        let person = rng.usize(0..words::PEOPLE.len());
        let assigned = chance(&mut rng, 67);
        let product = random::pick(&mut rng, words::PRODUCTS);
        let mut object = json!({
            "id": id,
            "pretty_id": ticket.pretty_id(),
            "title": format!("Patch {product} & restart <if needed>"),
            "description": format!("Seen on the night shift.\r\nNote {} by the desk.", ticket.revision),
            "created": time(ticket.created_at),
            "modified": time(ticket.modified_at),
            "status": named(shape(), status + 1, "name", words::STATUSES[status]),
            "priority": row(&mut rng, shape(), words::PRIORITIES),
            "queue": row(&mut rng, shape(), words::QUEUES),
            "assigned_to": if assigned {
                named(shape(), person + 1, "username", words::PEOPLE[person])
            } else {
                Value::Null
            },
            "asset_list": list.map(|list| {
                named(shape(), usize::try_from(list.id).unwrap_or(0), "name", &list.name)
            }),
            "advisory": about.map(|entry| self.advisory_json(*entry, shape())),
        });
        if let Some(note) = &self.options.note {
            object["comments"] = json!([{"author": note.author, "text": note.text}]);
        }
        Some(object)
    }

    /// The shape that the options ask for; for mixed ones it goes by the ticket's number.
    fn shape(&self, id: u64) -> TicketShape {
        match (self.options.ticket.shape, id % 4) {
            (TicketShape::Mixed, 0) => TicketShape::Objects,
            (TicketShape::Mixed, 1) => TicketShape::Ids,
            (TicketShape::Mixed, 2) => TicketShape::Names,
            (TicketShape::Mixed, _) => TicketShape::Nulls,
            (shape, _) => shape,
        }
    }

    fn advisory_json(&self, entry: AdvisoryEntry, shape: TicketShape) -> Value {
        match shape {
            TicketShape::Ids => json!(entry.id()),
            TicketShape::Names => json!(entry.said()),
            TicketShape::Nulls => Value::Null,
            TicketShape::Objects | TicketShape::Mixed => {
                let record = self.record(entry);
                json!({"id": entry.id(), "advisory_identifier": entry.said(),
                       "title": record.title, "criticality": record.criticality})
            }
        }
    }
}

fn row(rng: &mut Rng, shape: TicketShape, names: &[&str]) -> Value {
    let number = rng.usize(0..names.len());
    named(shape, number + 1, "name", names[number])
}

fn named(shape: TicketShape, id: usize, key: &str, name: &str) -> Value {
    match shape {
        TicketShape::Objects | TicketShape::Mixed => json!({"id": id, key: name}),
        TicketShape::Ids => json!(id),
        TicketShape::Names => json!(name),
        TicketShape::Nulls => Value::Null,
    }
}
