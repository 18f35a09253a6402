//! Changes of the simulated data over time.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::simulate::random::{self, RandomStream, chance};
use crate::simulate::record::examples;

use super::state::World;

/// What one step of a changing world brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WorldStep {
    /// New advisories.
    pub published: u32,
    /// Advisories with a new revision.
    pub revised: u32,
    /// New tickets.
    pub tickets_added: u32,
    /// Tickets that changed.
    pub tickets_touched: u32,
}

impl World {
    /// Publishes new advisories and returns their numbers.
    pub fn publish(&mut self, count: u32, now: DateTime<Utc>) -> Vec<u64> {
        (0..count).map(|_| self.release(now)).collect()
    }

    /// Gives an advisory a new revision; `worse` raises it by one level.
    /// `false` when it does not exist.
    pub fn revise(&mut self, index: u64, worse: bool, now: DateTime<Utc>) -> bool {
        self.change(index, now, |entry| {
            entry.escalations = entry.escalations.saturating_add(u8::from(worse));
        })
    }

    /// Withdraws an advisory, as a new revision. `false` when it does not exist.
    pub fn reject(&mut self, index: u64, now: DateTime<Utc>) -> bool {
        self.change(index, now, |entry| entry.rejected = true)
    }

    /// Takes back a withdrawal, as a new revision. `false` when it does not exist.
    pub fn reinstate(&mut self, index: u64, now: DateTime<Utc>) -> bool {
        self.change(index, now, |entry| entry.rejected = false)
    }

    /// Puts an advisory into a further watch list, without a new revision: as
    /// when a customer adds a product. `false` when one of them does not exist.
    pub fn join(&mut self, index: u64, list: i64) -> bool {
        let exists = self.watch_list(list).is_some();
        let Some(entry) = self.place_mut(index).filter(|_| exists) else {
            return false;
        };
        entry.lists |= 1 << (list - 1);
        true
    }

    /// Takes an advisory out of a watch list, without a new revision: as when a customer
    /// removes a product. `false` when it does not exist.
    pub fn leave(&mut self, index: u64, list: i64) -> bool {
        let exists = self.watch_list(list).is_some();
        let Some(entry) = self.place_mut(index).filter(|_| exists) else {
            return false;
        };
        entry.lists &= !(1 << (list - 1));
        true
    }

    /// Adds tickets and returns their numbers.
    pub fn add_tickets(&mut self, count: u32, now: DateTime<Utc>) -> Vec<u64> {
        (0..count).map(|_| self.open_ticket(now, now)).collect()
    }

    /// One realistic random step: some new and some revised advisories, some
    /// tickets. Something changes in every step.
    pub fn tick(&mut self, now: DateTime<Utc>) -> WorldStep {
        self.steps += 1;
        let mut rng = random::rng(self.seed, self.steps, RandomStream::Step);
        let mut step = WorldStep {
            published: random::skewed(&mut rng, 0, 3, 1),
            tickets_added: random::skewed(&mut rng, 0, 2, 2),
            ..WorldStep::default()
        };
        self.publish(step.published, now);
        if self.options.has_examples && self.steps.is_multiple_of(10) {
            step.revised += u32::from(self.revise(examples::REVISED, false, now));
        }
        let advisories = self.advisories.len() as u64;
        for _ in 0..random::skewed(&mut rng, 1, 4, 2) {
            let index = rng.u64(0..advisories.max(1));
            let worse = chance(&mut rng, 10);
            step.revised += u32::from(self.revise(index, worse, now));
        }
        self.add_tickets(step.tickets_added, now);
        for _ in 0..random::skewed(&mut rng, 0, 4, 2) {
            let id = rng.u64(1..self.next_ticket.max(2));
            step.tickets_touched += u32::from(self.touch_ticket(id, now));
        }
        step
    }

    /// Revises `per_mille` of 1000 advisories, always the same ones for one seed.
    pub fn revise_share(&mut self, per_mille: u32, now: DateTime<Utc>) {
        for index in 0..self.advisories.len() as u64 {
            let mut rng = random::rng(self.seed, index, RandomStream::Change);
            if rng.u32(0..1000) < per_mille {
                self.revise(index, false, now);
            }
        }
    }

    fn change(
        &mut self,
        index: u64,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut crate::simulate::record::AdvisoryEntry),
    ) -> bool {
        let Some(entry) = self.place_mut(index) else {
            return false;
        };
        entry.revision += 1;
        entry.modified_at = now;
        change(entry);
        true
    }

    fn place_mut(&mut self, index: u64) -> Option<&mut crate::simulate::record::AdvisoryEntry> {
        self.advisories.get_mut(usize::try_from(index).ok()?)
    }
}
