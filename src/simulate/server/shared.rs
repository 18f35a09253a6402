//! State that all connections share.

use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};

use super::fault::Faults;
use super::gate::Gates;
use super::lock::locked;
use super::seen::RequestLog;
use super::throttle::Throttle;
use crate::simulate::clock::SimulatedClock;
use crate::simulate::options::SimulatorOptions;
use crate::simulate::published::PublishedFiles;
use crate::simulate::world::World;

/// What all connections share.
#[derive(Debug)]
pub struct SharedState {
    pub options: SimulatorOptions,
    pub clock: SimulatedClock,
    pub gates: Gates,
    pub faults: Faults,
    pub log: RequestLog,
    throttle: Throttle,
    token: Mutex<String>,
    world: Mutex<World>,
    published: Mutex<PublishedFiles>,
    published_at: DateTime<Utc>,
}

impl SharedState {
    pub fn new(options: SimulatorOptions, clock: SimulatedClock, world: World) -> Self {
        Self {
            gates: Gates::default(),
            faults: Faults::default(),
            log: RequestLog::default(),
            throttle: Throttle::new(options.limits),
            token: Mutex::new(options.token.clone()),
            world: Mutex::new(world),
            published: Mutex::default(),
            published_at: clock.now() - TimeDelta::days(1),
            clock,
            options,
        }
    }

    /// The world, for a moment: never across an `await`.
    pub fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    /// Accepts this token from now on, and no other.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut locked(&self.token));
    }

    /// Counts a call against the account's limits.
    pub fn admit(&self) -> Result<(), u32> {
        self.throttle.admit()
    }

    /// Counts a call for a whole advisory against the limit of its own.
    pub fn admit_advisory(&self) -> Result<(), u32> {
        self.throttle.admit_advisory()
    }

    /// Changes the published files.
    pub fn publish(&self, change: impl FnOnce(&mut PublishedFiles)) {
        change(&mut locked(&self.published));
    }

    /// The KEV catalogue.
    pub fn kev(&self) -> String {
        locked(&self.published).kev(self.published_at)
    }

    /// The EPSS scores of all CVEs that advisories name.
    pub fn epss(&self) -> String {
        let world = self.world();
        let cves = world.advisories().iter().flat_map(|entry| {
            let record = world.record(*entry);
            let cves: Vec<String> = record.cves().map(str::to_owned).collect();
            cves
        });
        locked(&self.published).epss(self.published_at, cves)
    }

    pub(super) fn token(&self) -> String {
        locked(&self.token).clone()
    }
}
