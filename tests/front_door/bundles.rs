//! Air-gapped sites: `mirror` outside, `import` inside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use advisoryd::simulate::{AnswerFault, FaultRule, FeedOptions, SimulatorOptions};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::settings::{Discovery, EVERY_SECOND, Health, NEVER, Rule, Schedule};
use crate::support::{
    CommandResult, Daemon, PATIENCE, Receiver, Running, World, assert_reads, eventually, is_alive,
    small,
};

const GATE: &str = "a detail";
const KEY: &str = "bm9ib2R5IGd1ZXNzZXMgdGhpcyBrZXkgb2YgYSB0ZXN0";

/// Outside: everything that a bundle can have.
async fn outside() -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        tickets: 250,
        feed: FeedOptions {
            is_sparse: true,
            ..FeedOptions::default()
        },
        ..small()
    })
    .await;
    world.settings.feeds.details = Some("auto");
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: NEVER,
    });
    world.lists = Some(Vec::new());
    world.settings.enrichment.kev = Some(world.simulator.kev_url());
    world.settings.enrichment.epss = Some(world.simulator.epss_url());
    world
}

/// Inside: the same settings, no token, and nothing that answers.
async fn inside(outside: &World) -> World {
    let mut world = World::new().await;
    world.settings = outside.settings.clone();
    world.lists = Some(Vec::new());
    world.settings.upstream.offline = Some(true);
    // It would be seen if anything was requested.
    world.settings.upstream.base_url = Some(world.simulator.base_url());
    world.settings.enrichment.kev = None;
    world.settings.enrichment.epss = None;
    world
}

fn key(world: &World, text: &str) -> String {
    let path = world.dir().join("bundle-key");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Makes a bundle.
fn mirror(world: &World, name: &str) -> (PathBuf, CommandResult) {
    let out = world.dir().join(name);
    let key = key(world, KEY);
    let path = out.display().to_string();
    let result = world.cli(&["mirror", "--out", &path, "--key-file", &key, "--json"]);
    (out, result)
}

/// Imports a bundle where there is no token.
fn import(world: &World, bundle: &Path, key_text: &str) -> CommandResult {
    let key = key(world, key_text);
    let bundle = bundle.display().to_string();
    let mut command = world.command(&["import", &bundle, "--key-file", &key]);
    std::fs::remove_file(world.token_file()).unwrap();
    CommandResult::from(command.output().unwrap())
}

/// What people can ask for, without times of our own clock.
async fn contents(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "select said || ' ' || coalesce(severity, '') || ' ' || coalesce(title, '') || ' ' || coalesce(cves::text, '')
                || ' ' || coalesce(modified_at::text, '') || ' ' || coalesce(kev::text, '') || ' ' || coalesce(epss::text, '')
         from advisoryd_v1.advisories order by said",
        "select id::text || ' ' || coalesce(status, '') from advisoryd_v1.tickets order by id",
        "select watch_list_id::text || ' ' || said from advisoryd_v1.advisory_watch_lists where left_at is null order by 1",
        "select watch_list_id::text || ' ' || kind || ' ' || upstream_id from advisoryd_v1.watch_list_products where left_at is null order by 1",
        "select said from advisoryd.detail order by said",
    ] {
        all.extend(world.texts(sql).await);
    }
    all
}

#[tokio::test]
async fn a_bundle_brings_inside_what_a_sync_brings_outside() {
    let outside = outside().await;
    let (bundle, made) = mirror(&outside, "first");
    assert_eq!(made.code, 0, "{made}");
    let made = made.json();
    assert_eq!(made["without"], serde_json::json!([]));
    assert!(made["details"].as_u64().unwrap() > 0, "{made}");
    // No database was touched.
    assert_eq!(
        outside
            .count("select count(*) from advisoryd.sync_run")
            .await,
        0
    );

    let inside = inside(&outside).await;
    let result = import(&inside, &bundle, KEY);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(inside.simulator.requests().len(), 0);

    let mut synced = outside;
    synced.settings.schedule.list_contents = Some(EVERY_SECOND);
    let result = synced.cli(&["sync"]);
    assert_eq!(result.code, 0, "{result}");
    let expected = contents(&synced).await;
    assert!(expected.len() > 300, "{}", expected.len());
    assert_eq!(contents(&inside).await, expected);
    // Complete to the time of the bundle, not to that of the import.
    let manifest = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let finished: chrono::DateTime<chrono::Utc> =
        manifest["finished_at"].as_str().unwrap().parse().unwrap();
    let covered = "select max(upper(covered))::text from advisoryd.source where kind in ('watch_list', 'tickets')";
    let covered = inside.texts(covered).await.remove(0).replacen(' ', "T", 1);
    let covered: chrono::DateTime<chrono::Utc> = format!("{covered}:00").parse().unwrap();
    assert!(
        covered <= finished + TimeDelta::seconds(1),
        "{covered} {finished}"
    );
    let complete = "select count(*) from advisoryd.bundle where imported_at is not null";
    assert_eq!(inside.count(complete).await, 1);
    let ages = "select kind || ' ' || (date_trunc('second', read_at) = (select date_trunc('second', max(created_at)) from advisoryd.bundle))
                from (select kind, read_at from advisoryd.enrichment
                      union all select distinct 'contents', read_at from advisoryd.mirror where read_at is not null) as r
                order by 1";
    assert_eq!(
        inside.texts(ages).await,
        ["contents true", "epss true", "kev true"],
        "as old as the bundle"
    );
    let status = inside.cli(&["status", "--json"]).json();
    assert_eq!(status["bundle"]["created_at"], manifest["created_at"]);
    assert!(status["bundle"]["imported_at"].is_string(), "{status}");
    let page = inside.cli(&["status"]).stdout;
    let line = page
        .lines()
        .find(|line| line.starts_with("last bundle: made "));
    let line = line.unwrap_or_else(|| panic!("{page}"));
    assert!(line.contains(" ago), imported "), "{line}");
    // The same again changes nothing.
    let versions = inside.versions().await;
    let again = import(&inside, &bundle, KEY);
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(inside.versions().await, versions);
}

