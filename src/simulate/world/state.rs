//! State of the simulated data.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ticket_place::TicketPlace;
use super::watch_list_place::WatchListPlace;
use crate::simulate::options::{
    DEMO_LISTS, FeedCounts, ListOrder, MAX_WATCH_LISTS, SimulatorOptions,
};
use crate::simulate::random::{self, RandomStream, chance};
use crate::simulate::record::{AdvisoryEntry, FIRST_ID, FIRST_SAID, SimulatedAdvisory, examples};

/// Rejected advisories of ten thousand, in the vendor's proportions.
const REJECTED: u32 = 2_335;

/// Everything that upstream knows, in small: about 60 bytes an advisory.
#[derive(Debug)]
pub struct World {
    pub(super) seed: u64,
    pub(super) options: SimulatorOptions,
    pub(super) advisories: Vec<AdvisoryEntry>,
    pub(super) tickets: BTreeMap<u64, TicketPlace>,
    pub(super) next_ticket: u64,
    pub(super) watch_lists: Vec<WatchListPlace>,
    pub(super) steps: u64,
}

/// Why a world cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// See [`MAX_WATCH_LISTS`].
    #[error("{asked} watch lists were requested; expected at most {MAX_WATCH_LISTS}")]
    TooManyWatchLists {
        /// As asked.
        asked: usize,
    },
    /// Advisories are in watch lists.
    #[error("no watch list was requested; expected at least 1")]
    NoWatchList,
}

impl World {
    /// The world as it is at `now`: advisories released over the days of
    /// history before it, the last one just now.
    pub fn new(options: SimulatorOptions, now: DateTime<Utc>) -> Result<Self, WorldError> {
        match options.watch_lists {
            0 => return Err(WorldError::NoWatchList),
            asked if asked > MAX_WATCH_LISTS => {
                return Err(WorldError::TooManyWatchLists { asked });
            }
            _ => {}
        }
        let mut world = Self {
            seed: options.seed,
            advisories: Vec::with_capacity(options.advisories),
            tickets: BTreeMap::new(),
            next_ticket: 1,
            watch_lists: Vec::new(),
            steps: 0,
            options,
        };
        for _ in 0..world.options.watch_lists {
            world.add_watch_list(now - world.history());
        }
        world.fill(now);
        if world.options.has_examples {
            world.place_examples();
        }
        Ok(world)
    }

