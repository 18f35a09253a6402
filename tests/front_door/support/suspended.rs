//! Suspending a process between its transactions, for longer than its leases are valid.

use std::fs;

use nix::sys::signal::Signal;
use sqlx::AssertSqlSafe;

use super::process::Running;
use super::wait::{PATIENCE, eventually};
use super::world::World;

/// Suspends a process of this world's that is in no transaction, and lets its leases
/// expire.
pub async fn suspend(world: &World, process: &Running) {
    let busy = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'advisoryd' and state <> 'idle'";
    eventually("the end of its transactions", PATIENCE, async || {
        (world.count(busy).await == 0).then_some(())
    })
    .await;
    process.signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", process.pid());
    eventually("its suspension", PATIENCE, async || {
        let stat = fs::read_to_string(&stat).expect("its state");
        stat.contains(") T ").then_some(())
    })
    .await;
    let expire = format!(
        "update advisoryd.lease set expires_at = clock_timestamp()
         where expires_at is not null and pid = {}",
        process.pid()
    );
    let expired = sqlx::query(AssertSqlSafe(expire))
        .execute(world.pool())
        .await
        .expect("its leases expire");
    assert!(expired.rows_affected() > 0, "it has a lease");
}
