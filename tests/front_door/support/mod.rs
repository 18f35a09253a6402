//! What the tests stand on: a database each, processes, and patience with a limit.

pub mod alerts;
mod answering;
mod authority;
mod database;
mod documents;
mod gateway;
mod process;
mod receiver;
mod rows;
mod run_dir;
mod schema;
mod wait;
mod web;
mod world;

pub use answering::{Answering, Asked, Reply};
pub use authority::{Authority, Identity, TlsFront};
pub use database::{TestDatabase, database};
pub use documents::Documents;
pub use gateway::{Edge, Gateway};
pub use process::{Running, binary, is_alive};
pub use receiver::{Received as Posted, Receiver};
pub use run_dir::state_dir;
pub use wait::{PATIENCE, eventually};
pub use web::{free_port, get};
pub use world::{HOOK_SECRET, Told, World, pull_all, small};
