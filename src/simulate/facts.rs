//! Changes of the simulated data, and expected values for tests.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::model::Advisory;

use super::Simulator;
use super::record::AdvisoryEntry;
use super::world::WorldStep;

/// Changes of the world, and facts about it for tests to compare with.
impl Simulator {
    /// Publishes new advisories and returns their identifiers.
    pub fn publish(&self, count: u32) -> Vec<String> {
        let mut world = self.shared.world();
        let published = world.publish(count, self.now());
        let entries = published.into_iter().filter_map(|index| world.entry(index));
        entries.map(AdvisoryEntry::said).collect()
    }

    /// Gives an advisory a new revision; `worse` raises its criticality by one level.
    /// `false` when there is none of this identifier.
    pub fn revise(&self, said: &str, worse: bool) -> bool {
        let mut world = self.shared.world();
        let entry = world.find(said);
        entry.is_some_and(|entry| world.revise(entry.index, worse, self.now()))
    }

    /// Withdraws an advisory. `false` when there is none of this identifier.
    pub fn reject(&self, said: &str) -> bool {
        let mut world = self.shared.world();
        let entry = world.find(said);
        entry.is_some_and(|entry| world.reject(entry.index, self.now()))
    }

    /// Takes back a withdrawal. `false` when there is none of this identifier.
    pub fn reinstate(&self, said: &str) -> bool {
        let mut world = self.shared.world();
        let entry = world.find(said);
        entry.is_some_and(|entry| world.reinstate(entry.index, self.now()))
    }

    /// Takes an advisory out of a watch list, without a new revision.
    /// `false` when one of them does not exist.
    pub fn leave(&self, said: &str, list: i64) -> bool {
        let mut world = self.shared.world();
        let entry = world.find(said);
        entry.is_some_and(|entry| world.leave(entry.index, list))
    }

    /// Puts an advisory into a further watch list, without a new revision.
    /// `false` when one of them does not exist.
    pub fn join(&self, said: &str, list: i64) -> bool {
        let mut world = self.shared.world();
        let entry = world.find(said);
        entry.is_some_and(|entry| world.join(entry.index, list))
    }

    /// Adds a watch list with nothing in it and returns its number; `None` when there are 64.
    pub fn add_watch_list(&self) -> Option<i64> {
        self.shared.world().add_watch_list(self.now())
    }

    /// Gives a watch list another name; `false` when it does not exist.
    pub fn rename_watch_list(&self, id: i64, name: &str) -> bool {
        self.shared.world().rename_watch_list(id, name)
    }

    /// Enables a watch list or not; `false` when it does not exist.
    pub fn enable_watch_list(&self, id: i64, enabled: bool) -> bool {
        self.shared.world().enable_watch_list(id, enabled)
    }

    /// Removes a watch list without a trace; `false` when it does not exist.
    pub fn remove_watch_list(&self, id: i64) -> bool {
        self.shared.world().remove_watch_list(id)
    }

    /// Adds a product to a watch list, and every advisory of it; returns its name.
    /// `None` when the list does not exist or has every product.
    pub fn add_product(&self, list: i64) -> Option<&'static str> {
        self.shared.world().add_product(list)
    }

    /// Takes a product out of a watch list; `false` when it does not have it.
    pub fn remove_product(&self, list: i64, name: &str) -> bool {
        self.shared.world().remove_product(list, name)
    }

    /// Adds tickets and returns their numbers.
    pub fn add_tickets(&self, count: u32) -> Vec<u64> {
        self.shared.world().add_tickets(count, self.now())
    }

    /// Changes a ticket; `false` when it does not exist.
    pub fn touch_ticket(&self, id: u64) -> bool {
        self.shared.world().touch_ticket(id, self.now())
    }

    /// Removes a ticket without a trace; `false` when it does not exist.
    pub fn remove_ticket(&self, id: u64) -> bool {
        self.shared.world().remove_ticket(id)
    }

    /// One realistic random step: something new, something revised, some tickets.
    pub fn tick(&self) -> WorldStep {
        self.shared.world().tick(self.now())
    }

    /// Takes a step every `period`, the first after one period, until the simulator ends.
    pub fn keep_changing(&self, period: Duration) {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        self.tasks.spawn(async move {
            while stop
                .run_until_cancelled(tokio::time::sleep(period))
                .await
                .is_some()
            {
                let now = shared.clock.now();
                shared.world().tick(now);
            }
        });
    }

    /// How many advisories a feed of `list` over `days` holds now.
    pub fn advisory_count(&self, list: i64, days: u32) -> usize {
        self.shared
            .world()
            .feed(Some(list), Some(days), self.now())
            .len()
    }

    /// The identifiers of all advisories ever in `list`, oldest first.
    pub fn saids(&self, list: i64) -> Vec<String> {
        let entries = self.shared.world().feed(Some(list), None, self.now());
        entries.into_iter().map(AdvisoryEntry::said).collect()
    }

    /// The identifiers of all advisories, oldest first.
    pub fn all_saids(&self) -> Vec<String> {
        let world = self.shared.world();
        world
            .advisories()
            .iter()
            .map(|entry| entry.said())
            .collect()
    }

    /// The numbers of the watch lists.
    pub fn watch_lists(&self) -> Vec<i64> {
        let world = self.shared.world();
        world.watch_lists().iter().map(|list| list.id).collect()
    }

    /// What ought to be stored of an advisory read in the simulator's profile, normalised.
    pub fn expected(&self, said: &str) -> Option<Advisory> {
        let world = self.shared.world();
        let record = world.record(world.find(said)?);
        Some(record.expected(self.shared.options.profile))
    }

    /// The numbers of the tickets that exist.
    pub fn ticket_ids(&self) -> Vec<u64> {
        self.shared
            .world()
            .tickets()
            .map(|ticket| ticket.id)
            .collect()
    }

    /// A ticket as upstream sends it now.
    pub fn ticket(&self, id: u64) -> Option<Value> {
        self.shared.world().ticket_json(id)
    }
}
