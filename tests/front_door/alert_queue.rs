//! A million deliveries that wait.

use std::time::{Duration, Instant};

use crate::support::settings::{NEVER, Rule};
use crate::support::{Receiver, Running, World};

/// A message each; those that are due first hold an alert.
const MILLION: &str = "
    insert into advisoryd.message (id, rule, purpose, opened_at, closes_at, sealed_at, alerts)
    select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'soc', 'alert',
           now() - interval '1 hour', now() - interval '1 hour', now() - interval '1 hour', 1
    from generate_series(1, 1000000) as n;
    insert into advisoryd.delivery (message_id, sink, due_at)
    select id, 'hook', now() - interval '1 hour' + row_number() over (order by id) * interval '1 ms'
    from advisoryd.message;
    insert into advisoryd.alert (id, rule, kind, key, version, what, at, raised_at, message_id, body)
    select id, rule, 'advisory', 'SA1', 1, 'appeared', opened_at, opened_at, id,
           jsonb_build_object('id', id, 'what', 'appeared', 'kind', 'advisory', 'key', 'SA1',
                              'version', 1, 'at', opened_at, 'resolved', false, 'title', 'One',
                              'summary', 'new', 'cves', '[]'::jsonb, 'watch_list_ids', '[]'::jsonb)
    from advisoryd.message
    order by id
    limit 20000;";
/// Enough to see that the queue is not read from its beginning each time.
const TOLD: usize = 300;

/// Peak of its memory so far.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    peak.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_million_waiting_deliveries_cost_neither_memory_nor_time() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared"])];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    sqlx::raw_sql(MILLION).execute(world.pool()).await.unwrap();
    let mut daemon = Running::start(&mut world.command(&["run"]));
    receiver.wait_for(1).await;
    let begun = Instant::now();
    receiver.wait_for(TOLD).await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let peak = peak_kib(daemon.pid());
    assert!(peak < 96 * 1024, "a peak of {peak} KiB");
    daemon.kill9();
}
