//! Database connection and migrations.

mod blocked;
mod connection;
mod lock_table;
mod migrations;
mod own_session;
mod pooler;
mod reader;
mod refusal;
mod replica;
mod requirements;
mod servers;
mod session;

pub use self::connection::{
    alone, beside, connect, follow, limit_locks, not_writable, pool, reachable, replica_pool,
};
pub(crate) use self::lock_table::{LOCK_TABLE_FULL, is_lock_table_full};
pub use self::lock_table::{lock_table_advice, lock_table_full};
pub use self::migrations::{
    DevelopmentDatabase, ForeignSchema, MigrateError, SchemaState, migrate, migrations_name,
    schema_state, schema_state_here,
};
pub use self::own_session::{begin, begin_on, begin_repeatable, begin_snapshot};
pub use self::pooler::{TransactionPooling, own_sessions, shares_sessions};
pub use self::refusal::{Refusal, is_refusal};
pub use self::replica::{ReplicaState, replica_state, server_name};
pub use self::requirements::{
    Requirement, max_connections, readers_take_advisory_locks, refuses_listen, requirements,
};
pub use self::servers::{NoServer, Servers};
