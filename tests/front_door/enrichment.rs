//! The KEV catalogue and EPSS scores: facts of advisories, changes, clauses of rules and
//! alerts.

use advisoryd::job::enrichment::pull::PullOutcome;
use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;
use serde_json::json;
use toml::toml;

use crate::support::settings::{EVERY_SECOND, Health, Rule};
use crate::support::{PATIENCE, Receiver, World, assert_reads, eventually, get};

/// A world with both files, and rules about them.
async fn watched(rules: Vec<Rule>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.enrichment.kev = Some(world.simulator.kev_url());
    world.settings.enrichment.epss = Some(world.simulator.epss_url());
    world.settings.enrichment.epss_threshold = Some(0.5);
    world.settings.alerts.rules = rules;
    world.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    world.add_hook(&receiver);
    world.pull_one().await;
    world.enrich().await;
    world.alert().await;
    (world, receiver)
}

fn rule(name: &str, on: &'static [&'static str], clauses: toml::Table) -> Rule {
    Rule {
        clauses,
        ..Rule::to_hook(name, on)
    }
}

/// An advisory with a CVE that no other advisory names.
fn one_with_a_cve(world: &World) -> (String, String) {
    let simulator = &world.simulator;
    let all = simulator.all_saids();
    let cves = |said: &String| simulator.expected(said).unwrap().cves;
    let others = |said: &String, cve: &String| {
        let mut others = all.iter().filter(|other| *other != said);
        others.all(|other| !cves(other).contains(cve))
    };
    let mut found = all
        .iter()
        .filter(|said| simulator.saids(1).contains(said))
        .filter_map(|said| {
            let cve = cves(said).into_iter().find(|cve| others(said, cve))?;
            Some((said.clone(), cve))
        });
    found.next().expect("an advisory with a CVE of its own")
}

async fn kinds(world: &World) -> Vec<String> {
    let sql = "select what || ' ' || key from advisoryd_v1.changes
               where what in ('kev_added', 'epss_crossed') order by seq";
    world.texts(sql).await
}

/// What the receiver got since then, as rule, kind of change and summary.
fn notified(receiver: &Receiver, before: usize) -> Vec<String> {
    let requests = receiver.received();
    let new = requests[before..].iter();
    new.map(|message| {
        let alert = &message.body["alerts"][0];
        let text = |key: &str| alert[key].as_str().unwrap().to_owned();
        format!(
            "{} {} {}",
            message.body["rule"].as_str().unwrap(),
            text("what"),
            text("summary")
        )
    })
    .collect()
}

#[tokio::test]
async fn a_cve_that_is_added_to_the_kev_catalogue_is_told_once_with_its_facts() {
    let (world, receiver) = watched(vec![
        rule("added", &["kev_added"], toml! { kev = true }),
        rule("ransomware", &["kev_added"], toml! { where = "ransomware" }),
        rule("not", &["kev_added"], toml! { ransomware = false }),
    ])
    .await;
    let (said, cve) = one_with_a_cve(&world);
    let unknown = "select count(*) from advisoryd_v1.advisories where kev is not false or ransomware is not false";
    assert_eq!(world.count(unknown).await, 0);
    assert_eq!(kinds(&world).await, Vec::<String>::new());

    world.simulator.add_to_kev([cve.as_str()], true);
    let before = receiver.received().len();
    world.enrich().await;
    world.alert().await;
    assert_eq!(kinds(&world).await, [format!("kev_added {said}")]);
    let due = "select due_on::text from advisoryd_v1.known_exploited where ransomware";
    let due = world.texts(due).await.remove(0);
    let severity = severity(&world, &said).await;
    let summary = format!(
        "kev_added known to be exploited (KEV), due {due}, used in ransomware campaigns, {severity}"
    );
    let mut all = notified(&receiver, before);
    all.sort();
    assert_eq!(
        all,
        [format!("added {summary}"), format!("ransomware {summary}")]
    );
    let alert = &receiver.received()[before].body["alerts"][0];
    assert_eq!(alert["kev"], json!(true));
    assert_eq!(alert["kev_due"], json!(due));

    // Nothing more: not by reading it again, nor by another CVE of the same advisory.
    world.enrich().await;
    world.simulator.add_to_kev(["CVE-1998-1"], false);
    world.enrich().await;
    world.alert().await;
    assert_eq!(kinds(&world).await.len(), 1);
    assert_eq!(receiver.received().len(), before + 2);

    // Removed and added again: nobody is told a second time, and it does not say otherwise.
    world.simulator.remove_from_kev(&cve);
    world.simulator.publish_newer_files();
    world.enrich().await;
    world.simulator.add_to_kev([cve.as_str()], true);
    world.simulator.publish_newer_files();
    world.enrich().await;
    world.alert().await;
    assert_eq!(kinds(&world).await.len(), 2);
    assert_eq!(receiver.received().len(), before + 2);
    let explained = world.cli(&["explain", &said, "--rule", "added", "--json"]);
    let lines = explained.json_lines().into_iter();
    let answers = lines.filter(|one| one["what"] == "kev_added");
    let answers: Vec<_> = answers.map(|one| one["answer"].clone()).collect();
    assert_eq!(answers, ["delivered", "already_reported"], "{explained}");

    let explained = world.cli(&["explain", &said, "--rule", "not"]);
    let why = "`ransomware` requires false, got true";
    assert!(explained.stdout.contains(why), "{explained}");
    let shown = world.cli(&["show", &said]);
    assert!(shown.stdout.contains("kev due"), "{shown}");
    let listed = world.cli(&["advisories", "--kev", "--json"]).json_lines();
    assert!(
        listed.len() == 1 || listed[0].as_array().is_some_and(|all| all.len() == 1),
        "{listed:?}"
    );
}