#[tokio::test]
async fn the_daemon_inside_needs_no_token_requests_nothing_and_tells_what_a_bundle_brings() {
    let mut outside = outside().await;
    outside.settings.feeds.details = Some("never");
    let mut inside = inside(&outside).await;
    let receiver = Receiver::start().await;
    inside.add_hook(&receiver);
    let mut exploited = Rule::to_hook("exploited", &["kev_added"]);
    exploited.clauses.insert("kev".to_owned(), true.into());
    inside.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"]), exploited];
    inside.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    inside.settings.schedule = Schedule::every_second();
    let (first, made) = mirror(&outside, "first");
    assert_eq!(made.code, 0, "{made}");
    assert_eq!(import(&inside, &first, KEY).code, 0);

    let mut command = inside.command(&["run"]);
    std::fs::remove_file(inside.token_file()).unwrap();
    let daemon = Daemon::start(&mut command).await;
    let said = outside.simulator.publish(1).remove(0);
    outside.simulator.join(&said, 1);
    let (second, made) = mirror(&outside, "second");
    assert_eq!(made.code, 0, "{made}");
    let result = import(&inside, &second, KEY);
    assert_eq!(result.code, 0, "{result}");
    let messages = receiver.wait_for(1).await;
    assert_eq!(messages[0].body["alerts"][0]["key"], said.as_str());
    assert_eq!(receiver.received().len(), 1, "what was there is no news");
    assert!(is_alive(daemon.pid()));

    // An older one after it.
    let result = import(&inside, &first, KEY);
    assert_eq!(result.code, 1);

    let mut command = inside.command(&["sync"]);
    std::fs::remove_file(inside.token_file()).unwrap();
    let synced = CommandResult::from(command.output().unwrap());
    assert_eq!(synced.code, 0, "{synced}");
    let mut command = inside.command(&["check"]);
    std::fs::remove_file(inside.token_file()).unwrap();
    let checked = CommandResult::from(command.output().unwrap());
    assert_eq!(checked.code, 0, "{checked}");
    let upstream = checked
        .stdout
        .lines()
        .find(|line| line.contains("upstream:"));
    assert_reads!(result, synced, upstream.expect("what is not asked"));
    assert_eq!(inside.simulator.requests().len(), 0);
    assert!(!checked.stderr.contains("needs `kev`"), "{checked}");

    // Files of bundles grow old like the feeds in them.
    let fresh = inside.cli(&["status", "--check"]);
    assert!(!fresh.stdout.contains("KEV"), "{fresh}");
    let old =
        "update advisoryd.enrichment set read_at = read_at - interval '9 days' where kind = 'kev'";
    sqlx::query(old).execute(inside.pool()).await.unwrap();
    let stale = inside.cli(&["status", "--check"]);
    assert_eq!(stale.code, 2, "{stale}");
    let line = "KEV catalogue: its data is 9 days old";
    assert!(stale.stdout.contains(line), "{stale}");
}