    fn history(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.options.history_days))
    }

    fn fill(&mut self, now: DateTime<Utc>) {
        let history = self.history().num_seconds();
        let count = i64::try_from(self.options.advisories).unwrap_or(i64::MAX);
        for number in 0..count {
            let age = history - history * (number + 1) / count;
            let released_at = now - TimeDelta::seconds(age);
            self.release(released_at);
            self.age_last(age);
        }
        let count = i64::try_from(self.options.tickets).unwrap_or(i64::MAX);
        for number in 0..count {
            let age = history - history * (number + 1) / count;
            self.open_ticket(now - TimeDelta::seconds(age), now);
        }
    }

    /// The advisories of the documentation are in the first list only; the one that gets a
    /// revision has none yet. All lists have a name of the documentation.
    fn place_examples(&mut self) {
        for index in [examples::REVISED, examples::NAMED] {
            let place = usize::try_from(index).ok();
            if let Some(entry) = place.and_then(|place| self.advisories.get_mut(place)) {
                entry.lists = 1;
                entry.revision = 0;
                entry.modified_at = entry.released_at;
            }
        }
        for (list, name) in self.watch_lists.iter_mut().zip(DEMO_LISTS) {
            name.clone_into(&mut list.name);
        }
    }

    /// Lets the newest advisory have been revised at some time of its `age`; a fifth of all have.
    fn age_last(&mut self, age: i64) {
        let seed = self.seed;
        let Some(entry) = self.advisories.last_mut() else {
            return;
        };
        let mut rng = random::rng(seed, entry.index, RandomStream::Step);
        if age > 60 && chance(&mut rng, 20) {
            entry.revision = random::skewed(&mut rng, 1, 6, 3);
            entry.modified_at += TimeDelta::seconds(rng.i64(1..age));
        }
    }

    /// Adds an advisory and returns its number.
    pub(super) fn release(&mut self, at: DateTime<Utc>) -> u64 {
        let index = self.advisories.len() as u64;
        self.advisories.push(AdvisoryEntry {
            index,
            revision: 0,
            escalations: 0,
            rejected: self.options.in_proportion && self.is_born_rejected(index),
            in_proportion: self.options.in_proportion,
            released_at: at,
            modified_at: at,
            lists: self.draw_lists(index),
        });
        index
    }

    fn is_born_rejected(&self, index: u64) -> bool {
        let mut rng = random::rng(self.seed, index, RandomStream::Rejection);
        rng.u32(0..10_000) < REJECTED
    }

    /// One list, and in a quarter of all cases a second one.
    fn draw_lists(&self, index: u64) -> u64 {
        let mut rng = random::rng(self.seed, index, RandomStream::Entry);
        let count = u32::try_from(self.options.watch_lists).unwrap_or(1);
        let mut lists = 1 << random::skewed(&mut rng, 0, count - 1, 2);
        if chance(&mut rng, 25) {
            lists |= 1 << rng.u32(0..count);
        }
        lists
    }

    /// Every advisory's place, oldest first.
    pub fn advisories(&self) -> &[AdvisoryEntry] {
        &self.advisories
    }

    /// The advisory with this number.
    pub fn entry(&self, index: u64) -> Option<AdvisoryEntry> {
        self.advisories.get(usize::try_from(index).ok()?).copied()
    }

    /// The advisory at `entry`, whole.
    pub fn record(&self, entry: AdvisoryEntry) -> SimulatedAdvisory {
        let mut record = SimulatedAdvisory::generate(self.seed, entry);
        if self.options.has_examples {
            examples::apply(&mut record);
        }
        record.add(self.options.note.as_ref());
        record
    }

    /// By identifier (`SA70000`) or by number (`200000`).
    pub fn find(&self, name: &str) -> Option<AdvisoryEntry> {
        let index = match name.strip_prefix("SA") {
            Some(digits) => digits.parse::<u64>().ok()?.checked_sub(FIRST_SAID)?,
            None => name.parse::<u64>().ok()?.checked_sub(FIRST_ID)?,
        };
        self.entry(index)
    }

    /// The whole advisory with what belongs to the account (contract §7).
    pub fn advisory_detail(&self, entry: AdvisoryEntry) -> Option<Value> {
        let mut detail = self.record(entry).detail();
        let related = self
            .tickets
            .values()
            .filter(|ticket| ticket.advisory == Some(entry.index));
        let related: Vec<Value> = related
            .map(|ticket| json!({"id": ticket.id, "pretty_id": ticket.pretty_id()}))
            .collect();
        let lists = self.watch_lists.iter().filter(|list| entry.is_in(list.id));
        let lists: Vec<Value> = lists
            .map(|list| {
                json!({"asset_list_id": list.id, "asset_list_name": list.name,
                       "advisory_identifier": entry.said(), "full_vector": "(None)",
                       "environmental_metrics_vector": "", "temporal_metrics_vector": null})
            })
            .collect();
        let fields = detail.as_object_mut()?;
        let custom = json!({"related_tickets": related, "affected_asset_lists": lists});
        fields.insert("custom_info".to_owned(), custom);
        Some(detail)
    }

    /// The newest advisories of lists that need approval, at most three each.
    pub fn awaiting_approval(&self) -> Vec<(AdvisoryEntry, &WatchListPlace)> {
        let lists = self.watch_lists.iter().filter(|list| list.needs_approval());
        let newest = |list: &WatchListPlace| {
            let id = list.id;
            self.advisories
                .iter()
                .rev()
                .filter(move |entry| entry.is_in(id))
                .take(3)
        };
        lists
            .flat_map(|list| newest(list).map(move |entry| (*entry, list)))
            .collect()
    }

    /// What a feed of `list` (`None`: all) over `days` (`None`: ever) holds, oldest first.
    pub fn feed(
        &self,
        list: Option<i64>,
        days: Option<u32>,
        now: DateTime<Utc>,
    ) -> Vec<AdvisoryEntry> {
        let since = days.and_then(|days| now.checked_sub_signed(TimeDelta::days(i64::from(days))));
        let counted = |entry: &AdvisoryEntry| match self.options.feed.counts {
            FeedCounts::Released => entry.released_at,
            FeedCounts::Modified => entry.modified_at,
        };
        self.advisories
            .iter()
            .filter(|entry| list.is_none_or(|list| entry.is_in(list)))
            .filter(|entry| since.is_none_or(|since| counted(entry) >= since))
            .copied()
            .collect()
    }
}

/// Puts rows into the order in which collections are listed; `key` gives number and time of change.
pub fn sort_rows<T>(rows: &mut [T], order: ListOrder, key: impl Fn(&T) -> (u64, DateTime<Utc>)) {
    match order {
        ListOrder::IdAscending => rows.sort_by_key(|row| key(row).0),
        ListOrder::IdDescending => rows.sort_by_key(|row| std::cmp::Reverse(key(row).0)),
        ListOrder::ModifiedDescending => rows.sort_by_key(|row| {
            let (id, modified_at) = key(row);
            (std::cmp::Reverse(modified_at), id)
        }),
    }
}
