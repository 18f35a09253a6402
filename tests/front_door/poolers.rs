//! Connection poolers: Debian's PgBouncer with its defaults, in each of its modes.

use sqlx::PgPool;

use crate::support::settings::Schedule;
use crate::support::{PATIENCE, PgBouncer, Running, World, assert_reads, eventually};

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
        let told = world.told(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {told}");
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
    assert_eq!(world.told(&["prove"]).code, 0);
    assert_eq!(strays(world.pool()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pooler_that_shares_sessions_is_refused_with_what_to_write() {
    for mode in ["transaction", "statement"] {
        let world = behind(mode).await;
        let check = world.told(&["check"]);
        assert_eq!(check.code, 1, "{check}");
        let lines = check.stdout.lines();
        let line = lines.filter(|line| line.contains("  database: "));
        assert_reads!(line.collect::<Vec<_>>().join("\n"));
        for (arguments, code) in [(["run"], 69), (["sync"], 1), (["migrate"], 1)] {
            let told = world.told(&arguments);
            assert_eq!(told.code, code, "{told}");
            assert!(told.stderr.contains("pool_mode = session"), "{told}");
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
async fn a_pooler_that_refuses_options_of_the_url_is_named_by_check() {
    let mut world = World::new().await;
    pool_through(&mut world, "session").await;
    let url = world.settings.database.url.clone().unwrap();
    world.settings.database.url = Some(format!("{url}&options=-c%20work_mem%3D8MB"));
    let check = world.told(&["check"]);
    assert_eq!(check.code, 1);
    let line = check.stdout.lines().find(|line| line.contains("options"));
    assert_reads!(line.expect("the parameter is named"));
    let daemon = Running::start(&mut world.command(&["run"]));
    drop(daemon);
}
