//! Commands that only read use the read replica of `[database] read_url`.

use crate::support::{CommandResult, PATIENCE, PgServer, World, assert_reads, eventually};

/// A world on a primary with a streaming standby, which has what the primary has.
async fn replicated() -> (World, PgServer, PgServer) {
    let primary = PgServer::primary().await;
    let standby = primary.standby().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(primary.url());
    let synced = world.cli(&["sync", "all"]);
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

fn assert_reads_from(result: &CommandResult, server: &PgServer) {
    let line = format!("reading from the standby {}", server.host());
    assert!(result.stderr.contains(&line), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_read_use_the_replica_and_say_how_old_it_is() {
    let (world, mut primary, standby) = replicated().await;
    let said = world.simulator.saids(1).remove(0);
    let here = world.cli(&["show", &said, "--primary"]);
    assert_eq!(here.stderr, "");
    eventually("the advisory on the standby", PATIENCE, async || {
        (world.cli(&["show", &said]).stdout == here.stdout).then_some(())
    })
    .await;
    for arguments in READING {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result:?}");
        assert_reads_from(&result, &standby);
        assert!(result.stderr.contains("s old"), "{result:?}");
    }
    // Whatever writes, verifies or decides asks the primary.
    for arguments in [&["verify"][..], &["ack", &said], &["maintain"]] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result:?}");
        assert!(!result.stderr.contains("reading from"), "{result:?}");
    }
    // The replica still answers when the primary is gone.
    primary.crash().await;
    assert_eq!(world.cli(&["advisories"]).code, 0);
    assert_ne!(world.cli(&["advisories", "--primary"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_a_command_reads_the_primary_and_says_so() {
    let (world, _primary, mut standby) = replicated().await;
    // Synchronous commits would wait for it.
    standby.crash().await;
    let result = world.cli(&["advisories"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_reads!(result.stderr);
    assert!(result.stdout.contains("SA"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_standby_has_no_lag() {
    let mut world = World::new().await;
    world.settings.database.read_url = Some(world.database.url.clone());
    assert_eq!(world.cli(&["sync", "all"]).code, 0);
    let result = world.cli(&["advisories"]);
    assert_reads!(result.stderr);
}
