//! Database connection and migrations.

mod blocked;
mod connection;
mod migrations;
mod pooler;
mod reader;
mod refusal;
mod replica;
mod requirements;
mod servers;
mod session;

pub use self::connection::{
    alone, beside, connect, follow, limit_locks, pool, reachable, replica_pool,
};
pub use self::migrations::{
    DevelopmentDatabase, ForeignSchema, MigrateError, SchemaState, migrate, migrations_name,
    schema_state, schema_state_here,
};
pub use self::pooler::{TransactionPooling, shares_sessions};
pub use self::refusal::{Refusal, is_refusal};
pub use self::replica::{ReplicaState, replica_state, server_name};
pub use self::requirements::{Requirement, requirements};
pub use self::servers::{NoServer, Servers};
