//! What the tests stand on holds.

use sqlx::{Connection, Executor, PgConnection};

use crate::support::{Running, TestDatabase, binary, database};

async fn has_table(database: &TestDatabase, name: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_tables where tablename = $1)")
        .bind(name)
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_test_has_its_own_database() {
    let (left, right) = tokio::join!(database(), database());
    left.pool
        .execute("create table only_here ()")
        .await
        .unwrap();
    assert!(has_table(&left, "only_here").await);
    assert!(!has_table(&right, "only_here").await);
    let mut by_url = PgConnection::connect(&left.url).await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&mut by_url)
        .await
        .unwrap();
    assert_eq!(name, left.name);
}

#[tokio::test]
async fn the_built_program_starts() {
    let mut running = Running::start(binary().arg("--help"));
    assert!(running.ended().await.success(), "{}", running.stderr());
}
