//! Messages that are too large for a receiver, as a whole or because of some of their alerts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::TimeDelta;
use serde_json::Value;
use tempfile::TempDir;
use toml::{Table, toml};

use crate::sinks_email::MailServer;
use crate::support::alerts::file;
use crate::support::settings::{NEVER, Rule, Sink};
use crate::support::{
    Edge, Gateway, PATIENCE, Received, Receiver, Running, World, eventually, every_commit,
    state_dir,
};

/// A world whose one rule gathers what appears for these sinks.
async fn gathering(sinks: &'static [&'static str]) -> World {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        sinks,
        group: Some("1s"),
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world
}

async fn alerting_by_webhook() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = gathering(&["hook"]).await;
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    (world, receiver)
}

async fn publish(world: &World, count: u32) {
    world.simulator.publish(count);
    world.pull_one().await;
}

fn keys(requests: &[Received]) -> Vec<Vec<String>> {
    let keys = |one: &Received| one.facts().into_iter().map(|(_, key)| key).collect();
    requests.iter().map(keys).collect()
}

/// What was passed over of the only delivery.
async fn passed_over(world: &World) -> Value {
    let sql = "select coalesce(passed_over, '[]') from advisoryd_v1.deliveries";
    sqlx::query_scalar(sql)
        .fetch_one(world.pool())
        .await
        .unwrap()
}

/// All that are too large are named, and only they are sent again.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn alerts_that_are_too_large_are_named_and_sent_again_without_the_others() {
    let (world, receiver) = alerting_by_webhook().await;
    publish(&world, 5).await;
    // All, three, two, the first twice: it is abridged. Then all others, two, the second, the
    // third twice, and the rest together.
    for status in [413, 413, 413, 413, 413, 413, 413, 200, 413, 413, 200] {
        receiver.answer(status, None);
    }
    world.alert().await;
    let first = receiver.received();
    assert_eq!(first.len(), 11);
    let all = keys(&first)[0].clone();
    let too_large = [all[0].clone(), all[2].clone()];
    let state = "select state || ': ' || last_error from advisoryd_v1.deliveries";
    let dead = world.texts(state).await.remove(0);
    let named = format!(
        "(alerts 1 ({}), 3 ({}) of 5 are too large, also abridged)",
        too_large[0], too_large[1]
    );
    assert!(
        dead.starts_with("dead_letter") && dead.contains(&named),
        "{dead}"
    );
    let stored = passed_over(&world).await;
    let stored: Vec<(&str, &str, i64)> = stored
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (text("key"), text("reason"), one["status"].as_i64().unwrap())
        })
        .collect();
    let expected = too_large.each_ref().map(|key| (&**key, "too_large", 413));
    assert_eq!(stored, expected);

    // Each alert says for itself what became of it.
    let listed = world.cli(&["alerts", "list", "--json"]).json_lines();
    let mut ids = BTreeMap::new();
    for line in &listed {
        let key = line["key"].as_str().unwrap().to_owned();
        let sinks = line["passed_over"].as_array().unwrap().len();
        assert_eq!(sinks, usize::from(too_large.contains(&key)), "{line}");
        let (state, failed) = if sinks == 1 {
            ("dead_letter", 1)
        } else {
            ("delivered", 0)
        };
        assert_eq!(line["state"], state, "{line}");
        assert_eq!(line["failed_sinks"].as_array().unwrap().len(), failed);
        assert_eq!(line["error"].is_string(), failed == 1, "{line}");
        ids.insert(key, line["id"].as_str().unwrap().to_owned());
    }
    let dead_letters = ["alerts", "list", "--state", "dead_letter", "--json"];
    assert_eq!(world.cli(&dead_letters).json_lines().len(), 2);
    let page = world.cli(&["alerts", "list"]).stdout;
    assert_eq!(page.matches("not taken by hook; ").count(), 2, "{page}");
    let page = world.cli(&["alerts", "show", &ids[&too_large[0]]]).stdout;
    for part in [
        "not taken: this alert: too large, also abridged, status 413".to_owned(),
        format!(
            "not taken: alert {} ({}) of the same message",
            ids[&too_large[1]], too_large[1]
        ),
    ] {
        assert!(page.contains(&part), "{part}: {page}");
    }
    let explained = |key: &str| {
        let lines = world.cli(&["explain", key, "--json"]).json_lines();
        lines[0]["text"].as_str().unwrap().to_owned()
    };
    assert!(explained(&all[0]).starts_with("dead letter: not delivered to `hook`"));
    assert!(explained(&all[1]).starts_with("delivered to `hook`, which did not take all"));

    // The receiver takes the third now, and nothing that it has is sent again.
    let resend = ["alerts", "resend", "--state", "dead_letter"];
    assert_eq!(world.cli(&resend).code, 0);
    for status in [413, 413, 200] {
        receiver.answer(status, None);
    }
    world.alert().await;
    let [again, third] = &too_large;
    let sent = keys(&receiver.received()[11..]);
    assert_eq!(sent.concat(), [again.clone(), again.clone(), third.clone()]);
    let id = |place: usize| receiver.received()[place].header("webhook-id").to_owned();
    assert_eq!((id(11), id(13)), (id(3), id(8)), "ids are derived");
    let dead = world.texts(state).await.remove(0);
    let named = format!("(alert 1 of 5 ({again}) is too large, also abridged)");
    assert!(
        dead.starts_with("dead_letter") && dead.contains(&named),
        "{dead}"
    );

    assert_eq!(world.cli(&resend).code, 0);
    world.alert().await;
    let sent = keys(&receiver.received()[14..]);
    assert_eq!(sent.concat(), std::slice::from_ref(again));
    assert_eq!(passed_over(&world).await, serde_json::json!([]));
    let left = "select count(*) from advisoryd_v1.deliveries where state <> 'delivered'";
    assert_eq!(world.count(left).await, 0);
}

