//! What a service manager sees of a start that waits for the database, or that the database
//! refuses.

use nix::sys::signal::Signal;

use crate::support::settings::Schedule;
use crate::support::{Manager, PgServer, Running, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_a_lock_extends_its_time_and_says_what_it_does() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    for (lock, status) in [
        (
            "lock table advisoryd.source in access exclusive mode",
            "STATUS=recording the configuration in the database",
        ),
        (
            "lock table advisoryd.upstream_account in access exclusive mode",
            "STATUS=starting",
        ),
    ] {
        let mut holder = world.pool().begin().await.unwrap();
        sqlx::query(lock).execute(&mut *holder).await.unwrap();
        let mut manager = Manager::new();
        let mut command = world.command(&["run"]);
        let mut daemon = Running::start(manager.listens_to(&mut command));
        for _ in 0..3 {
            manager.hears(status).await;
            manager.hears("EXTEND_TIMEOUT_USEC=60000000").await;
        }
        holder.rollback().await.unwrap();
        manager.hears("READY=1").await;
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.ended().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_the_database_says_why() {
    let mut server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    world.settings.database.url = Some(server.url());
    let host = server.host();
    server.crash().await;
    let mut manager = Manager::new();
    let mut command = world.command(&["run"]);
    let mut daemon = Running::start(manager.listens_to(&mut command));
    manager
        .hears("STATUS=waiting for the database: cannot create or read the schema `advisoryd`: ")
        .await;
    manager.hears(&host).await;
    let message = daemon
        .line("the database is unreachable; waiting for it: ")
        .await;
    assert!(message.contains(&host), "{message}");
    let server = server.restarted().await;
    manager.hears("READY=1").await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_for_good_ends_with_69_and_says_what_to_do() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    for (url, advice) in [
        (
            server.url().replace("advisoryd@", "nosuch@"),
            "`createuser nosuch`",
        ),
        (
            server.url().replace("/advisoryd?", "/nosuch?"),
            "`createdb --owner=advisoryd nosuch`",
        ),
    ] {
        world.settings.database.url = Some(url);
        let mut daemon = Running::start(&mut world.command(&["run"]));
        assert_eq!(daemon.ended().await.code(), Some(69), "{}", daemon.stderr());
        let said = daemon.stderr();
        assert!(said.contains(advice), "{said}");
        assert!(!said.contains(" at line "), "{said}");
        let result = world.cli(&["migrate"]);
        assert_eq!(result.code, 1, "a command that nobody repeats: {result}");
        assert!(!result.stderr.contains(" at line "), "{result}");
    }
}
