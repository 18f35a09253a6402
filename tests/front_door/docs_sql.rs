//! The queries of the documentation, each asked as a reader would ask it.

use std::collections::BTreeMap;
use std::path::Path;

use advisoryd::job::sync_tickets::Ask;
use sqlx::AssertSqlSafe;

use crate::support::{World, small};

/// The statements of a document's SQL blocks, by the number in the comment above.
fn statements(document: &str) -> BTreeMap<u32, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let sql: String = text
        .split("```sql\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    sql.split_inclusive(";\n")
        .filter(|statement| !statement.trim().is_empty())
        .map(|statement| {
            let number = statement.trim_start().trim_start_matches("-- ");
            let (number, _) = number.split_once('.').expect(statement);
            (number.parse().expect(statement), statement.to_owned())
        })
        .collect()
}

/// A world in which every question has an answer.
async fn answering() -> World {
    let mut options = small();
    options.advisories = 400;
    options.tickets = 80;
    let world = World::with(options).await;
    world.pull_one().await;
    world.sync_tickets(Ask::Now).await;
    world
}

/// Any text that the query gives.
async fn some(world: &World, sql: &'static str) -> String {
    sqlx::query_scalar(sql)
        .fetch_one(world.pool())
        .await
        .expect(sql)
}

#[tokio::test]
async fn the_ten_queries_of_the_readme_are_answered() {
    let world = answering().await;
    let cve = some(
        &world,
        "select cves[1] from advisoryd_v1.advisories where cves <> '{}' limit 1",
    )
    .await;
    let product = some(
        &world,
        "select name from advisoryd_v1.advisory_products limit 1",
    )
    .await;
    let queries = statements("README.md");
    assert_eq!(queries.len(), 10, "{:?}", queries.keys());
    let mut connection = world.pool().acquire().await.unwrap();
    sqlx::raw_sql("grant advisoryd_reader to current_user; set role advisoryd_reader")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut silent = Vec::new();
    for (number, query) in queries {
        let query = query
            .replace("CVE-2026-1234", &cve)
            .replace("watch_list_id = 4", "watch_list_id = 1")
            .replace("openssl", &product)
            .replace("\"remote code\" -windows", "\"denial of service\" or code");
        let rows = sqlx::query(AssertSqlSafe(query.clone()))
            .fetch_all(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{query}\n{error}"));
        if rows.is_empty() {
            silent.push(number);
        }
    }
    assert_eq!(silent, [10], "only a clean world has nothing in quarantine");
}
