//! Versions and changes: what changed, when we knew, and nothing missed.

use std::collections::BTreeSet;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::model::DetailsMode;
use advisoryd::simulate::{LimitOptions, SimulatorOptions};
use advisoryd::source::ticket::read;
use advisoryd::store::change;
use advisoryd::store::origin::ChunkOrigin;
use advisoryd::store::tickets::ticket;

use crate::support::{PATIENCE, World, eventually, pull_all, small};

async fn facts(world: &World, key: &str) -> Vec<String> {
    sqlx::query_scalar("select what from advisoryd_v1.changes where key = $1 order by seq")
        .bind(key)
        .fetch_all(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn every_version_is_kept_with_its_raw_text_and_its_time() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    for _ in 0..3 {
        world.simulator.revise(&said, false);
        world.pull_back(LookBack::Full).await;
    }
    let versions: Vec<(i32, bool, bool, bool)> = sqlx::query_as(
        "select version,
                raw like '%' || said || '%',
                valid_from is not distinct from lag(valid_to) over (order by version) or version = 1,
                valid_to is null
         from advisoryd_v1.advisory_history
         where said = $1
         order by version",
    )
    .bind(&said)
    .fetch_all(world.pool())
    .await
    .unwrap();
    let wanted = [
        (1, true, true, false),
        (2, true, true, false),
        (3, true, true, false),
        (4, true, true, true),
    ];
    assert_eq!(
        versions, wanted,
        "gapless, each with its text, only the last one open"
    );
}

#[tokio::test]
async fn field_changes_tell_old_and_new() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    let before = world.simulator.expected(&said).unwrap();
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    let after = world.simulator.expected(&said).unwrap();
    let fields: Vec<(String, Option<serde_json::Value>, Option<serde_json::Value>)> =
        sqlx::query_as(
            "select field, old, new from advisoryd_v1.field_changes where key = $1 and version = 2",
        )
        .bind(&said)
        .fetch_all(world.pool())
        .await
        .unwrap();
    let names: BTreeSet<&str> = fields.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(names.contains("modified_at"), "{names:?}");
    assert_eq!(
        names.contains("criticality"),
        before.criticality != after.criticality
    );
    for (name, old, new) in &fields {
        assert_ne!(old, new, "{name}");
    }
    let quiet: i64 = world
        .count("select count(*) from advisoryd_v1.field_changes where version = 1")
        .await;
    assert_eq!(quiet, 0, "a first version changes nothing");
}

#[tokio::test]
async fn as_of_tells_what_was_known_then() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let said = world.simulator.saids(1)[0].clone();
    let ticket = world.simulator.ticket_ids()[0];
    let then: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(world.pool())
        .await
        .unwrap();
    world.simulator.revise(&said, true);
    world.simulator.touch_ticket(ticket);
    world.simulator.publish(2);
    world.pull_back(LookBack::Full).await;
    world
        .sync_tickets(TicketSync::Full {
            accept_removals: false,
        })
        .await;

    let known: Vec<(String, i32)> =
        sqlx::query_as("select said, version from advisoryd_v1.advisories_as_of($1)")
            .bind(then)
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(known.len(), 60, "what was published later was not known");
    assert!(known.iter().all(|(_, version)| *version == 1));
    let tickets: Vec<i32> =
        sqlx::query_scalar("select version from advisoryd_v1.tickets_as_of($1)")
            .bind(then)
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(tickets, vec![1; 25]);
    let columns_differ = world
        .count(
            "select count(*)
             from (select to_jsonb(a) as row from advisoryd_v1.advisories_as_of(now()) as a) as was
             full join (
                 select to_jsonb(a) - array['kev', 'kev_due', 'ransomware', 'epss', 'assigned_to'] as row
                 from advisoryd_v1.advisories as a) as today using (row)
             where was.row is null
                or today.row is null",
        )
        .await;
    assert_eq!(columns_differ, 0, "now is the plain view, column by column");
}

/// Our clock is set back by an hour between two versions.
#[tokio::test]
async fn a_clock_that_goes_back_leaves_no_moment_with_two_versions_or_none() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let said = world.simulator.saids(1)[0].clone();
    let tickets = world.simulator.ticket_ids();
    world.simulator.revise(&said, true);
    world.simulator.touch_ticket(tickets[0]);
    world.simulator.remove_ticket(tickets[1]);
    world
        .clock_offset
        .fetch_sub(3600, std::sync::atomic::Ordering::Relaxed);
    world.pull_back(LookBack::Full).await;
    world
        .sync_tickets(TicketSync::Full {
            accept_removals: false,
        })
        .await;
    let torn = world
        .count(
            "select count(*)
             from (
                 select valid_from, lag(valid_to) over (partition by said order by version) as before
                 from advisoryd_v1.advisory_history
                 union all
                 select valid_from, lag(valid_to) over (partition by id order by version)
                 from advisoryd_v1.ticket_history) as pair
             where valid_from <> before",
        )
        .await;
    assert_eq!(torn, 0, "each version begins where the one before ends");
    let versions = "select count(*) from advisoryd_v1.advisory_history where version = 2";
    let of_tickets = "select count(*) from advisoryd_v1.ticket_history where version = 2";
    assert_eq!(
        (world.count(versions).await, world.count(of_tickets).await),
        // A ticket that only names the revised advisory is not a changed one.
        (1, 1)
    );
}

