//! A PostgreSQL server of the user's own: what `check` asks of it, and what it says.

use std::path::Path;

use crate::support::{PATIENCE, PgServer, Told, World, assert_reads, eventually};

/// The URL of a database of the same name for this role.
fn url(server: &PgServer, role: &str) -> String {
    format!("postgres://{role}@{}/{role}?sslmode=disable", server.host())
}

/// The SQL at the end of a line of `check` that has this part.
fn advice(told: &crate::support::Told, part: &str, begins: &str) -> String {
    let line = told.stdout.lines().find(|line| line.contains(part));
    let line = line.unwrap_or_else(|| panic!("{part}: {told}"));
    let (_, sql) = line.rsplit_once(begins).expect(line);
    sql.to_owned()
}

#[tokio::test]
async fn a_server_prepared_as_documented_lacks_nothing() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    let told = world.told(&["check"]);
    let of_the_database = |told: &Told| {
        let lines = told.stdout.lines();
        let lines: Vec<&str> = lines.filter(|line| line.contains("  database: ")).collect();
        lines.join("\n")
    };
    let empty = of_the_database(&told);
    assert_eq!(world.told(&["sync"]).code, 0);
    let told = world.told(&["check"]);
    assert_eq!(told.code, 0, "{told}");
    assert_reads!(empty, of_the_database(&told));
}

#[tokio::test]
async fn what_a_server_lacks_is_told_with_the_statements_that_mend_it() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    for statement in [
        "drop role advisoryd_reader",
        "create role poor login",
        "create database poor",
        "create database latin encoding 'LATIN1' template template0",
    ] {
        server.sql("postgres", statement).await;
    }
    let latin = format!("postgres://poor@{}/latin?sslmode=disable", server.host());
    world.settings.database.url = Some(latin);
    let told = world.told(&["check"]);
    assert_eq!(told.code, 1, "{told}");
    let latin = told.stdout.lines().find(|line| line.contains("LATIN1"));
    let latin = latin.expect("the encoding is named").to_owned();

    world.settings.database.url = Some(url(&server, "poor"));
    let told = world.told(&["check"]);
    assert_eq!(told.code, 1, "{told}");
    let grant = advice(&told, "may not create schemas", "owner: ");
    server.sql("poor", &grant).await;
    assert_eq!(world.told(&["migrate"]).code, 0);

    let told = world.told(&["check"]);
    assert_eq!(told.code, 0, "{told}");
    let reader = advice(&told, "`advisoryd_reader` does not exist", "database: ");
    server.sql("poor", &reader).await;
    let told = world.told(&["check"]);
    assert!(!told.stdout.contains("advisoryd_reader"), "{told}");
    let read = "set role advisoryd_reader; select count(*) from advisoryd_v1.advisories";
    server.sql("poor", read).await;

    server.sql("postgres", "create role other login").await;
    let other = format!("postgres://other@{}/poor?sslmode=disable", server.host());
    world.settings.database.url = Some(other);
    let told = world.told(&["check"]);
    assert_eq!(told.code, 1, "{told}");
    let owned = told.stdout.lines().find(|line| line.contains("`poor`"));
    assert_reads!(latin, owned.expect("the owner is named"));
}

/// The blocks of SQL of a section of docs/databases.md.
fn sql_of(section: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/databases.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("## {section}\n")).expect(section);
    let text = text.split("\n## ").next().unwrap();
    let blocks = text.split("```sql\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[tokio::test]
async fn the_changes_are_replicated_to_a_consumer_as_documented() {
    let (server, consumer) = (PgServer::primary().await, PgServer::primary().await);
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    assert_eq!(world.told(&["sync"]).code, 0);
    let blocks = sql_of("Logical replication of the changes");
    let [publishing, subscribing] = blocks.as_slice() else {
        panic!("{blocks:?}");
    };
    server.sql("advisoryd", publishing).await;
    let host = format!("host=127.0.0.1 port={}", server.port);
    let subscribing = subscribing.replace("host=db1.example.org", &host);
    // A subscription cannot be made in a transaction with other statements.
    for statement in subscribing.lines() {
        consumer.sql("advisoryd", statement).await;
    }
    world.simulator.publish(5);
    assert_eq!(world.told(&["sync"]).code, 0);

    let rows =
        "select md5(string_agg(to_jsonb(c)::text, '' order by c.seq)) from advisoryd.change c";
    let sent = server.text("advisoryd", rows).await;
    eventually("the changes", PATIENCE, async || {
        (consumer.text("advisoryd", rows).await == sent).then_some(())
    })
    .await;
    // The slot of a consumer that is gone would keep the log for ever.
    consumer
        .sql("advisoryd", "drop subscription advisoryd_changes")
        .await;
}
