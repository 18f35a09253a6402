//! The simulated upstream over HTTP.

mod accept;
mod answer;
mod body;
mod collection;
mod connection;
mod control;
mod fault;
mod gate;
mod query;
mod reply;
mod route;
mod seen;
mod throttle;

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::options::Options;
use super::world::World;

pub use answer::router;
pub use connection::{Connection, Listening};
use fault::Faults;
pub use fault::{Fault, Rule};
use gate::Gates;
use seen::Log;
pub use seen::SeenRequest;
use throttle::Throttle;

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

    fn token(&self) -> String {
        locked(&self.token).clone()
    }
}

/// A task that panicked while it held the lock (a failing test) does not take the others with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
