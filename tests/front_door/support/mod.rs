//! What the tests stand on: a database each, processes, and patience with a limit.

pub mod alerts;
mod authority;
mod database;
mod documents;
mod gateway;
mod process;
mod receiver;
mod rows;
mod run_dir;
mod schema;
mod servers;
mod wait;
mod web;
mod words;
mod world;

pub use authority::{Authority, Identity, TlsFront};
pub use database::{TestDatabase, database};
pub use documents::Documents;
pub use gateway::{Edge, Gateway};
pub use process::{Running, binary, is_alive};
pub use receiver::{Received, Receiver, Reply};
pub use run_dir::state_dir;
pub use wait::{PATIENCE, eventually};
pub use web::{free_port, get};
pub(crate) use words::assert_reads;
pub use words::{without, words};
pub use world::{HOOK_SECRET, Told, World, pull_all, small};
