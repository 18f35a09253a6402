//! `[retention]`: what is no longer current goes when it is old enough, and
//! nothing else.

use advisoryd::config::{Config, Retention};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::retention::{Dropped, maintain};
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{self, AnswerFault, Damage};
use chrono::TimeDelta;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use crate::support::settings::Rule;
use crate::support::{PATIENCE, Receiver, Running, World, assert_reads, eventually};

const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

fn kept(text: &str) -> Retention {
    let text = format!("[retention]\n{text}");
    Config::from_text("test", &text)
        .unwrap_or_else(|error| panic!("{error}"))
        .retention
}

/// Applies it as if so many days had passed.
async fn after(world: &World, days: i64, text: &str) -> Dropped {
    let now = world.context().await.clock.now() + TimeDelta::days(days);
    maintain(world.pool(), &kept(text), now, &CancellationToken::new())
        .await
        .unwrap()
}

async fn lived() -> World {
    let world = World::new().await;
    world
        .simulator
        .inject(simulate::FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)).on("xml-feed"));
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let said = world.simulator.saids(1)[0].clone();
    for _ in 0..3 {
        world.simulator.revise(&said, true);
        world
            .simulator
            .touch_ticket(world.simulator.ticket_ids()[3]);
        world.pull_back(LookBack::Full).await;
        world.sync_tickets(FULL).await;
    }
    world
}

/// The rows that nothing may touch.
async fn current(world: &World) -> Vec<Value> {
    sqlx::query_scalar(
        "select to_jsonb(a) from advisoryd.advisory a
         union all select to_jsonb(t) from advisoryd.ticket t
         union all select to_jsonb(g) from advisoryd.sighting g
         union all select to_jsonb(c) from advisoryd.change c
         order by 1",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

async fn rows(world: &World, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(world.pool())
        .await
        .unwrap()
}

async fn all_is_well(world: &World) {
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
}

#[tokio::test]
async fn by_default_only_runs_go_and_only_after_a_year() {
    assert_eq!(kept(""), Retention::default());
    let world = lived().await;
    assert_eq!(after(&world, 364, "").await, Dropped::default());
    let runs = rows(&world, "advisoryd.sync_run").await;
    let dropped = after(&world, 366, "").await;
    let wanted = Dropped {
        // The newest of each source stays.
        runs: u64::try_from(runs).unwrap() - 2,
        ..Dropped::default()
    };
    assert_eq!(dropped, wanted);
    assert_eq!(after(&world, 366, "").await, Dropped::default());
}

#[tokio::test]
async fn old_versions_and_raw_texts_go_and_the_current_state_stays() {
    let world = lived().await;
    let before = current(&world).await;
    let raw = "select count(*) from advisoryd.advisory_version where raw is not null";
    assert_eq!(world.count(raw).await, 3);
    assert_eq!(after(&world, 9, "raw = \"10d\"").await, Dropped::default());
    let dropped = after(&world, 11, "raw = \"10d\"").await;
    let tickets = rows(&world, "advisoryd.ticket_version").await;
    assert_eq!(dropped.raw_texts, 3 + u64::try_from(tickets).unwrap());
    assert_eq!(world.count(raw).await, 0);
    assert_eq!(rows(&world, "advisoryd.advisory_version").await, 3);
    all_is_well(&world).await;

    let dropped = after(&world, 11, "versions = \"10d\"").await;
    assert_eq!(dropped.versions, 3 + u64::try_from(tickets).unwrap());
    assert_eq!(rows(&world, "advisoryd.advisory_version").await, 0);
    assert_eq!(rows(&world, "advisoryd.ticket_version").await, 0);
    assert_eq!(current(&world).await, before);
    all_is_well(&world).await;
}

#[tokio::test]
async fn versions_that_are_lost_later_are_still_noticed() {
    let world = lived().await;
    // Two of the three versions are old.
    let sql = "update advisoryd.advisory_version set replaced_at = now() - interval '20 days' where version < 3;
               update advisoryd.advisory_version set changed_at = now() - interval '20 days' where version < 3";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
    assert_eq!(after(&world, 0, "versions = \"10d\"").await.versions, 2);
    let left = "select count(*) from advisoryd.advisory_version where version = 3";
    assert_eq!(world.count(left).await, 1);
    sqlx::raw_sql("update advisoryd.advisory_version set changed_at = now() - interval '20 days'")
        .execute(world.pool())
        .await
        .unwrap();
    all_is_well(&world).await;
    sqlx::raw_sql("delete from advisoryd.advisory_version")
        .execute(world.pool())
        .await
        .unwrap();
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert_reads!(proof.problems[0].says);
}

#[tokio::test]
async fn the_chain_is_anchored_where_the_dropped_runs_ended() {
    let world = lived().await;
    let dropped = after(&world, 400, "").await;
    assert!(dropped.runs > 0);
    all_is_well(&world).await;
    world.pull_one().await;
    world.sync_tickets(FULL).await;
    all_is_well(&world).await;
    sqlx::raw_sql("delete from advisoryd.sync_run where place = (select min(place) from advisoryd.sync_run where job = 'feed') and job = 'feed'")
        .execute(world.pool())
        .await
        .unwrap();
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert_reads!(proof.problems[0].says);
}

#[tokio::test]
async fn a_broken_ledger_is_not_dropped_so_that_it_can_be_seen() {
    let world = lived().await;
    sqlx::raw_sql("update advisoryd.sync_run set seen = seen + 1 where place = 2 and job = 'feed'")
        .execute(world.pool())
        .await
        .unwrap();
    let dropped = after(&world, 400, "").await;
    assert_eq!(dropped.broken_ledgers, 1);
    let left = "select count(*) from advisoryd.sync_run where job = 'feed'";
    assert_eq!(world.count(left).await, 3, "only the one before it went");
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert_reads!(proof.problems[0].says);
}

#[tokio::test]
async fn quarantine_goes_when_upstream_no_longer_sends_it() {
    let world = World::new().await;
    let damaged = || simulate::FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)).on("xml-feed");
    world.simulator.inject(damaged());
    world.pull_one().await;
    sqlx::raw_sql("update advisoryd.quarantine set at = at - interval '30 days'")
        .execute(world.pool())
        .await
        .unwrap();
    let kept = "quarantine = \"20d\"";
    assert_eq!(
        after(&world, 0, kept).await.quarantined,
        0,
        "it came again a moment ago"
    );
    assert_eq!(after(&world, 21, kept).await.quarantined, 1);
}