async fn severity(world: &World, said: &str) -> String {
    let sql = "select said || ' ' || replace(severity, '_', ' ') from advisoryd_v1.advisories";
    let all = world.texts(sql).await;
    let found = all.iter().find_map(|one| one.strip_prefix(said));
    found.unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_new_advisory_about_a_listed_cve_is_exploited_at_once() {
    let (world, receiver) = watched(vec![
        rule("exploited", &["appeared"], toml! { kev = true }),
        rule("likely", &["appeared"], toml! { epss = 0.5 }),
        rule("other", &["appeared"], toml! { kev = false }),
    ])
    .await;
    let new = world.simulator.publish(1).remove(0);
    world.simulator.join(&new, 1);
    let cves = world.simulator.expected(&new).unwrap().cves;
    assert!(!cves.is_empty(), "another seed has advisories with CVEs");
    world
        .simulator
        .add_to_kev(cves.iter().map(String::as_str), false);
    world.simulator.set_score(&cves[0], 0.93);
    let before = receiver.received().len();
    world.enrich().await;
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    assert_eq!(kinds(&world).await, Vec::<String>::new(), "it is new");
    let rules: Vec<String> = notified(&receiver, before)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let mut rules = rules;
    rules.sort();
    assert_eq!(rules, ["exploited", "likely"]);
    let row = "select concat_ws(' ', kev, ransomware, epss) from advisoryd_v1.advisories where kev";
    assert_eq!(world.texts(row).await, ["t f 0.93"]);
}

#[tokio::test]
async fn a_score_that_rises_to_the_threshold_is_told_and_others_are_not() {
    let (world, receiver) = watched(vec![rule(
        "risen",
        &["epss_crossed"],
        toml! { where = "epss >= 0.5" },
    )])
    .await;
    let (said, cve) = one_with_a_cve(&world);
    let before = receiver.received().len();
    for (score, crossings) in [
        (0.49, 0),
        (0.4995, 0),
        (0.5, 1),
        (0.7, 1),
        (0.3, 1),
        (0.6, 2),
    ] {
        world.simulator.set_score(&cve, score);
        world.enrich().await;
        let all = kinds(&world).await;
        assert_eq!(
            all,
            vec![format!("epss_crossed {said}"); crossings],
            "{score}"
        );
    }
    // It has fallen since, and is told with the score that it had.
    world.simulator.set_score(&cve, 0.1);
    world.enrich().await;
    world.alert().await;
    let severity = severity(&world, &said).await;
    // Both crossings are of the same version.
    let summary = format!("risen epss_crossed EPSS score rose to 0.500, {severity}");
    assert_eq!(notified(&receiver, before), [summary]);
    let stored = "select epss::text from advisoryd_v1.advisories where epss = 0.1";
    assert_eq!(world.texts(stored).await.len(), 1);
}

#[tokio::test]
async fn files_never_move_backwards_and_a_removed_cve_keeps_its_row() {
    let (world, _receiver) = watched(Vec::new()).await;
    let (_, cve) = one_with_a_cve(&world);
    world.simulator.add_to_kev([cve.as_str()], false);
    world.enrich().await;
    let exploited = "select count(*) from advisoryd_v1.advisories where kev";
    assert_eq!(world.count(exploited).await, 1);

    world.simulator.publish_older_files();
    let pulled = world.enrich().await;
    let mut errors = Vec::new();
    for one in &pulled {
        let PullOutcome::Failed(error) = one else {
            panic!("{one:?}");
        };
        errors.push(error.clone());
    }
    let status = world.cli(&["status"]).stdout;
    let line = status.lines().find(|line| line.contains("KEV catalogue)"));
    assert_reads!(errors.join("\n"), line.expect("it is told"));
    assert_eq!(world.count(exploited).await, 1);

    // Newer again, without the CVE.
    for _ in 0..3 {
        world.simulator.publish_older_files();
    }
    world.simulator.publish_newer_files();
    world.simulator.remove_from_kev(&cve);
    world.enrich().await;
    assert_eq!(world.count(exploited).await, 0);
    let gone = "select cve from advisoryd_v1.known_exploited where removed_at is not null";
    assert_eq!(world.texts(gone).await, [cve]);
    let status = world.cli(&["status"]);
    assert!(!status.stdout.contains("last error"), "{status}");
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again_and_the_token_never_leaves() {
    let (world, _receiver) = watched(Vec::new()).await;
    let pulled = world.enrich().await;
    assert!(
        matches!(pulled[..], [PullOutcome::Unchanged, PullOutcome::Unchanged]),
        "{pulled:?}"
    );
    world.simulator.add_to_kev(["CVE-1998-1"], false);
    let pulled = world.enrich().await;
    // The simulator answers 400 to a request with a token.
    assert!(
        matches!(
            pulled[..],
            [PullOutcome::Applied(_), PullOutcome::Applied(_)]
        ),
        "{pulled:?}"
    );
    let rows = "select concat_ws(' ', kind, configured, last_success_at is not null, entries > 0)
                from advisoryd_v1.enrichment order by kind";
    assert_eq!(world.texts(rows).await, ["epss t t t", "kev t t t"]);
}

#[tokio::test]
async fn files_that_are_not_read_in_time_are_stale_until_they_are() {
    let (mut world, _receiver) = watched(Vec::new()).await;
    world.settings.enrichment.kev_schedule = Some("0 0 6 * * *");
    let stale = "select key || ' ' || holds from advisoryd_v1.conditions
                 where what = 'data_stale' and key = 'kev'";
    let check = async |world: &World| {
        let context = world.context().await;
        advisoryd::job::health::check::check_health(&context)
            .await
            .unwrap();
        world.texts(stale).await
    };
    assert_eq!(check(&world).await, Vec::<String>::new());
    world.later(TimeDelta::hours(50));
    assert_eq!(check(&world).await, ["kev true"]);
    world.enrich().await;
    assert_eq!(check(&world).await, ["kev false"]);
}

#[tokio::test]
async fn the_daemon_reads_files_on_schedule_and_metrics_show_their_age() {
    let mut world = World::new().await;
    world.settings.enrichment.kev = Some(world.simulator.kev_url());
    world.settings.enrichment.kev_schedule = Some(EVERY_SECOND);
    let port = world.serve_health();
    let daemon = world.run().await;
    let (_, cve) = one_with_a_cve(&world);
    eventually("the first load", PATIENCE, async || {
        let read = "select count(*) from advisoryd_v1.enrichment where last_success_at is not null";
        let stored =
            "select count(*) from advisoryd_v1.watch_lists where last_success_at is not null";
        (world.count(read).await == 1 && world.count(stored).await == 1).then_some(())
    })
    .await;
    // Attempts are at least a minute apart: somebody else's counts, too.
    sqlx::query("update advisoryd.enrichment set attempted_at = null")
        .execute(world.pool())
        .await
        .unwrap();
    world.simulator.add_to_kev([cve.as_str()], false);
    eventually("the change", PATIENCE, async || {
        (!kinds(&world).await.is_empty()).then_some(())
    })
    .await;
    let (_, metrics) = get(port, "/metrics").await;
    for metric in [
        "advisoryd_data_age_seconds{source=\"kev\"}",
        "advisoryd_freshness_limit_seconds{source=\"kev\"}",
        "advisoryd_stored_records{source=\"kev\"} 2",
        "advisoryd_source_failing{source=\"kev\"} 0",
    ] {
        assert!(metrics.contains(metric), "{metric}\n{metrics}");
    }
    drop(daemon);
}
