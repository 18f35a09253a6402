//! What a start needs to know: directory, user, options, socket.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::account::Account;
use super::address;
use super::directory::Directory;
use super::options::ClusterOptions;

/// Where one private server lives, and how this process runs or joins it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub directory: Directory,
    pub account: Account,
    pub options: ClusterOptions,
    /// The directory of the socket; empty until the lock was taken or the server
    /// of another process was joined.
    pub sockets: PathBuf,
}

impl Site {
    /// How to connect to the daemon's database as its role.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        address::connect_options(&self.sockets)
    }
}
