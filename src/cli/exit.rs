//! Exit status of a command that failed.

use crate::cluster::ClusterError;
use crate::config::{ConfigError, HttpPasswordError, OtlpHeadersError, TokenError};
use crate::store::database::MigrateError;

/// Something failed; each failure is on stderr.
pub(super) const FAILED: u8 = 1;
/// Wrong usage, as clap has it.
const USAGE: u8 = 2;
/// Something is missing that a restart does not bring (`EX_UNAVAILABLE` of sysexits.h).
const UNAVAILABLE: u8 = 69;
/// This user lacks the rights (`EX_NOPERM` of sysexits.h).
const NOT_ALLOWED: u8 = 77;
/// The configuration is unusable (`EX_CONFIG` of sysexits.h).
const UNUSABLE_CONFIGURATION: u8 = 78;

/// A command did its work, and ends with a status of its own. Everything was said before.
#[derive(Debug, thiserror::Error)]
#[error("exit status {0}")]
pub(super) struct EndWithStatus(pub(super) u8);

/// Options or arguments that make no sense, alone or together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUsage(pub(super) String);

/// This user lacks the rights for what was wanted.
#[derive(Debug, thiserror::Error)]
#[error("{why}; {advice}")]
pub(super) struct NotAllowed {
    pub(super) why: String,
    pub(super) advice: String,
}

/// The exit status for an error; `is_daemon` says whether a service manager may start the
/// same command again.
pub(super) fn exit_status(error: &anyhow::Error, is_daemon: bool) -> u8 {
    if let Some(EndWithStatus(status)) = error.downcast_ref() {
        return *status;
    }
    if error.downcast_ref::<WrongUsage>().is_some() {
        return USAGE;
    }
    if error.downcast_ref::<NotAllowed>().is_some() {
        return NOT_ALLOWED;
    }
    let is_unusable = error.downcast_ref::<ConfigError>().is_some()
        || error.downcast_ref::<TokenError>().is_some()
        || error.downcast_ref::<HttpPasswordError>().is_some()
        || error.downcast_ref::<OtlpHeadersError>().is_some();
    if is_unusable {
        UNUSABLE_CONFIGURATION
    } else if is_daemon && needs_person(error) {
        UNAVAILABLE
    } else {
        FAILED
    }
}

/// Whether the same start fails again until a person has done something.
fn needs_person(error: &anyhow::Error) -> bool {
    let database = matches!(
        error.downcast_ref(),
        Some(
            MigrateError::Newer { .. }
                | MigrateError::Development(_)
                | MigrateError::Foreign(_)
                | MigrateError::Pooler(_)
                | MigrateError::Refused(_)
        )
    );
    let server = matches!(
        error.downcast_ref(),
        Some(
            ClusterError::NoServer { .. }
                | ClusterError::OtherMajor { .. }
                | ClusterError::RootWithoutUser { .. }
                | ClusterError::NamelessUser { .. }
                | ClusterError::SocketPathTooLong { .. }
        )
    );
    database || server
}
