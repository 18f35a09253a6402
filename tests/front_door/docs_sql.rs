//! The queries and the script of the documentation, each run as a reader would run it.

use std::collections::BTreeMap;
use std::path::Path;

use advisoryd::cluster::SUPERUSER;
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::settings::Rule;
use crate::support::{Receiver, World, small};
use crate::support::{demo, docs};

/// The statements of a document's SQL blocks, by the number in the comment above.
fn statements(document: &str) -> BTreeMap<usize, String> {
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
    world.sync_tickets(TicketSync::Now).await;
    world
}

/// Asks a document's queries, numbered from 1, as `advisoryd_reader`, as they are written;
/// returns how many there are, and the numbers of those that found nothing.
async fn silent(world: &World, document: &str) -> (usize, Vec<usize>) {
    let queries = statements(document);
    assert!(queries.keys().copied().eq(1..=queries.len()));
    let mut connection = world.pool().acquire().await.unwrap();
    sqlx::raw_sql("grant advisoryd_reader to current_user; set role advisoryd_reader")
        .execute(&mut *connection)
        .await
        .unwrap();
    let asked = queries.len();
    let mut silent = Vec::new();
    for (number, query) in queries {
        // Rows are counted there: sqlx does not know every type that is asked for.
        let count = format!(
            "select count(*) from ({}) as answer",
            query.trim_end().trim_end_matches(';')
        );
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{query}\n{error}"));
        if rows == 0 {
            silent.push(number);
        }
    }
    (asked, silent)
}

#[tokio::test]
async fn the_queries_of_the_documentation_find_something_in_the_demo() {
    let world = demo::unread().await;
    demo::read(&world).await;
    // Nothing is in quarantine.
    assert_eq!(silent(&world, "README.md").await, (10, vec![10]));
    // Yesterday (9), and on that day (10), the demo had not begun; nothing was missed (18), and
    // nothing is in quarantine (20).
    let empty = vec![9, 10, 18, 20];
    assert_eq!(silent(&world, "docs/sql.md").await, (25, empty));
}

#[tokio::test]
async fn the_queries_of_alerts_are_answered() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(5);
    let saids = world.simulator.saids(1);
    for said in saids.iter().take(40) {
        world.simulator.revise(said, true);
    }
    world.pull_back(LookBack::Full).await;
    receiver.answer(500, None);
    world.alert().await;
    assert_eq!(silent(&world, "docs/alerts.md").await, (5, vec![]));
}

/// What the statements of the other pages name, and what stands for it in a test: roles
/// belong to all databases of the server.
const STAND_INS: &[(&str, &str)] = &[
    ("advisoryd_reader nologin", "docs_reader nologin"),
    (
        "create role advisoryd login",
        "create role docs_owner login",
    ),
    ("create role grafana", "create role docs_grafana"),
    ("to grafana", "to docs_grafana"),
    ("create role powerbi", "create role docs_powerbi"),
    ("to powerbi", "to docs_powerbi"),
    ("$__timeFilter(released_at)", "released_at is not null"),
];

#[tokio::test]
async fn the_statements_of_all_other_pages_are_accepted() {
    let world = answering().await;
    let elsewhere = ["README.md", "docs/sql.md", "docs/alerts.md"];
    // Roles are created by an administrator.
    let options = world.pool().connect_options().as_ref().clone();
    let mut superuser = options.username(SUPERUSER).connect().await.unwrap();
    let mut accepted = 0;
    for block in docs::blocks() {
        if block.language != "sql" || elsewhere.contains(&block.page.as_str()) {
            continue;
        }
        let text = STAND_INS
            .iter()
            .fold(block.text(), |text, (example, stand_in)| {
                text.replace(example, stand_in)
            });
        if text.starts_with("create schema advisoryd;") {
            // In the database of a consumer; databases.rs replicates to one.
            continue;
        }
        sqlx::raw_sql("begin")
            .execute(&mut superuser)
            .await
            .unwrap();
        for statement in of_block(&text) {
            // It cannot be in a transaction, and tests create one each.
            if statement.trim().is_empty() || statement.starts_with("create database") {
                continue;
            }
            sqlx::raw_sql(AssertSqlSafe(statement.clone()))
                .execute(&mut superuser)
                .await
                .unwrap_or_else(|error| panic!("{}: {statement}\n{error}", block.page));
            accepted += 1;
        }
        sqlx::raw_sql("rollback")
            .execute(&mut superuser)
            .await
            .unwrap();
    }
    assert!(accepted >= 8, "{accepted}");
}

/// The statements of a block. Those within `$$` belong to one.
fn of_block(text: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for piece in text.split_inclusive(";\n") {
        match statements.last_mut() {
            Some(last) if last.matches("$$").count() % 2 == 1 => last.push_str(piece),
            _ => statements.push(piece.to_owned()),
        }
    }
    statements
}
