//! A PostgreSQL server of the user's own: what `check` asks of it, and what it says.

use std::path::Path;

use crate::support::{CommandResult, PATIENCE, PgServer, World, assert_reads, eventually};

/// The URL of a database of the same name for this role.
fn url(server: &PgServer, role: &str) -> String {
    format!("postgres://{role}@{}/{role}?sslmode=disable", server.host())
}

/// The SQL at the end of a line of `check` that has this part.
fn advice(result: &crate::support::CommandResult, part: &str, begins: &str) -> String {
    let line = result.stdout.lines().find(|line| line.contains(part));
    let line = line.unwrap_or_else(|| panic!("{part}: {result}"));
    let (_, sql) = line.rsplit_once(begins).expect(line);
    sql.to_owned()
}

#[tokio::test]
async fn a_server_prepared_as_documented_lacks_nothing() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    let result = world.cli(&["check"]);
    let of_the_database = |result: &CommandResult| {
        let lines = result.stdout.lines();
        let lines: Vec<&str> = lines.filter(|line| line.contains("  database: ")).collect();
        lines.join("\n")
    };
    let empty = of_the_database(&result);
    assert_eq!(world.cli(&["sync"]).code, 0);
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 0, "{result}");
    assert_reads!(empty, of_the_database(&result));
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
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    let latin = result.stdout.lines().find(|line| line.contains("LATIN1"));
    let latin = latin.expect("the encoding is named").to_owned();

    world.settings.database.url = Some(url(&server, "poor"));
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    let grant = advice(&result, "may not create schemas", "owner: ");
    server.sql("poor", &grant).await;
    assert_eq!(world.cli(&["migrate"]).code, 0);

    let result = world.cli(&["check"]);
    assert_eq!(result.code, 0, "{result}");
    let reader = advice(&result, "`advisoryd_reader` does not exist", "database: ");
    server.sql("poor", &reader).await;
    let result = world.cli(&["check"]);
    assert!(!result.stdout.contains("advisoryd_reader"), "{result}");
    let read = "set role advisoryd_reader; select count(*) from advisoryd_v1.advisories";
    server.sql("poor", read).await;

    server.sql("postgres", "create role other login").await;
    let other = format!("postgres://other@{}/poor?sslmode=disable", server.host());
    world.settings.database.url = Some(other);
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    let owned = result.stdout.lines().find(|line| line.contains("`poor`"));
    assert_reads!(latin, owned.expect("the owner is named"));
}

/// The blocks of a language in a section of docs/databases.md.
pub fn blocks_of(section: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/databases.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("## {section}\n")).expect(section);
    let text = text.split("\n## ").next().unwrap();
    let begin = format!("```{language}\n");
    let blocks = text.split(&begin).skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// Defaults of a role or a database that change what statements mean, what text values are
/// given as, or end statements and sessions.
const HOSTILE: &[&str] = &[
    "lock_timeout = '1ms'",
    "statement_timeout = '900ms'",
    "idle_session_timeout = '900ms'",
    "idle_in_transaction_session_timeout = '900ms'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "search_path = 'public'",
    "timezone = 'America/St_Johns'",
    "client_encoding = 'LATIN1'",
    "datestyle = 'German, DMY'",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "xmlbinary = 'hex'",
    "xmloption = 'document'",
    "lc_messages = 'C'",
    "default_text_search_config = 'pg_catalog.russian'",
    "standard_conforming_strings = off",
    "backslash_quote = on",
    "escape_string_warning = off",
    "array_nulls = off",
    "transform_null_equals = on",
    "quote_all_identifiers = on",
    "gin_fuzzy_search_limit = 1",
    "row_security = off",
    "check_function_bodies = off",
    "exit_on_error = on",
    "plan_cache_mode = 'force_generic_plan'",
    "jit_above_cost = 0",
    "synchronous_commit = off",
];

