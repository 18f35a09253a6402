//! Connection poolers: Debian's PgBouncer with its defaults, in each of its modes.

use std::task::Poll;

use sqlx::PgPool;

use crate::databases::blocks_of;
use crate::support::settings::Schedule;
use crate::support::{
    PATIENCE, PgBouncer, PgServer, Running, World, assert_reads, eventually, get,
};

/// A world whose program goes through PgBouncer in this mode, with an empty database.
async fn behind(mode: &str) -> World {
    let mut world = World::new().await;
    sqlx::raw_sql("drop schema advisoryd_v1 cascade; drop schema advisoryd cascade")
        .execute(world.pool())
        .await
        .unwrap();
    pool_through(&mut world, mode).await;
    world
}

async fn pool_through(world: &mut World, mode: &str) {
    let pooler = PgBouncer::to(&world.database, mode).await;
    world.settings.database.url = Some(pooler.url.clone());
    world.pooler = Some(pooler);
}

/// Tables outside of our schemas.
async fn strays(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename)
         from pg_tables
         where schemaname not in ('advisoryd', 'pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn through_pgbouncer_in_session_mode_everything_works_with_its_defaults() {
    let mut world = behind("session").await;
    world.settings.schedule = Schedule::every_second();
    for arguments in [
        &["migrate"][..],
        &["check"],
        &["sync"],
        &["status"],
        &["verify"],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result}");
    }
    world.assert_all_is_stored().await;
    let daemon = world.run().await;
    world.simulator.publish(7);
    eventually("what is published later", PATIENCE, async || {
        let stored = world
            .count("select count(*) from advisoryd_v1.advisories")
            .await;
        (stored == 67).then_some(())
    })
    .await;
    // Another client gets a session that the program has left, without its settings.
    drop(daemon);
    assert_eq!(world.cli(&["prove"]).code, 0);
    assert_eq!(strays(world.pool()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pooler_that_shares_sessions_is_refused_with_what_to_write() {
    for mode in ["transaction", "statement"] {
        let world = behind(mode).await;
        let check = world.cli(&["check"]);
        assert_eq!(check.code, 1, "{check}");
        let lines = check.stdout.lines();
        let line = lines.filter(|line| line.contains("  database: "));
        assert_reads!(line.collect::<Vec<_>>().join("\n"));
        for (arguments, code) in [(["run"], 69), (["sync"], 1), (["migrate"], 1)] {
            let result = world.cli(&arguments);
            assert_eq!(result.code, code, "{result}");
            assert!(result.stderr.contains("pool_mode = session"), "{result}");
        }
        let schemas = "select count(*) from pg_namespace where nspname like 'advisoryd%'";
        assert_eq!(world.count(schemas).await, 0, "nothing was made");
        assert_eq!(strays(world.pool()).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn shared_sessions_are_seen_while_others_use_the_pooler_too() {
    let mut world = World::new().await;
    pool_through(&mut world, "transaction").await;
    let mut others = Vec::new();
    for _ in 0..4 {
        let url = world.settings.database.url.clone().unwrap();
        others.push(tokio::spawn(async move {
            use sqlx::Connection as _;
            let mut connection = sqlx::PgConnection::connect_with(
                &url.parse::<sqlx::postgres::PgConnectOptions>()
                    .unwrap()
                    .extra_float_digits(None),
            )
            .await
            .unwrap();
            loop {
                let busy = "begin; select pg_sleep(0.002); commit";
                sqlx::raw_sql(busy).execute(&mut connection).await.unwrap();
            }
        }));
    }
    let url = world.settings.database.url.clone().unwrap();
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let pool = advisoryd::store::database::pool(options, 2);
    for _ in 0..50 {
        let found = advisoryd::store::database::shares_sessions(&pool).await;
        assert!(found.unwrap());
    }
    let direct = advisoryd::store::database::shares_sessions(world.pool()).await;
    assert!(!direct.unwrap(), "PostgreSQL itself");
    assert!(others.iter().all(|other| !other.is_finished()));
    for other in others {
        other.abort();
    }
}

#[tokio::test]
async fn pgbouncer_works_as_documented() {
    let server = PgServer::primary().await;
    server
        .sql("postgres", "alter role advisoryd password 'of-the-role'")
        .await;
    server.ask_for_passwords().await;
    let page = blocks_of("PgBouncer", "ini").remove(0);
    let line = page.lines().nth(1).unwrap();
    let line = line.replace("5432", &server.port.to_string());
    assert!(
        page.contains("auth_type = scram-sha-256"),
        "as the tests do"
    );
    // The statement of the page, which fills userlist.txt.
    let page = blocks_of("PgBouncer", "console").remove(0);
    let (_, sql) = page.split_once("-Atc \"").unwrap();
    let (sql, _) = sql.split_once("\" >>").unwrap();
    let users = server.text("postgres", &sql.replace('\\', "")).await;
    let users = users.unwrap();
    assert!(users.contains("SCRAM-SHA-256"), "{users}");
    let pooler = PgBouncer::start(server.owner(), line, &users).await;

    let mut world = World::new().await;
    let secret = world.dir().join("database-password");
    std::fs::write(&secret, "of-the-role\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&secret, private).unwrap();
    let url = blocks_of("PgBouncer", "toml").remove(0);
    let url = url.lines().nth(1).unwrap().replace("url = ", "");
    let url = url.trim_matches('"');
    assert!(url.contains(":6432/"), "{url}");
    world.settings.database.url = Some(url.replace("6432", &pooler.port().to_string()));
    world.settings.database.password_file = Some(secret.display().to_string());
    for arguments in [&["sync"][..], &["check"], &["status"], &["verify"]] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result}");
    }
    // What the pooler refuses is told as it says it.
    std::fs::write(&secret, "another\n").unwrap();
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    assert!(!result.stdout.contains("no answer within"), "{result}");
}

#[tokio::test]
async fn check_tells_what_the_server_refuses_to_the_pooler() {
    let server = PgServer::primary().await;
    server
        .sql("postgres", "alter role advisoryd password 'of-the-role'")
        .await;
    server.ask_for_passwords().await;
    let line = format!(
        "advisoryd = host=127.0.0.1 port={} dbname=advisoryd pool_mode=session",
        server.port
    );
    // The pooler knows another password than the server.
    let users = "\"advisoryd\" \"another\"";
    let pooler = PgBouncer::start(server.owner(), line, users).await;
    let mut world = World::new().await;
    let port = pooler.port();
    world.settings.database.url = Some(format!(
        "postgres://advisoryd:another@127.0.0.1:{port}/advisoryd"
    ));
    let result = world.cli(&["check"]);
    assert_eq!(result.code, 1, "{result}");
    assert!(
        result.stdout.contains("password authentication failed"),
        "{result}"
    );
}

#[tokio::test]
async fn every_command_refuses_a_pooler_that_shares_sessions_by_name() {
    let mut world = World::new().await;
    let direct = world.settings.database.url.clone();
    assert_eq!(world.cli(&["sync"]).code, 0);
    let said = world.simulator.saids(1).remove(0);
    pool_through(&mut world, "transaction").await;
    for arguments in [
        &["status"][..],
        &["status", "--check"],
        &["advisories"],
        &["tickets"],
        &["changes"],
        &["show", &said],
        &["explain", &said],
        &["verify"],
        &["budget"],
        &["ack", &said],
        &["ack", "--list"],
        &["alerts", "list"],
        &["silence", "list"],
        &["quarantine", "list"],
        &["products"],
        &["maintain"],
    ] {
        let result = world.cli(arguments);
        assert_ne!(result.code, 0, "{arguments:?}: {result}");
        assert!(
            result.to_string().contains("pool_mode = session"),
            "{arguments:?}: {result}"
        );
    }
    // A read replica behind such a pooler is not used.
    let pooled = world.settings.database.url.take();
    world.settings.database.url = direct;
    world.settings.database.read_url = pooled;
    let keep = world.pooler.take();
    let result = world.cli(&["advisories"]);
    assert_eq!(result.code, 0, "{result}");
    assert!(
        result.stderr.contains("reading from the primary instead")
            && result.stderr.contains("pool_mode = session"),
        "{result}"
    );
    drop(keep);
}

type Held = sqlx::pool::PoolConnection<sqlx::Postgres>;

/// Two connections through a pooler whose mode changes: each then has the session of the
/// other one.
async fn swapped(pooler: &PgBouncer) -> (Held, Held) {
    let options: sqlx::postgres::PgConnectOptions = pooler.url.parse().unwrap();
    let pool = advisoryd::store::database::pool(options, 2);
    let (mut one, mut other) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    for (connection, sql) in [(&mut one, KEEP), (&mut other, DROP)] {
        let preparing = sqlx::query(sql).bind(0_i64).execute(&mut **connection);
        preparing.await.unwrap();
    }
    pooler.reload("transaction");
    eventually("the new mode", PATIENCE, async || {
        pooler.log().contains("SIGHUP").then_some(())
    })
    .await;
    (one, other)
}

const KEEP: &str = "update wrong set kept = true where id = $1";
const DROP: &str = "delete from wrong where id = $1";

#[tokio::test]
async fn no_transaction_writes_in_the_session_of_another_connection() {
    let mut world = World::new().await;
    let name = "create table advisoryd.wrong (id bigint primary key, kept boolean)";
    sqlx::raw_sql(name).execute(world.pool()).await.unwrap();
    let fill = "insert into advisoryd.wrong select n, false from generate_series(1, 200) as n";
    sqlx::raw_sql(fill).execute(world.pool()).await.unwrap();
    pool_through(&mut world, "session").await;
    let (mut connection, mut second) = swapped(world.pooler.as_ref().unwrap()).await;
    // The driver alone does not notice: its statement has the same name in both sessions.
    let mut lost = 0;
    let left = "select count(*) from advisoryd.wrong";
    for id in 1..=100_i64 {
        use sqlx::Connection as _;
        for connection in [&mut connection, &mut second] {
            let release = sqlx::raw_sql("select").execute(&mut **connection);
            release.await.unwrap();
        }
        let mut transaction = connection.begin().await.unwrap();
        let keeping = sqlx::query(KEEP).bind(id).execute(&mut *transaction).await;
        keeping.unwrap();
        transaction.commit().await.unwrap();
        lost = 200 - world.count(left).await;
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "an update of the driver deleted a row");

    for id in 101..=200_i64 {
        for connection in [&mut connection, &mut second] {
            let release = sqlx::raw_sql("select").execute(&mut **connection);
            release.await.unwrap();
        }
        let refused = match advisoryd::store::database::begin_on(&mut connection).await {
            Ok(mut transaction) => {
                let keeping = sqlx::query(KEEP).bind(id).execute(&mut *transaction).await;
                keeping.unwrap();
                transaction.commit().await.unwrap();
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = refused {
            assert!(error.contains("pool_mode = session"), "{error}");
        }
    }
    assert_eq!(
        200 - world.count(left).await,
        lost,
        "nothing else was deleted"
    );
}

/// A comparison that fails leaves no transaction open, in which everything else would fail.
#[tokio::test]
async fn a_connection_can_be_used_after_a_session_that_is_not_its_own() {
    use advisoryd::store::database::{begin_on, begin_snapshot, pool};
    let world = World::new().await;
    let options: sqlx::postgres::PgConnectOptions = world.database.url.parse().unwrap();
    let pool = pool(options, 2);
    let mut connection = pool.acquire().await.unwrap();
    let mark = "select current_setting('advisoryd.session')";
    let mark: String = sqlx::query_scalar(mark)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    for (session, is_own) in [("that of another connection", false), (&*mark, true)] {
        let set = sqlx::query("select set_config('advisoryd.session', $1, false)").bind(session);
        set.execute(&mut *connection).await.unwrap();
        match begin_on(&mut connection).await {
            Ok(transaction) => {
                assert!(is_own);
                transaction.commit().await.unwrap();
            }
            Err(error) => {
                assert!(!is_own, "{error}");
                let error = error.to_string();
                assert!(error.contains("pool_mode = session"), "{error}");
            }
        }
        let one = sqlx::query_scalar("select 1").fetch_one(&mut *connection);
        let one: i32 = one.await.expect("no transaction that was aborted");
        assert_eq!(one, 1);
    }
    let mut snapshot = begin_snapshot(&pool).await.unwrap();
    let mode = "select current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')";
    let mode: String = sqlx::query_scalar(mode)
        .fetch_one(&mut *snapshot)
        .await
        .unwrap();
    assert_eq!(mode, "repeatable read on");
    snapshot.commit().await.unwrap();
}

/// Whoever gets the connection next would write into the transaction, which nobody commits.
#[tokio::test]
async fn nobody_inherits_a_transaction_whose_begin_was_abandoned() {
    use advisoryd::store::database::{begin, begin_repeatable, begin_snapshot, pool};
    let world = World::new().await;
    let options: sqlx::postgres::PgConnectOptions = world.database.url.parse().unwrap();
    let pool = pool(options, 1);
    let table = sqlx::query("create table kept (kind int, polls int)");
    table.execute(world.pool()).await.unwrap();
    let mut abandoned = 0;
    for kind in 0..3 {
        for polls in 1.. {
            let beginning = async {
                match kind {
                    0 => begin(&pool).await,
                    1 => begin_repeatable(&pool).await,
                    _ => begin_snapshot(&pool).await,
                }
            };
            let begun = polled(beginning, polls).await;
            let is_complete = begun.is_some();
            drop(begun);
            let keep = sqlx::query("insert into kept values ($1, $2)");
            let kept = keep.bind(kind).bind(polls).execute(&pool).await;
            kept.expect("no transaction that only reads");
            let others = "select count(*) from kept where kind = $1 and polls = $2";
            let others = sqlx::query_scalar(others).bind(kind).bind(polls);
            let seen: i64 = others.fetch_one(world.pool()).await.unwrap();
            assert_eq!(seen, 1, "kind {kind}, abandoned after {polls} polls");
            if is_complete {
                break;
            }
            abandoned += 1;
        }
    }
    assert!(abandoned >= 3, "{abandoned}");
}

/// Drops a future when it could go on for the time after `limit`; its result if it is
/// ready before.
async fn polled<T>(future: impl Future<Output = T>, limit: i32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|context| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_daemon_waits_while_its_pooler_shares_sessions_and_goes_on_by_itself() {
    let mut world = World::new().await;
    pool_through(&mut world, "session").await;
    world.settings.schedule = Schedule::every_second();
    let port = world.serve_health();
    let daemon = world.run().await;
    assert_eq!(get(port, "/readyz").await.0, 200);
    world.pooler.as_ref().unwrap().reload("transaction");
    eventually("the pooler is named", PATIENCE, async || {
        let (status, body) = get(port, "/readyz").await;
        (status == 503 && body.contains("pool_mode = session")).then_some(())
    })
    .await;
    world.simulator.publish(7);
    world.pooler.as_ref().unwrap().reload("session");
    eventually("it is ready again", PATIENCE, async || {
        (get(port, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    eventually("what was published meanwhile", PATIENCE, async || {
        let stored = world
            .count("select count(*) from advisoryd_v1.advisories")
            .await;
        (stored == 67).then_some(())
    })
    .await;
    drop(daemon);
    // Runs that were interrupted are repeated.
    assert_eq!(world.cli(&["sync"]).code, 0);
    let result = world.cli(&["verify"]);
    assert_eq!(result.code, 0, "{result}");
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn a_pooler_that_refuses_options_of_the_url_is_named_by_check() {
    let mut world = World::new().await;
    pool_through(&mut world, "session").await;
    let url = world.settings.database.url.clone().unwrap();
    world.settings.database.url = Some(format!("{url}&options=-c%20work_mem%3D8MB"));
    let check = world.cli(&["check"]);
    assert_eq!(check.code, 1);
    let line = check.stdout.lines().find(|line| line.contains("options"));
    assert_reads!(line.expect("the parameter is named"));
    let daemon = Running::start(&mut world.command(&["run"]));
    drop(daemon);
}