#[tokio::test]
async fn a_sink_that_is_of_another_kind_now_gets_the_message_whole_and_once() {
    let (mut world, receiver) = alerting_by_webhook().await;
    publish(&world, 2).await;
    // Both, the first twice, the second.
    for status in [413, 413, 413, 200] {
        receiver.answer(status, None);
    }
    world.alert().await;
    assert_eq!(passed_over(&world).await.as_array().unwrap().len(), 1);
    world.settings.alerts.sinks = vec![Sink {
        name: "hook".to_owned(),
        kind: "log",
        ..Sink::default()
    }];
    let resend = ["alerts", "resend", "--state", "dead_letter"];
    assert_eq!(world.cli(&resend).code, 0);
    world.alert().await;
    let states = world.texts("select state from advisoryd_v1.deliveries");
    assert_eq!(states.await, ["delivered"]);
    assert_eq!(passed_over(&world).await, serde_json::json!([]));
}

/// A piece whose response is lost is sent again with the same alerts and the same id.
#[tokio::test]
async fn a_piece_whose_response_is_lost_is_the_same_in_the_next_attempt() {
    let (world, receiver) = alerting_by_webhook().await;
    publish(&world, 8).await;
    // Eight, four, two; the second two are lost.
    for status in [413, 413, 200, 503] {
        receiver.answer(status, None);
    }
    world.alert().await;
    world.later(TimeDelta::minutes(1));
    world.alert().await;
    let requests = receiver.received();
    let sizes: Vec<usize> = requests.iter().map(|one| one.facts().len()).collect();
    assert_eq!(sizes, [8, 4, 2, 2, 2, 2, 2]);
    assert_eq!(requests[3].bytes, requests[4].bytes);
    assert_eq!(
        requests[3].header("webhook-id"),
        requests[4].header("webhook-id")
    );
}

/// An ordered sink gets nothing while an earlier message waits for its next attempt.
#[tokio::test]
async fn an_ordered_sink_gets_messages_in_their_order_also_after_a_failure() {
    let (mut world, receiver) = alerting_by_webhook().await;
    world.settings.alerts.rules[0].group = None;
    world.settings.alerts.sinks[0]
        .more
        .insert("ordered".to_owned(), true.into());
    receiver.answer(503, None);
    publish(&world, 4).await;
    world.alert().await;
    let first = keys(&receiver.received()).concat();
    assert_eq!(first.len(), 1, "the others wait for it");
    world.later(TimeDelta::minutes(1));
    world.alert().await;
    let sent = keys(&receiver.received()).concat();
    let raised = "select key from advisoryd_v1.alerts a
        join advisoryd_v1.deliveries d using (message_id) order by d.id";
    let raised = world.texts(raised).await;
    assert_eq!(sent[0], raised[0]);
    assert_eq!(sent[1..], raised);
}

/// How many alerts the receivers of these tests take at once.
const MOST: usize = 2;

/// A world with a sink of each kind that takes few alerts at once.
struct Narrow {
    world: World,
    mails: MailServer,
    alertmanager: Receiver,
    calls: PathBuf,
    _dir: TempDir,
}

impl Narrow {
    async fn start() -> Self {
        let mut world = gathering(&["mail", "program", "alertmanager"]).await;
        let most = MOST.to_string();
        let mails = MailServer::start("none", None, &["--most-alerts", &most]).await;
        let alertmanager = Receiver::start().await;
        alertmanager.takes_at_most(MOST);
        let dir = state_dir();
        let calls = dir.path().join("calls");
        let script = file(
            dir.path(),
            "page",
            &format!(
                "#!/usr/bin/python3\nimport json, os, sys\n\
                 ids = [one['id'] for one in json.load(sys.stdin)['alerts']]\n\
                 if len(ids) > {MOST}: sys.exit(113)\n\
                 line = json.dumps([os.environ['ADVISORYD_MESSAGE_ID'], ids]) + '\\n'\n\
                 os.write(os.open('{}', os.O_WRONLY | os.O_CREAT | os.O_APPEND), line.encode())\n",
                calls.display()
            ),
        );
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = mails.port;
        let mail = toml! {
            host = "127.0.0.1"
            port = port
            from = "ad@example.org"
            to = ["soc@example.org"]
            tls = "none"
        };
        let program = script.display().to_string();
        for (name, kind, more) in [
            ("mail", "email", mail),
            ("program", "command", toml! { program = [program] }),
            ("alertmanager", "alertmanager", Table::new()),
        ] {
            let is_http = kind == "alertmanager";
            world.settings.alerts.sinks.push(Sink {
                name: name.to_owned(),
                kind,
                url: is_http.then(|| alertmanager.url.clone()),
                allow_private: is_http.then_some(true),
                more,
                ..Sink::default()
            });
        }
        world.pull_one().await;
        world.alert().await;
        Self {
            world,
            mails,
            alertmanager,
            calls,
            _dir: dir,
        }
    }