#[tokio::test]
async fn defaults_of_the_database_and_the_role_change_nothing() {
    let server = PgServer::primary().await;
    for owner in ["database advisoryd", "role advisoryd"] {
        for setting in HOSTILE {
            server
                .sql("postgres", &format!("alter {owner} set {setting}"))
                .await;
        }
    }
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    for arguments in [
        &["migrate"][..],
        &["sync", "all"],
        &["status"],
        &["advisories", "--search", "code"],
        &["verify"],
        &["maintain"],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result}");
    }
    world.database.pool =
        advisoryd::store::database::pool(server.options("advisoryd").extra_float_digits(None), 5);
    world.assert_all_is_stored().await;
    // Nothing that these defaults can end or change is left to them.
    let left: Vec<String> = sqlx::query_scalar(
        "select name from pg_settings
         where source in ('database', 'user', 'database user')
           and name not in ('jit_above_cost', 'lc_messages')",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_accepts_no_writes_is_named_by_status_and_by_what_writes() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    assert_eq!(world.cli(&["sync"]).code, 0);
    let said = world.simulator.saids(1).remove(0);
    server
        .sql(
            "postgres",
            "alter database advisoryd set default_transaction_read_only = on",
        )
        .await;
    let reason = format!(
        "{}: the server accepts no writes: default_transaction_read_only is on",
        server.host()
    );
    let status = world.cli(&["status"]);
    assert_eq!(status.code, 0, "{status}");
    assert!(status.stdout.contains(&reason), "{status}");
    let check = world.cli(&["status", "--check"]);
    assert!(check.stdout.contains(&reason), "{check}");
    for arguments in [
        &["sync"][..],
        &["ack", &said],
        &["maintain"],
        &["budget", "take", "1"],
    ] {
        let result = world.cli(arguments);
        assert_ne!(result.code, 0, "{arguments:?}: {result}");
        assert!(result.stderr.contains(&reason), "{arguments:?}: {result}");
    }
}

#[tokio::test]
async fn a_schema_of_the_views_without_its_tables_is_refused() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    server.sql("advisoryd", "create schema advisoryd_v1").await;
    let owned = "alter schema advisoryd_v1 owner to advisoryd";
    server.sql("advisoryd", owned).await;
    for arguments in [["check"], ["sync"], ["migrate"]] {
        let result = world.cli(&arguments);
        assert_eq!(result.code, 1, "{result}");
        let advice = "drop schema advisoryd_v1 cascade";
        assert!(result.to_string().contains(advice), "{result}");
    }
    let made = "select count(*)::text from pg_namespace where nspname = 'advisoryd'";
    let made = server.text("advisoryd", made).await;
    assert_eq!(made.as_deref(), Some("0"), "nothing was made");
}

#[tokio::test]
async fn check_tells_too_few_connections_and_a_replica_that_cannot_be_used() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    assert_eq!(world.cli(&["sync"]).code, 0);
    let limit = "alter role advisoryd connection limit 7";
    server.sql("postgres", limit).await;
    world.settings.database.read_url =
        Some("postgres://advisoryd@127.0.0.1:1/advisoryd".to_owned());
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    assert!(result.stdout.contains("may have 7 in this"), "{result}");
    assert!(
        result.stdout.contains("read_url cannot be used"),
        "{result}"
    );
    world.settings.database.read_url = Some(server.url());
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 0, "{result}");
    assert!(
        result
            .stdout
            .contains("which is not in recovery and so has no lag"),
        "{result}"
    );
}

#[tokio::test]
async fn urls_of_libpq_are_taken_or_refused_with_what_to_write() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    let port = server.port;
    for url in [
        format!("postgres://advisoryd@/advisoryd?host=127.0.0.1&port={port}"),
        format!("postgres://advisoryd@/advisoryd?host=127.0.0.1,127.0.0.1&port={port}"),
        format!("postgres://advisoryd@/advisoryd?hostaddr=127.0.0.1&port={port}"),
        format!("postgres:///advisoryd?user=advisoryd&hostaddr=127.0.0.1&port={port}"),
    ] {
        world.settings.database.url = Some(url.clone());
        let result = world.cli(&["check"]);
        assert!(
            result.stdout.contains("database: reachable"),
            "{url}: {result}"
        );
    }
    for (parameter, advice) in [
        ("connect_timeout=10", "3 seconds to answer"),
        ("channel_binding=require", "sslmode=verify-full"),
        ("passfile=/x", "set `password_file`"),
        ("keepalives=1", "leave it out"),
    ] {
        world.settings.database.url = Some(format!("{}&{parameter}", server.url()));
        let result = world.cli(&["check"]);
        assert_ne!(result.code, 0, "{result}");
        assert!(result.to_string().contains(advice), "{parameter}: {result}");
    }
}

#[tokio::test]
async fn the_changes_are_replicated_to_a_consumer_as_documented() {
    let (server, consumer) = (PgServer::primary().await, PgServer::primary().await);
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    assert_eq!(world.cli(&["sync"]).code, 0);
    let blocks = blocks_of("Logical replication of the changes", "sql");
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
    assert_eq!(world.cli(&["sync"]).code, 0);

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
