//! Database connection and migrations.

mod connection;
mod migrations;

pub use self::connection::{alone, connect, pool, reachable};
pub use self::migrations::{
    DevelopmentDatabase, ForeignSchema, MigrateError, SchemaState, migrate, migrations_name,
    schema_state, schema_state_here,
};
