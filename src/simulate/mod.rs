//! Simulated upstream: the vendor's API (contract §1–§8) with all its possible
//! faults, for tests, the demo, benchmarks and users who want to try advisoryd
//! without an account.

mod clock;
mod compression;
mod facts;
mod feed;
mod options;
mod published;
mod publishing;
mod random;
mod record;
mod server;
mod simulator;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use feed::{Damage, FeedFile, FeedWritten, WriteFeedError, write_feed};
pub use options::{
    DEFAULT_TOKEN, DEMO_LISTS, Encoding, FeedCounts, FeedOptions, LimitOptions, ListOrder,
    MAX_WATCH_LISTS, Note, SimulatedProfile, SimulatorOptions, ThrottleForm, TicketFilters,
    TicketOptions, TicketShape, UnknownProfile,
};
pub use server::{AnswerFault, FaultRule, SeenRequest};
pub use simulator::{Simulator, SimulatorError, start};
pub use world::WorldStep;
