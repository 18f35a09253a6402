//! The five promises of the README, each once from end to end; what they mean in
//! every corner is in the other files.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule};
use chrono::TimeDelta;

use crate::support::settings::Schedule;
use crate::support::{Documents, PATIENCE, Running, World, assert_reads, eventually, is_alive};

/// Up to when the feed is covered, in seconds.
const CURSOR: &str = "select coalesce(extract(epoch from max(upper(covered)))::bigint, 0)
    from advisoryd.source where watch_list_id is not null";

#[tokio::test]
async fn promise_1_nothing_is_lost() {
    let world = World::new().await;
    let damage = AnswerFault::Damaged(Damage::OneBadRecord);
    world
        .simulator
        .inject(FaultRule::new(damage).on("xml-feed"));
    let report = world.pull_one().await;
    let kept = world
        .count("select count(*) from advisoryd_v1.advisories")
        .await
        + world
            .count("select count(*) from advisoryd_v1.quarantine where raw <> '' and reason <> ''")
            .await;
    let received = report.tally.seen + report.tally.quarantined;
    assert_eq!(u64::try_from(kept).unwrap(), received);
    let cursor = world.count(CURSOR).await;

    let cut = AnswerFault::Truncate {
        after_bytes: 300,
        clean: true,
    };
    // Also when it is requested again within the run.
    world
        .simulator
        .inject(FaultRule::new(cut).on("xml-feed").times(2));
    world.later(TimeDelta::hours(1));
    assert_eq!(world.pull_one().await.outcome.name(), "failed");
    assert_eq!(world.count(CURSOR).await, cursor, "it covers nothing new");
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    assert!(world.count(CURSOR).await > cursor);
    // Asked for again, the record is in order and nothing is missing.
    world.pull_back(LookBack::Full).await;
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn promise_2_nothing_is_asked_twice_without_need() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Differences).await;
    world.simulator.forget_requests();
    let again = world.pull_one().await;
    assert_eq!(again.tally.unchanged, again.tally.seen, "nothing is read");
    world.sync_tickets(TicketSync::Differences).await;
    let asked = world.simulator.requests();
    assert_eq!(asked.len(), 2, "one for the feed, one for the difference");
    assert!(asked[0].target.contains("days=1"), "{}", asked[0].target);
    assert!(asked[1].target.contains("modified__gte="));
}

#[tokio::test]
async fn promise_3_nothing_stops_for_good() {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::every_second();
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(500))
            .on("xml-feed")
            .times(6),
    );
    let daemon = Running::start(&mut world.command(&["run"]));
    eventually("tickets in spite of the feed", PATIENCE, async || {
        let tickets = world
            .count("select count(*) from advisoryd_v1.tickets")
            .await;
        (tickets > 0).then_some(())
    })
    .await;
    eventually("the feed, after all", PATIENCE, async || {
        let runs =
            "select count(*) from advisoryd_v1.sync_runs where job = 'feed' and outcome = 'ok'";
        (world.count(runs).await > 0).then_some(())
    })
    .await;
    assert!(is_alive(daemon.pid()));
    world.assert_all_is_stored().await;
}

#[tokio::test]
async fn promise_4_nothing_lies() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.pull_one().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let last = "select extract(epoch from last_success_at)::bigint from advisoryd_v1.watch_lists";
    let success = world.count(last).await;
    world.later(TimeDelta::hours(5));
    documents.set(1, "<notices><notice><number>7</number></notice></notices>");
    let report = world.pull_one().await;
    assert_eq!((report.outcome.name(), report.tally.seen), ("failed", 0));
    assert_eq!(world.count(last).await, success);
    assert_reads!(report.outcome.error().unwrap(), world.cli(&["status"]));
}

#[tokio::test]
async fn promise_5_the_token_stays_home() {
    let thief = Documents::serve().await;
    thief.set(1, "<advisories/>");
    let world = World::new().await;
    let away = AnswerFault::RedirectTo(format!("{}/api/xml-feed/?asset_list_id=1", thief.base_url));
    world.simulator.inject(FaultRule::new(away).on("xml-feed"));
    assert_eq!(world.pull_one().await.outcome.name(), "failed");
    assert_eq!(thief.asked(), 0, "nobody else hears of us");
    for request in world.simulator.requests() {
        assert_eq!(request.method, "GET");
        assert_eq!(request.cookie, None);
    }
}