#[tokio::test]
async fn changes_name_what_happened() {
    let world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.pull().await;
    let saids = world.simulator.saids(1);
    assert_eq!(facts(&world, &saids[0]).await[0], "appeared");
    let milder = saids
        .iter()
        .find(|said| world.simulator.expected(said).unwrap().criticality == Some(4))
        .unwrap();
    world.simulator.revise(milder, true);
    world.simulator.reject(&saids[1]);
    let elsewhere = saids
        .iter()
        .find(|said| !world.simulator.saids(2).contains(said))
        .unwrap()
        .clone();
    world.simulator.join(&elsewhere, 2);
    world.pull_back(LookBack::Full).await;
    let escalated = facts(&world, milder).await;
    assert!(
        escalated.contains(&"revised".into()) && escalated.contains(&"escalated".into()),
        "{escalated:?}"
    );
    let rejected = facts(&world, &saids[1]).await;
    assert!(rejected.contains(&"rejected".into()), "{rejected:?}");
    let joined = facts(&world, &elsewhere).await;
    assert!(joined.contains(&"joined_watch_list".into()), "{joined:?}");
}

#[tokio::test]
async fn a_ticket_that_goes_and_returns_is_two_facts() {
    let world = World::new().await;
    world.sync_tickets(TicketSync::Now).await;
    let id = world.simulator.ticket_ids()[3];
    world.simulator.remove_ticket(id);
    world
        .sync_tickets(TicketSync::Full {
            accept_removals: false,
        })
        .await;
    let result = facts(&world, &id.to_string()).await;
    assert_eq!(result, ["ticket_opened", "ticket_revised", "ticket_gone"]);
}

async fn numbers(world: &World) -> Vec<i64> {
    sqlx::query_scalar("select seq from advisoryd_v1.changes order by seq")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

/// Could two that were given numbers commit in the other order, a reader would
/// pass over the smaller ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_wants_numbers_waits_for_the_end_of_whoever_was_given_some() {
    let world = World::new().await;
    let context = world.context().await;
    for (id, commits) in [(990_001, true), (990_002, false)] {
        let before = numbers(&world).await;
        let mut first = world.pool().begin().await.unwrap();
        let origin = ChunkOrigin {
            is_live: true,
            source_id: 1,
            run_id: 0,
            at: context.clock.now(),
            settled_before: None,
            details: DetailsMode::Auto,
        };
        let ticket = read(serde_json::json!({ "id": id })).unwrap();
        ticket::merge(&mut first, origin, &[ticket]).await.unwrap();
        world.simulator.revise(&world.simulator.saids(1)[0], false);
        let second = context.clone();
        let second = tokio::spawn(async move { pull_all(&second, LookBack::Full).await });
        eventually("the second waits", PATIENCE, async || {
            let waiting = world
                .count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
                .await;
            (waiting > 0).then_some(())
        })
        .await;
        assert_eq!(numbers(&world).await, before, "nothing is told too early");
        if commits {
            first.commit().await.unwrap();
        } else {
            first.rollback().await.unwrap();
        }
        assert_eq!(second.await.unwrap()[0].outcome.name(), "ok");
        let after = numbers(&world).await;
        let count = i64::try_from(after.len()).unwrap();
        assert!(after.len() > before.len() && after.iter().copied().eq(1..=count));
    }
}

/// A reader that remembers its last number must see every number, while several
/// writers commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn seq_shows_no_hole_that_later_fills() {
    let world = World::with(SimulatorOptions {
        advisories: 900,
        watch_lists: 3,
        limits: LimitOptions {
            per_minute: 0,
            ..LimitOptions::default()
        },
        ..small()
    })
    .await;
    let pool = world.pool().clone();
    let done = tokio_util::sync::CancellationToken::new();
    let ended = done.clone();
    let reading = tokio::spawn(async move {
        let mut seen: Vec<i64> = Vec::new();
        loop {
            let last_look = ended.is_cancelled();
            let mut connection = pool.acquire().await.unwrap();
            let last = seen.last().copied().unwrap_or(0);
            let all = change::Selection::default();
            let new = change::selected(&mut connection, &all, (last, i64::MAX), 1000)
                .await
                .unwrap();
            seen.extend(new.iter().map(|change| change.seq));
            drop(connection);
            if last_look && new.is_empty() {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    });
    let context = world.context().await;
    let pulls = advisoryd::job::feeds::feed::feeds(&context.config)
        .into_iter()
        .map(|(feed, _)| {
            let context = context.clone();
            async move { advisoryd::job::feeds::pull::pull(&context, &feed, LookBack::Full).await }
        });
    let ran = futures_util::future::join_all(pulls).await;
    assert!(ran.iter().all(Result::is_ok), "{ran:?}");
    done.cancel();
    let seen = reading.await.unwrap();
    let all = world
        .count("select count(*) from advisoryd_v1.changes")
        .await;
    assert_eq!(
        seen,
        (1..=all).collect::<Vec<i64>>(),
        "every number, once, in order"
    );
    assert!(all >= 900, "{all}");
}