    /// By sink: the pieces that were taken, by id, and how often.
    fn taken(&self) -> BTreeMap<&'static str, BTreeMap<String, Vec<Vec<String>>>> {
        let mut taken: BTreeMap<_, BTreeMap<String, Vec<Vec<String>>>> = BTreeMap::new();
        let mut add = |sink: &'static str, id: String, alerts: Vec<String>| {
            let pieces = taken.entry(sink).or_default();
            pieces.entry(id).or_default().push(alerts);
        };
        for mail in self.mails.mails() {
            add("mail", mail.id(), mail.alerts);
        }
        let calls = std::fs::read_to_string(&self.calls).unwrap_or_default();
        for line in calls.lines() {
            let (id, alerts) = serde_json::from_str(line).unwrap();
            add("program", id, alerts);
        }
        for request in self.alertmanager.received() {
            let alerts = request.body.as_array().unwrap();
            let of = |name: &str| -> Vec<String> {
                let texts = alerts.iter().map(|one| one["annotations"][name].as_str());
                texts.map(|text| text.unwrap().to_owned()).collect()
            };
            if alerts.len() <= MOST {
                add("alertmanager", of("message_id")[0].clone(), of("alert_id"));
            }
        }
        taken
    }

    /// Each sink has each alert in exactly one piece, however often that came.
    async fn has_each_alert_once(&self, place: &str) -> usize {
        let sql = "select id::text from advisoryd_v1.alerts order by id";
        let all = self.world.texts(sql).await;
        let taken = self.taken();
        assert_eq!(taken.len(), 3, "{place}");
        let mut repeats = 0;
        for (sink, pieces) in taken {
            let mut alerts: Vec<String> = Vec::new();
            for (id, times) in pieces {
                assert!(times[0].len() <= MOST, "{place}: {sink} {id}");
                let is_same = times.iter().all(|one| *one == times[0]);
                assert!(is_same, "{place}: {sink} {id} says something else");
                repeats += times.len() - 1;
                alerts.extend(times[0].clone());
            }
            alerts.sort();
            assert_eq!(alerts, all, "{place}: {sink}");
        }
        repeats
    }
}

#[tokio::test]
async fn mails_programs_and_alertmanager_get_what_is_too_large_in_pieces() {
    let narrow = Narrow::start().await;
    publish(&narrow.world, 5).await;
    narrow.world.alert().await;
    let states = "select distinct state || failures from advisoryd_v1.deliveries";
    assert_eq!(narrow.world.texts(states).await, ["delivered0"]);
    assert_eq!(
        narrow.has_each_alert_once("").await,
        0,
        "nothing came twice"
    );
    let taken = narrow.taken();
    for pieces in taken.values() {
        let ends: Vec<String> = pieces
            .keys()
            .map(|id| id.splitn(6, '-').nth(5).unwrap().to_owned())
            .collect();
        assert_eq!(ends, ["1-2", "3-4", "5-5"]);
    }
}

async fn is_done(world: &World, alerts: i64) -> bool {
    const WAITING: &str = "select count(*) from advisoryd.delivery where state = 'waiting'";
    let raised = "select count(*) from advisoryd_v1.alerts";
    world.count(raised).await == alerts && world.count(WAITING).await == 0
}

#[tokio::test]
async fn killed_before_any_commit_each_piece_is_the_same_and_no_alert_comes_in_two() {
    let mut narrow = Narrow::start().await;
    let mut alerts = 0;
    let places = every_commit(async |place| {
        let world = &mut narrow.world;
        publish(world, 5).await;
        alerts += 5;
        let gateway = Gateway::to(&world.database, place, Edge::Before).await;
        let mut daemon = world.start_behind(&gateway, &["run"]);
        eventually("the kill or the end", PATIENCE, async || {
            (gateway.has_struck() || is_done(world, alerts).await).then_some(())
        })
        .await;
        daemon.kill9();
        let was_killed = gateway.has_struck();
        drop(gateway);
        if was_killed {
            world.dead_are_gone().await;
            let mut next = Running::start(&mut world.command(&["run"]));
            eventually("the work of the dead", PATIENCE, async || {
                is_done(world, alerts).await.then_some(())
            })
            .await;
            next.kill9();
        }
        narrow.has_each_alert_once(&format!("place {place}")).await;
        was_killed
    })
    .await;
    // Evaluated; for each sink: divided twice, two pieces recorded, settled.
    assert!(places >= 16, "only {places} places");
}
