//! The private PostgreSQL: a server of our own under the state directory, for
//! users who configured none. It starts and ends with this program, however the
//! program ends, and listens only on a Unix socket.
//!
//! Definitions live in the files below; this one only names them, so that no
//! file depends on its parent.

mod account;
mod address;
mod authentication;
mod backoff;
mod binaries;
mod client_programs;
mod directory;
mod directory_lock;
mod error;
mod initdb;
mod instance;
mod join;
mod launch;
mod options;
mod owner;
mod postmaster;
mod preview;
mod process;
mod process_state;
mod program;
mod ready;
mod replace;
mod replacement;
mod safe_dir;
mod server;
mod server_log;
mod settings;
mod setup;
mod shared;
mod site;
mod socket_dir;
mod state;
mod user_files;

pub use self::client_programs::ClientPrograms;
pub use self::error::ClusterError;
pub use self::instance::Cluster;
pub use self::options::{ClusterOptions, Role, ServerSearch};
pub use self::preview::Preview;
pub use self::replace::ServerVersions;
pub use self::setup::SUPERUSER;
pub use self::shared::Shared;
