//! Details that upstream refuses: one that is refused keeps no other from being fetched, and
//! what is missing is told.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::health::check::check_health;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{
    AnswerFault, FaultRule, FeedCounts, FeedOptions, SimulatorOptions, ThrottleForm,
};
use chrono::TimeDelta;

use crate::support::{PATIENCE, World, small};

const WANTED: &str = "select count(*) from advisoryd.wanted_detail";
const FETCHED: &str = "select count(*) from advisoryd.detail";

fn with(feed: FeedOptions) -> SimulatorOptions {
    SimulatorOptions { feed, ..small() }
}

/// A world of 60 advisories whose details are all needed.
async fn sparse() -> World {
    let mut world = World::with(with(FeedOptions {
        is_sparse: true,
        ..FeedOptions::default()
    }))
    .await;
    world.settings.feeds.details = None;
    world.pull_one().await;
    world
}

fn refuse(world: &World, said: &str) {
    let path = format!("/api/advisories/{said}/");
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Status(403)).on(&path));
}

#[tokio::test]
async fn refused_details_keep_no_other_from_being_fetched() {
    for refused in [1, 2, 5, 20] {
        let world = sparse().await;
        let due = "select said from advisoryd.wanted_detail
                   order by attempts, modified_at desc nulls last, said";
        let due = world.texts(due).await;
        for said in &due[..refused] {
            refuse(&world, said);
        }
        let report = world.fetch_details().await.remove(0);
        assert_eq!(report.outcome.name(), "ok", "{refused}: {report:?}");
        let refused = i64::try_from(refused).unwrap();
        // Those that were asked for to find out whether all are refused come next.
        world.later(TimeDelta::seconds(1));
        world.fetch_details().await;
        assert_eq!(world.count(FETCHED).await, 60 - refused);
        assert_eq!(world.count(WANTED).await, refused);
        let attempts = "select count(*) from advisoryd.wanted_detail
            where attempts = 1 and last_error like '%no permission%'";
        assert_eq!(world.count(attempts).await, refused);
        world.simulator.clear_faults();
        world.later(TimeDelta::minutes(2));
        world.fetch_details().await;
        assert_eq!(world.count(WANTED).await, 0);
        world.assert_all_is_stored().await;
    }
}

#[tokio::test]
async fn a_refused_one_alone_is_not_taken_for_all() {
    let world = sparse().await;
    world.fetch_details().await;
    let said = world.simulator.saids(1)[7].clone();
    refuse(&world, &said);
    world.later(TimeDelta::minutes(1));
    world.simulator.revise(&said, true);
    world.pull_one().await;
    let report = world.fetch_details().await.remove(0);
    assert_eq!(report.outcome.name(), "ok");
    let paused = "select count(*) from advisoryd.source where rests_until is not null";
    assert_eq!(world.count(paused).await, 0);
    // Now to all.
    let all = FaultRule::new(AnswerFault::Status(403))
        .on("/api/advisories/SA")
        .times(10);
    world.simulator.inject(all);
    world.later(TimeDelta::minutes(5));
    let report = world.fetch_details().await.remove(0);
    assert_eq!(report.outcome.name(), "failed");
    assert_eq!(world.count(paused).await, 1);
}

#[tokio::test]
async fn a_throttled_one_is_asked_for_after_the_others() {
    let mut world = sparse().await;
    world.settings.upstream.max_attempts = Some(1);
    let said = "select said from advisoryd.wanted_detail
                order by attempts, modified_at desc nulls last, said limit 1";
    let said = world.texts(said).await.remove(0);
    let path = format!("/api/advisories/{said}/");
    let throttled = AnswerFault::Throttled {
        form: ThrottleForm::Seconds,
        seconds: 3600,
    };
    world.simulator.inject(FaultRule::new(throttled).on(&path));
    let report = world.fetch_details().await.remove(0);
    assert_eq!(report.outcome.name(), "failed");
    // Upstream's pause is waited for; after it the others come first.
    let later = "select said from advisoryd.wanted_detail
        where attempts = 0 and next_at > wanted_since + interval '50 minutes'";
    assert_eq!(world.texts(later).await, [said]);
}

