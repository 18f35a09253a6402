//! State that all connections share.

use std::sync::{Mutex, MutexGuard};

use super::fault::Faults;
use super::gate::Gates;
use super::lock::locked;
use super::seen::Log;
use super::throttle::Throttle;
use crate::simulate::clock::Clock;
use crate::simulate::options::Options;
use crate::simulate::world::World;

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    pub options: Options,
    pub clock: Clock,
    pub gates: Gates,
    pub faults: Faults,
    pub log: Log,
    throttle: Throttle,
    token: Mutex<String>,
    world: Mutex<World>,
}

impl Shared {
    pub fn new(options: Options, clock: Clock, world: World) -> Self {
        Self {
            clock,
            gates: Gates::default(),
            faults: Faults::default(),
            log: Log::default(),
            throttle: Throttle::new(options.limits),
            token: Mutex::new(options.token.clone()),
            world: Mutex::new(world),
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

    pub(super) fn token(&self) -> String {
        locked(&self.token).clone()
    }
}