#[tokio::test]
async fn the_command_and_the_daemon_apply_it() {
    let mut world = lived().await;
    world.settings.retention.versions = Some("90d");
    let age = "update advisoryd.advisory_version set replaced_at = replaced_at - interval '100 days' where version = 1";
    sqlx::raw_sql(age).execute(world.pool()).await.unwrap();
    let result = world.cli(&["maintain"]);
    assert_eq!(result.code, 0);
    assert_reads!(result);
    let result = world.cli(&["maintain", "--json"]);
    insta::assert_snapshot!(result.stdout.trim(), @r#"{"versions":0,"raw_texts":0,"runs":0,"quarantined":0,"erased_tickets":0,"evaluations":0,"alerts":0,"broken_ledgers":0}"#);

    let age = "update advisoryd.advisory_version set replaced_at = replaced_at - interval '100 days' where version = 2";
    sqlx::raw_sql(age).execute(world.pool()).await.unwrap();
    let _daemon = Running::start(&mut world.command(&["run"]));
    eventually("the daemon's retention", PATIENCE, async || {
        let left = rows(&world, "advisoryd.advisory_version").await;
        (left == 1).then_some(())
    })
    .await;
}

/// Everything is old at once, while it is still being made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn retention_beside_running_pulls_leaves_what_is_current_and_provable() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let context = world.context().await;
    let shortest = "versions = \"1d\"\nraw = \"1d\"\nruns = \"2d\"\nquarantine = \"1d\"";
    for _ in 0..4 {
        for said in world.simulator.saids(1).iter().take(20) {
            world.simulator.revise(said, true);
        }
        let pulling = context.clone();
        let pulling = tokio::spawn(async move {
            crate::support::pull_all(&pulling, LookBack::Full).await;
        });
        while !pulling.is_finished() {
            after(&world, 10, shortest).await;
        }
        pulling.await.unwrap();
        world.sync_tickets(FULL).await;
        after(&world, 10, shortest).await;
        all_is_well(&world).await;
        assert_eq!(rows(&world, "advisoryd.advisory_version").await, 0);
        assert_eq!(rows(&world, "advisoryd.sync_run").await, 2);
    }
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn status_tells_how_much_room_the_tables_take() {
    let world = lived().await;
    let status = world.cli(&["status", "--json"]).json();
    let tables = status["tables"].as_array().unwrap();
    let advisory = tables
        .iter()
        .find(|table| table["name"] == "advisory")
        .unwrap();
    assert!(advisory["bytes"].as_i64().unwrap() > 100_000, "{advisory}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_write() {
    let error = Config::from_text("c", "[retention]\nruns = \"1h\"\nraw = \"never\"").unwrap_err();
    assert_reads!(error);
}

#[tokio::test]
async fn alerts_go_when_they_wait_for_nothing_and_explain_still_answers() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("all", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(2);
    let said = world.simulator.saids(1).pop().unwrap();
    world.pull_one().await;
    receiver.answer(500, None);
    world.alert().await;
    let kept = "evaluations = \"30d\"\nalerts = \"30d\"";
    assert_eq!(after(&world, 29, kept).await, Dropped::default());
    let dropped = after(&world, 31, kept).await;
    assert_eq!(
        (dropped.evaluations, dropped.alerts),
        (62, 1),
        "one still waits"
    );
    let left = "select count(*) from advisoryd_v1.alerts where state = 'waiting'";
    assert_eq!(world.count(left).await, 1);
    let result = world.cli(&["explain", &said, "--json"]).json();
    let answer = result["answer"].as_str().unwrap();
    assert!(["no_longer_kept", "waiting"].contains(&answer), "{result}");
}
