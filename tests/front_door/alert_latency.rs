//! From the commit of a change to the arrival of its webhook, at a steady rate of changes;
//! `ADVISORYD_TEST_RATE` is another rate, see docs/performance.md.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::support::settings::{Rule, Schedule};
use crate::support::{PATIENCE, Receiver, World, eventually, small};

use advisoryd::simulate::SimulatorOptions;

/// Changes a second, unless the environment says otherwise: what an unoptimised program
/// does with ease beside other tests.
const RATE: u32 = 25;
/// For so long.
const SECONDS: u32 = 10;
/// What all but the slowest hundredth may take on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(1);

/// One more change of an advisory, in a transaction of its own.
const CHANGE: &str = "
    with told as (select pg_notify('advisoryd_changes', '')),
         counter as (update advisoryd.change_counter set last = last + 1 returning last)
    insert into advisoryd.change (seq, at, kind, key, version, what, watch_list_id, run_id)
    select c.last, now(), 'advisory', $1, a.version, 'revised', 1, a.run_id
    from counter c, told, advisoryd.advisory a
    where a.said = $1";
/// Seconds from the change to its alert, from there to the attempt, and to its end.
const STAGES: &str = "
    select extract(epoch from a.raised_at - c.at)::float8,
           extract(epoch from t.at - a.raised_at)::float8,
           extract(epoch from t.latency)::float8
    from advisoryd.change c
    join advisoryd.alert a on a.key = c.key and a.what = c.what
    join advisoryd.delivery d on d.message_id = a.message_id
    join advisoryd.delivery_attempt t on t.delivery_id = d.id
    where c.what = 'revised'";

fn percentile<T: Copy + PartialOrd>(values: &mut [T], percent: usize) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap());
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// When in the run the slowest were.
fn print_slowest(times: &[Duration]) {
    let mut slowest: Vec<(usize, &Duration)> = times.iter().enumerate().collect();
    slowest.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
    let slowest = slowest.iter().take(20);
    let slowest: Vec<String> = slowest
        .map(|(place, time)| format!("{place}: {time:.0?}"))
        .collect();
    eprintln!("slowest, by the order of arrival: {}", slowest.join(", "));
}

/// How long each stage took, in milliseconds.
type Stages = (f64, f64, f64);
/// One of them.
type Stage = fn(&Stages) -> f64;

async fn print_stages(world: &World) {
    let rows: Vec<Stages> = sqlx::query_as(STAGES)
        .fetch_all(world.pool())
        .await
        .unwrap();
    let stages: [(&str, Stage); 3] = [
        ("change to alert", |row| row.0),
        ("alert to attempt", |row| row.1),
        ("attempt", |row| row.2),
    ];
    for (stage, of) in stages {
        let mut values: Vec<f64> = rows.iter().map(of).collect();
        let [median, p99, most] =
            [50, 99, 100].map(|percent| percentile(&mut values, percent) * 1000.0);
        eprintln!("{stage}: median {median:.1} ms, p99 {p99:.1} ms, maximum {most:.1} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_changes_is_told_within_a_second() {
    let rate = std::env::var("ADVISORYD_TEST_RATE").map_or(RATE, |rate| rate.parse().unwrap());
    let receiver = Receiver::start().await;
    let mut world = World::with(SimulatorOptions {
        advisories: usize::try_from(rate * SECONDS).unwrap(),
        ..small()
    })
    .await;
    world.settings.schedule = Schedule::never();
    world.settings.tickets.enabled = Some(false);
    world.settings.alerts.rules = vec![Rule::to_hook("told", &["revised"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    let _daemon = world.run().await;
    let counted = "select count(*) from advisoryd.rule where baseline_matches is not null";
    eventually("the baseline", PATIENCE, async || {
        (world.count(counted).await == 1).then_some(())
    })
    .await;

    let saids = world.simulator.saids(1);
    let mut committed = HashMap::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    for said in &saids {
        beat.tick().await;
        let change = sqlx::query(CHANGE).bind(said);
        change.execute(world.pool()).await.unwrap();
        committed.insert(said.clone(), Instant::now());
    }
    let messages = receiver.wait_for(saids.len()).await;
    let mut times: Vec<Duration> = messages
        .iter()
        .map(|message| {
            let (_, key) = message.facts().remove(0);
            message.at.saturating_duration_since(committed[&key])
        })
        .collect();
    print_slowest(&times);
    let [median, p99, most] = [50, 99, 100].map(|percent| percentile(&mut times, percent));
    eprintln!("commit to arrival: median {median:?}, p99 {p99:?}, maximum {most:?}");
    print_stages(&world).await;
    assert!(p99 < BOUND, "p99 {p99:?}, median {median:?}");
}
