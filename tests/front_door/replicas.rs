//! Commands that only read use the read replica of `[database] read_url`.

use crate::support::{PATIENCE, PgServer, Told, World, assert_reads, eventually};

/// A world on a primary with a streaming standby, which has what the primary has.
async fn replicated() -> (World, PgServer, PgServer) {
    let primary = PgServer::primary().await;
    let standby = primary.standby().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(primary.url());
    let synced = world.told(&["sync", "all"]);
    assert_eq!(synced.code, 0, "{synced}");
    world.settings.database.read_url = Some(standby.url());
    (world, primary, standby)
}

const READING: &[&[&str]] = &[
    &["advisories", "--limit", "3"],
    &["tickets", "--limit", "3"],
    &["changes"],
    &["alerts", "list"],
    &["status"],
];

fn assert_reads_from(told: &Told, server: &PgServer) {
    let line = format!("reading from the standby {}", server.host());
    assert!(told.stderr.contains(&line), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_read_use_the_replica_and_say_how_old_it_is() {
    let (world, mut primary, standby) = replicated().await;
    let said = world.simulator.saids(1).remove(0);
    let here = world.told(&["show", &said, "--primary"]);
    assert_eq!(here.stderr, "");
    eventually("the advisory on the standby", PATIENCE, async || {
        (world.told(&["show", &said]).stdout == here.stdout).then_some(())
    })
    .await;
    for arguments in READING {
        let told = world.told(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {told:?}");
        assert_reads_from(&told, &standby);
        assert!(told.stderr.contains("s old"), "{told:?}");
    }
    // Whatever writes, verifies or decides asks the primary.
    for arguments in [&["verify"][..], &["ack", &said], &["maintain"]] {
        let told = world.told(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {told:?}");
        assert!(!told.stderr.contains("reading from"), "{told:?}");
    }
    // The replica still answers when the primary is gone.
    primary.crash().await;
    assert_eq!(world.told(&["advisories"]).code, 0);
    assert_ne!(world.told(&["advisories", "--primary"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_a_command_reads_the_primary_and_says_so() {
    let (world, _primary, mut standby) = replicated().await;
    // Synchronous commits would wait for it.
    standby.crash().await;
    let told = world.told(&["advisories"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_reads!(told.stderr);
    assert!(told.stdout.contains("SA"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_standby_has_no_lag() {
    let mut world = World::new().await;
    world.settings.database.read_url = Some(world.database.url.clone());
    assert_eq!(world.told(&["sync", "all"]).code, 0);
    let told = world.told(&["advisories"]);
    assert_reads!(told.stderr);
}
