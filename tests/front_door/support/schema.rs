//! The one place that knows how the tests' databases get their tables.

use advisoryd::store::database;
use sqlx::PgPool;

/// Changes when the migrations change.
pub(super) fn name() -> String {
    database::migrations_name()
}

/// Brings the template database up to date.
pub(super) async fn prepare(pool: &PgPool) {
    database::migrate(pool).await.expect("the migrations apply");
}
