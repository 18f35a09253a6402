//! Who holds a lease.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The process that holds a lease, by the row of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseHolder {
    /// Name of the lease.
    #[serde(skip)]
    pub lease: String,
    /// How often the lease was taken.
    #[serde(skip)]
    pub epoch: i64,
    /// Name of its machine.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Since when it holds the lease, by the clock of the database.
    pub since: DateTime<Utc>,
    /// When the lease ends unless it is renewed, by the clock of the database.
    pub expires_at: DateTime<Utc>,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host, pid, since, ..
        } = self;
        let since = since.format("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "process {pid} on {host}, since {since}")
    }
}