/// Three times it may be a limit of all requests. Then it is known to be its own.
#[tokio::test]
async fn one_that_is_always_throttled_holds_up_no_other() {
    let mut world = sparse().await;
    world.settings.upstream.max_attempts = Some(1);
    world.fetch_details().await;
    let saids = world.simulator.saids(1);
    let (throttled, others) = (saids[7].clone(), &saids[8..12]);
    let throttle = |seconds| {
        let fault = AnswerFault::Throttled {
            form: ThrottleForm::Seconds,
            seconds,
        };
        let path = format!("/api/advisories/{throttled}/");
        world.simulator.clear_faults();
        world
            .simulator
            .inject(FaultRule::new(fault).on(&path).times(1000));
    };
    throttle(1);
    let revise = async |world: &World, saids: &[String]| {
        world.later(TimeDelta::minutes(1));
        for said in saids {
            world.simulator.revise(said, true);
        }
        world.pull_one().await;
    };
    revise(&world, std::slice::from_ref(&throttled)).await;
    for _ in 0..3 {
        let report = world.fetch_details().await.remove(0);
        assert_eq!(report.outcome.name(), "failed");
        world.later(TimeDelta::hours(2));
        world.pull_one().await;
    }
    // Nothing waits for ten minutes, although upstream asks for that.
    throttle(3600);
    let context = world.context().await;
    for round in 0..2 {
        revise(&world, others).await;
        let fetching = advisoryd::job::details::fetch::fetch(&context);
        let fetched = tokio::time::timeout(PATIENCE, fetching).await;
        let fetched = fetched.expect("no pause").unwrap();
        let advisoryd::job::details::fetch::Fetched::Ended(report) = fetched else {
            panic!("{fetched:?}");
        };
        assert_eq!(report.outcome.name(), "ok", "{round}: {report:?}");
        assert_eq!(
            world
                .texts("select said from advisoryd.wanted_detail")
                .await,
            [&*throttled]
        );
    }
    // It is asked for in ever longer intervals, and that it is missing is told.
    let kept = "select attempts || ' ' || last_error || ' ' || (next_at > wanted_since + interval '8 hours')
        from advisoryd.wanted_detail";
    assert_eq!(
        world.texts(kept).await,
        ["1 always answered with status 429 (too many requests) true"]
    );
}

#[tokio::test]
async fn one_that_is_throttled_like_all_requests_is_not_held_against_it() {
    let mut world = sparse().await;
    world.settings.upstream.max_attempts = Some(1);
    world.fetch_details().await;
    let said = world.simulator.saids(1).remove(7);
    world.simulator.revise(&said, true);
    world.later(TimeDelta::minutes(1));
    world.pull_one().await;
    let throttled = AnswerFault::Throttled {
        form: ThrottleForm::Seconds,
        seconds: 1,
    };
    world
        .simulator
        .inject(FaultRule::new(throttled).times(1000));
    for _ in 0..5 {
        let report = world.fetch_details().await.remove(0);
        assert_eq!(report.outcome.name(), "failed");
        world.later(TimeDelta::hours(2));
    }
    let kept = "select attempts || ' ' || last_error from advisoryd.wanted_detail";
    let kept = world.texts(kept).await.remove(0);
    assert!(kept.starts_with("0 ") && !kept.contains("always"), "{kept}");
}

