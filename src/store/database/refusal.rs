//! A server that answers and does not let advisoryd in: what a person has to do about it.

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use super::session::name;

/// The role is missing or may not log in, or `pg_hba.conf` does not allow it. Source:
/// PostgreSQL documentation, appendix A.
const INVALID_AUTHORIZATION: &str = "28000";
/// The password is wrong.
const INVALID_PASSWORD: &str = "28P01";
/// The database is missing.
const UNKNOWN_DATABASE: &str = "3D000";

/// The server refuses every connection, until a person has done something.
#[derive(Debug, thiserror::Error)]
#[error("the database refuses advisoryd: {server}: {reason}; {advice}")]
pub struct Refusal {
    server: String,
    /// What PostgreSQL says.
    reason: String,
    advice: String,
}

impl Refusal {
    /// What to do if this is a refusal; `pool` says who was refused.
    pub fn of(error: &sqlx::Error, pool: &PgPool) -> Option<Self> {
        let error = error.as_database_error()?;
        let error = error.try_downcast_ref::<PgDatabaseError>()?;
        let options = pool.connect_options();
        Some(Self {
            server: name(&options),
            reason: error.message().to_owned(),
            advice: advice(error, &options)?,
        })
    }
}

/// Whether the server refuses every connection of this role to this database.
pub fn is_refusal(error: &sqlx::Error) -> bool {
    const REFUSALS: [&str; 3] = [INVALID_AUTHORIZATION, INVALID_PASSWORD, UNKNOWN_DATABASE];
    let error = error.as_database_error();
    let code = error.and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| REFUSALS.contains(&&*code))
}

fn advice(error: &PgDatabaseError, options: &PgConnectOptions) -> Option<String> {
    /// Where PostgreSQL says that the role does not exist or may not log in. Its message may be
    /// in any language.
    const NO_ROLE: &str = "InitializeSessionUserId";
    let role = options.get_username();
    // As libpq has it.
    let database = options.get_database().unwrap_or(role);
    let advice = match error.code() {
        UNKNOWN_DATABASE => format!(
            "create the database, as PostgreSQL's administrator: `createdb --owner={role} {database}`"
        ),
        INVALID_AUTHORIZATION if error.routine() == Some(NO_ROLE) => format!(
            "create the role, and the database if it is missing too, as PostgreSQL's administrator: `createuser {role}`, `createdb --owner={role} {database}`; a role that exists needs `alter role {role} login`"
        ),
        INVALID_AUTHORIZATION => format!(
            "allow the role `{role}` to connect to the database `{database}` in pg_hba.conf of the server; with `peer`, the user of the process must have the name of the role"
        ),
        INVALID_PASSWORD => format!(
            "correct the password of the role `{role}` in `[database] url` (or PGPASSWORD, or the password file), or create the role with it: `createuser --pwprompt {role}`, `createdb --owner={role} {database}`"
        ),
        _ => return None,
    };
    Some(advice)
}
