//! What the tests stand on: a database each, processes, and patience with a limit.

pub mod alerts;
mod authority;
mod crash;
mod database;
mod documents;
mod gateway;
mod manager;
mod process;
pub mod property;
mod receiver;
mod rows;
mod run_dir;
mod schema;
mod servers;
pub mod settings;
mod suspended;
mod wait;
mod web;
mod words;
mod world;

pub use authority::{Authority, Identity, TlsFront};
pub use crash::{Journey, every_commit};
pub use database::{TestDatabase, database};
pub use documents::{Documents, record, world_of_documents};
pub use gateway::{Edge, Gateway};
pub use manager::Manager;
pub use process::{Running, binary, is_alive};
pub use receiver::{Received, Receiver, Reply};
pub use run_dir::state_dir;
pub use suspended::suspend;
pub use wait::{PATIENCE, eventually};
pub use web::{ask, free_port, get};
pub(crate) use words::assert_reads;
pub use words::{without, words};
pub use world::{HOOK_SECRET, READ_TIMEOUT, Told, World, pull_all, small};