/// A detail that is cut short each time keeps no other from being fetched.
#[tokio::test]
async fn details_that_are_cut_short_keep_no_other_from_being_fetched() {
    for broken in [1, 2, 60] {
        let mut world = sparse().await;
        world.settings.upstream.max_attempts = Some(1);
        let due = "select said from advisoryd.wanted_detail
                   order by attempts, modified_at desc nulls last, said";
        for (at, said) in world.texts(due).await.iter().enumerate() {
            // Not one behind the other: then upstream is ill.
            if broken == 60 || at < broken * 10 && at % 10 == 0 {
                let cut = AnswerFault::Truncate {
                    after_bytes: 20,
                    clean: false,
                };
                let path = format!("/api/advisories/{said}/");
                let rule = FaultRule::new(cut).on(&path).times(1000);
                world.simulator.inject(rule);
            }
        }
        world.simulator.forget_requests();
        let report = world.fetch_details().await.remove(0);
        let attempts = world
            .count("select count(*) from advisoryd.wanted_detail where attempts = 1 and last_error like '%cut short%'")
            .await;
        if broken == 60 {
            assert_eq!(report.outcome.name(), "failed");
            let error = report.outcome.error().unwrap();
            assert!(error.contains("cut short"), "{error}");
            let requests = world.simulator.requests().len();
            assert!(requests < 20, "{requests} requests");
            continue;
        }
        assert_eq!(report.outcome.name(), "ok", "{broken}: {report:?}");
        let broken = i64::try_from(broken).unwrap();
        assert_eq!(attempts, broken);
        assert_eq!(world.count(FETCHED).await, 60 - broken);
        assert_eq!(world.count(WANTED).await, broken);
        world.simulator.clear_faults();
        world.later(TimeDelta::minutes(2));
        world.fetch_details().await;
        assert_eq!(world.count(WANTED).await, 0);
    }
}

#[tokio::test]
async fn a_revision_whose_details_are_refused_is_told() {
    let mut world = World::with(with(FeedOptions {
        counts: FeedCounts::Released,
        ..FeedOptions::default()
    }))
    .await;
    world.settings.feeds.sweep = None;
    world.source = "auto";
    // The commands run by the real clock: the world begins in the past and ends at present.
    world.later(TimeDelta::minutes(-30));
    let tick = async || {
        world.pull().await;
        scan_revisions(&world.context().await).await.unwrap();
        world.later(TimeDelta::minutes(3));
        world.fetch_details().await
    };
    tick().await;
    let said = world.simulator.saids(1)[20].clone();
    world.simulator.revise(&said, true);
    refuse(&world, &said);
    world.later(TimeDelta::minutes(15));
    let reports = tick().await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    let problem = async || {
        let proof = verify(world.pool(), None, world.now()).await.unwrap();
        let says = proof.problems.into_iter().map(|one| one.says);
        says.filter(|says| says.contains("not fetched"))
            .collect::<Vec<_>>()
    };
    let result = problem().await;
    assert_eq!(result.len(), 1);
    assert!(
        result[0].contains(&said) && result[0].contains("no permission"),
        "{result:?}"
    );
    check_health(&world.context().await).await.unwrap();
    let result = world.cli(&["status", "--check"]);
    assert!(result.stdout.contains("(details_missing)"), "{result:?}");
    world.simulator.clear_faults();
    world.later(TimeDelta::minutes(5));
    world.fetch_details().await;
    assert_eq!(problem().await, [""; 0]);
    check_health(&world.context().await).await.unwrap();
    let result = world.cli(&["status", "--check"]);
    assert!(!result.stdout.contains("details_missing"), "{result:?}");
}

#[tokio::test]
async fn a_revision_that_waits_for_hours_is_told() {
    let mut world = World::with(with(FeedOptions {
        counts: FeedCounts::Released,
        ..FeedOptions::default()
    }))
    .await;
    world.settings.feeds.sweep = None;
    world.source = "auto";
    world.pull().await;
    scan_revisions(&world.context().await).await.unwrap();
    world.later(TimeDelta::hours(1));
    let said = world.simulator.saids(1)[20].clone();
    world.simulator.revise(&said, true);
    world.later(TimeDelta::hours(1));
    scan_revisions(&world.context().await).await.unwrap();
    for (hours, is_told) in [(1, false), (8, true)] {
        world.later(TimeDelta::hours(hours));
        let proof = verify(world.pool(), None, world.now()).await.unwrap();
        let says = |says: &str| says.contains("not fetched") && says.contains(&said);
        let found = proof.problems.iter().any(|one| says(&one.says));
        assert_eq!(found, is_told, "{:?}", proof.problems);
    }
}