/// Without a daemon, nobody else would.
#[tokio::test]
async fn an_import_evaluates_and_delivers_by_itself() {
    let mut outside = outside().await;
    outside.settings.feeds.details = Some("never");
    let mut inside = inside(&outside).await;
    let receiver = Receiver::start().await;
    inside.add_hook(&receiver);
    inside.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    inside.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    let (first, made) = mirror(&outside, "first");
    assert_eq!(made.code, 0, "{made}");
    let result = import(&inside, &first, KEY);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(receiver.received().len(), 0, "a first load is the baseline");
    let said = outside.simulator.publish(1).remove(0);
    outside.simulator.join(&said, 1);
    let (second, made) = mirror(&outside, "second");
    assert_eq!(made.code, 0, "{made}");
    let result = import(&inside, &second, KEY);
    assert_eq!(result.code, 0, "{result}");
    assert!(
        result
            .stdout
            .contains("alerts: 1 created, 1 message delivered"),
        "{result}"
    );
    let messages = receiver.received();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].body["alerts"][0]["key"], said.as_str());
    assert_eq!(inside.simulator.requests().len(), 0);
}

#[tokio::test]
async fn what_is_damaged_missing_or_foreign_is_refused_and_nothing_of_it_is_taken() {
    let mut outside = outside().await;
    outside.settings.feeds.details = Some("never");
    let (bundle, made) = mirror(&outside, "bundle");
    assert_eq!(made.code, 0, "{made}");
    let mut inside = inside(&outside).await;

    let mut all = Vec::new();
    let mut refused = |result: CommandResult| {
        assert_eq!(result.code, 1, "{result}");
        all.push(result.stderr);
    };
    for key in ["another-key-that-is-also-long-enough", "short"] {
        refused(import(&inside, &bundle, key));
    }

    let feed = bundle.join(first_file(&bundle, "/api/xml-feed/"));
    let good = std::fs::read(&feed).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&feed, &bad).unwrap();
    refused(import(&inside, &bundle, KEY));
    std::fs::remove_file(&feed).unwrap();
    refused(import(&inside, &bundle, KEY));
    std::fs::write(&feed, &good).unwrap();

    let manifest = bundle.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"days\": 365", "\"days\": 364")).unwrap();
    refused(import(&inside, &bundle, KEY));
    std::fs::remove_file(&manifest).unwrap();
    refused(import(&inside, &bundle, KEY));
    std::fs::write(&manifest, &text).unwrap();

    let path = bundle.display().to_string();
    refused(inside.cli(&["import", &path, "--watch-list", "1"]));
    inside.settings.upstream.offline = None;
    refused(import(&inside, &bundle, KEY));
    inside.settings.upstream.offline = Some(true);
    inside.settings.enrichment.kev = Some("https://kev.example/kev.json".to_owned());
    let checked = inside.cli(&["check", "--offline"]);
    assert_eq!(checked.code, 78, "{checked}");
    all.push(checked.stderr);
    assert_reads!(all.join("\n"));
    inside.settings.enrichment.kev = None;

    for sql in [
        "select count(*) from advisoryd.sync_run",
        "select count(*) from advisoryd.advisory",
        "select count(*) from advisoryd.bundle",
    ] {
        assert_eq!(inside.count(sql).await, 0, "{sql}");
    }
    assert_eq!(import(&inside, &bundle, KEY).code, 0, "it is whole again");
}

/// The file of the first request below a path.
fn first_file(bundle: &Path, path: &str) -> String {
    let manifest = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let responses = manifest["responses"].as_array().unwrap();
    let found = responses
        .iter()
        .find(|one| one["request"].as_str().unwrap().starts_with(path));
    found.unwrap()["file"].as_str().unwrap().to_owned()
}

/// Requests so far, without the size of pages.
fn requests(world: &World) -> Vec<String> {
    let all = world.simulator.requests().into_iter();
    all.map(|one| one.target).collect()
}

#[tokio::test]
async fn a_mirror_that_is_killed_requests_only_what_is_missing() {
    let mut outside = outside().await;
    outside.settings.feeds.details = Some("always");
    let out = outside.dir().join("bundle");
    let path = out.display().to_string();
    let key = key(&outside, KEY);
    let arguments = ["mirror", "--out", &path, "--key-file", &key, "--json"];
    let hold = AnswerFault::Hold {
        after_bytes: 10,
        gate: GATE.to_owned(),
    };
    outside.simulator.inject(FaultRule {
        skip: 7,
        ..FaultRule::new(hold).on("/api/advisories/SA")
    });
    let mut running = Running::start(&mut outside.command(&arguments));
    outside.reached(GATE).await;
    running.kill9();
    running.wait();
    outside.simulator.open(GATE);
    assert!(!out.join("manifest.json").exists());
    let journal = std::fs::read_to_string(out.join("unfinished.jsonl")).unwrap();
    let saved: BTreeSet<String> = journal
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| Some(line["request"].as_str()?.to_owned()))
        .collect();
    assert!(saved.len() > 10, "{}", saved.len());
    let inside = inside(&outside).await;
    let incomplete = import(&inside, &out, KEY);

    outside.simulator.forget_requests();
    let result = outside.cli(&arguments);
    assert_eq!(result.code, 0, "{result}");
    let made = result.json();
    assert_eq!(made["resumed"], saved.len(), "{made}");
    let again: Vec<String> = requests(&outside)
        .into_iter()
        .map(|target| {
            let target = target
                .replace("page_size=100&", "")
                .replace("&page_size=100", "");
            target.replace("?page_size=100", "")
        })
        .filter(|target| saved.contains(target))
        .collect();
    assert_eq!(again, Vec::<String>::new());
    assert_eq!(import(&inside, &out, KEY).code, 0);
    // A complete bundle is not overwritten.
    let again = outside.cli(&arguments);
    assert_reads!(incomplete, again);
}

