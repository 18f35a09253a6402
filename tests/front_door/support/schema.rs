//! The one place that knows how the tests' databases get their tables.

use sqlx::PgPool;

/// Changes when the migrations change.
pub(super) fn checksum() -> u64 {
    0
}

/// Brings the template database up to date.
pub(super) async fn prepare(pool: &PgPool) {
    // Becomes the migrations' own function as soon as there are some.
    sqlx::query("create schema advisoryd")
        .execute(pool)
        .await
        .expect("the template is migrated");
}
