//! What the tests stand on: a database each, processes, and patience with a limit.

mod database;
mod process;
mod run_dir;
mod schema;
mod wait;
mod world;

pub use database::{TestDatabase, database};
pub use process::{Running, binary, is_alive};
pub use run_dir::state_dir;
pub use wait::{PATIENCE, eventually};
pub use world::{World, small};