#[tokio::test]
async fn a_feed_that_is_cut_short_makes_no_bundle() {
    let outside = outside().await;
    let cut = FaultRule::new(AnswerFault::Truncate {
        after_bytes: 300,
        clean: true,
    });
    outside
        .simulator
        .inject(cut.on("/api/xml-feed/").times(u32::MAX));
    let (bundle, made) = mirror(&outside, "bundle");
    assert_eq!(made.code, 1, "{made}");
    assert_reads!(made);
    assert!(!bundle.join("manifest.json").exists());
    outside.simulator.clear_faults();
    let (_, made) = mirror(&outside, "bundle");
    assert_eq!(made.code, 0, "{made}");
}

/// What is new is of this very second, which no window holds yet.
async fn second_is_over() {
    let begun = std::time::Instant::now();
    eventually("the next second", PATIENCE, async || {
        (begun.elapsed() > std::time::Duration::from_secs(1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_bundle_has_lists_that_are_read_from_the_json_api() {
    let mut outside = World::with(SimulatorOptions {
        watch_lists: 2,
        tickets: 3,
        ..small()
    })
    .await;
    outside.source = "json";
    outside.lists = Some(vec![1, 2]);
    second_is_over().await;
    assert_eq!(outside.cli(&["migrate"]).code, 0);
    let (first, made) = mirror(&outside, "first");
    assert_eq!(made.code, 0, "{made}");
    let made = made.json();
    assert_eq!(
        (&made["feeds"], &made["json_lists"]),
        (&0.into(), &2.into()),
        "{made}"
    );
    // The requests come from the budget that all processes share.
    let used = "select coalesce(sum(requests), 0)::bigint from advisoryd.budget_use";
    let (used, requests) = (
        outside.count(used).await,
        made["requests"].as_i64().unwrap(),
    );
    assert!(used >= requests && requests > 0, "{used} of {requests}");

    let mut inside = inside(&outside).await;
    inside.source = "json";
    inside.lists = Some(vec![1, 2]);
    let result = import(&inside, &first, KEY);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(inside.simulator.requests().len(), 0);
    for list in [1_i64, 2] {
        let members: Vec<String> = sqlx::query_scalar(
            "select said from advisoryd_v1.advisory_watch_lists
             where watch_list_id = $1 and left_at is null order by said",
        )
        .bind(list)
        .fetch_all(inside.pool())
        .await
        .unwrap();
        let mut expected = outside.simulator.saids(list);
        expected.sort();
        assert_eq!(members, expected, "list {list}");
    }

    // What comes with the next bundle is news.
    let said = outside.simulator.publish(1).remove(0);
    outside.simulator.join(&said, 1);
    second_is_over().await;
    let (second, made) = mirror(&outside, "second");
    assert_eq!(made.code, 0, "{made}");
    assert_eq!(import(&inside, &second, KEY).code, 0);
    let news: i64 = sqlx::query_scalar(
        "select count(*) from advisoryd.change where key = $1 and what = 'appeared' and is_news",
    )
    .bind(&said)
    .fetch_one(inside.pool())
    .await
    .unwrap();
    assert_eq!(news, 1);
}

#[tokio::test]
async fn an_unreadable_feed_is_in_the_bundle_by_the_json_api() {
    let mut outside = World::with(SimulatorOptions {
        watch_lists: 1,
        ..small()
    })
    .await;
    outside.source = "auto";
    second_is_over().await;
    outside.simulator.inject(
        FaultRule::new(AnswerFault::Html200)
            .on("asset_list_id=1")
            .times(1000),
    );
    let (bundle, made) = mirror(&outside, "bundle");
    assert_eq!(made.code, 0, "{made}");
    let mut inside = inside(&outside).await;
    inside.source = "auto";
    inside.lists = outside.lists.clone();
    let result = import(&inside, &bundle, KEY);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(
        inside.versions().await.len(),
        outside.simulator.saids(1).len()
    );
}
