//! Objects outside: at most one per advisory and rule, whatever fails and whoever is killed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use advisoryd::config::Config;
use advisoryd::job::health::check;
use advisoryd::job::trust::retention::maintain;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toml::Table;

use crate::support::settings::{NEVER, Rule, Sink};
use crate::support::{
    Edge, Gateway, PATIENCE, Receiver, Running, World, assert_reads, eventually, every_commit,
    serve,
};

/// A system with objects, as Jira and ServiceNow have them.
#[derive(Clone, Default)]
struct Tracker {
    objects: Arc<Mutex<Vec<Value>>>,
    /// What is answered next, although it is done.
    lies: Arc<Mutex<Vec<u16>>>,
    /// Whether it answers creations without an id.
    is_silent: Arc<Mutex<bool>>,
    /// How many objects it holds at most.
    most: Arc<Mutex<Option<usize>>>,
}

impl Tracker {
    async fn start() -> (Self, String) {
        let tracker = Self::default();
        let router = Router::new()
            .route("/objects", get(find).post(create))
            .route("/objects/{id}", patch(update))
            .with_state(tracker.clone());
        let url = serve(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
            url
        })
        .await;
        (tracker, url)
    }

    fn objects(&self) -> Vec<Value> {
        self.objects.lock().unwrap().clone()
    }

    fn status(&self, usual: u16) -> StatusCode {
        let lie = self.lies.lock().unwrap().pop();
        StatusCode::from_u16(lie.unwrap_or(usual)).unwrap()
    }

    /// How many objects there are of each key.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for object in self.objects() {
            let key = object["key"].as_str().unwrap().to_owned();
            *counts.entry(key).or_default() += 1;
        }
        counts
    }
}

async fn find(
    State(tracker): State<Tracker>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> String {
    let found = tracker.objects();
    let found: Vec<&Value> = found
        .iter()
        .filter(|object| object["external_id"] == asked["external_id"].as_str())
        .collect();
    json!({ "result": found }).to_string()
}

async fn create(State(tracker): State<Tracker>, bytes: Bytes) -> (StatusCode, String) {
    let mut object: Value = serde_json::from_slice(&bytes).unwrap();
    let id = {
        let mut objects = tracker.objects.lock().unwrap();
        if tracker
            .most
            .lock()
            .unwrap()
            .is_some_and(|most| objects.len() >= most)
        {
            return (StatusCode::SERVICE_UNAVAILABLE, "full".to_owned());
        }
        let id = format!("ID-{}", objects.len() + 1);
        object["id"] = id.clone().into();
        object["notes"] = json!([]);
        objects.push(object);
        id
    };
    let answer = if *tracker.is_silent.lock().unwrap() {
        json!({"result": {}}).to_string()
    } else {
        json!({"result": {"id": id}}).to_string()
    };
    (tracker.status(201), answer)
}

async fn update(
    State(tracker): State<Tracker>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> (StatusCode, String) {
    let note: Value = serde_json::from_slice(&bytes).unwrap();
    let is_known = {
        let mut objects = tracker.objects.lock().unwrap();
        let known = objects
            .iter_mut()
            .find(|object| object["id"] == id.as_str());
        match known {
            Some(object) => {
                object["notes"].as_array_mut().unwrap().push(note);
                true
            }
            None => false,
        }
    };
    let status = tracker.status(if is_known { 200 } else { 404 });
    (status, "{}".to_owned())
}

fn settings(url: &str, with_lookup: bool) -> Sink {
    let lookup = r#"lookup = { path = "/objects?external_id={{ alert.object_id }}", pointer = "/result/0/id" }"#;
    let text = format!(
        r#"
        path = "/objects"
        per = "alert"
        remember = "/result/id"
        template = '{{"key": {{{{ alert.key }}}}, "external_id": {{{{ alert.object_id }}}}}}'
        update = {{ method = "PATCH", path = "/objects/{{{{ remembered }}}}", template = '{{"note": {{{{ alert.what }}}}}}' }}
        resolve = {{ method = "PATCH", path = "/objects/{{{{ remembered }}}}", template = '{{"note": "resolved"}}' }}
        {}
        "#,
        if with_lookup { lookup } else { "" }
    );
    Sink {
        name: "hook".to_owned(),
        kind: "hook",
        url: Some(url.to_owned()),
        allow_private: Some(true),
        more: text.parse::<Table>().unwrap(),
        ..Sink::default()
    }
}

async fn world(url: &str, with_lookup: bool, group: Option<&'static str>) -> World {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        group,
        ..Rule::to_hook("soc", &["appeared", "revised", "rejected"])
    }];
    world.settings.alerts.sinks.push(settings(url, with_lookup));
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world.pull_one().await;
    world.alert().await;
    world
}

const STORED: &str = "select key || ' ' || coalesce(id, 'unknown') || ' ' || resolved from advisoryd_v1.remote_objects order by key";

#[tokio::test]
async fn an_advisory_has_one_object_that_is_created_updated_and_resolved() {
    let (tracker, url) = Tracker::start().await;
    let world = world(&url, true, None).await;
    let said = world.simulator.publish(1).remove(0);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 false")]);
    world.simulator.revise(&said, false);
    world.pull_one().await;
    world.alert().await;
    world.simulator.reject(&said);
    world.pull_one().await;
    world.alert().await;
    let objects = tracker.objects();
    let notes: Vec<&str> = objects[0]["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["note"].as_str().unwrap())
        .collect();
    assert_eq!(objects.len(), 1);
    assert_eq!(notes.first(), Some(&"revised"));
    assert_eq!(notes.last(), Some(&"resolved"));
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 true")]);
}

/// Neither a silence nor an `on` without these events leaves an object open that is over, or
/// closed that is open again. Others are told nothing.
#[tokio::test]
async fn a_silenced_withdrawal_is_resolved_and_a_reinstatement_reopens_the_object() {
    let (tracker, url) = Tracker::start().await;
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    let mut sink = settings(&url, true);
    let reopen = r#"reopen = { method = "PATCH", path = "/objects/{{ remembered }}", template = '{"note": "reopened"}' }"#;
    sink.more.extend(reopen.parse::<Table>().unwrap());
    world.add_hook(&receiver);
    world.settings.alerts.sinks[0].name = "chat".to_owned();
    world.settings.alerts.sinks.push(sink);
    let mut rule = Rule::to_hook("soc", &["appeared"]);
    rule.sinks = &["hook", "chat"];
    world.settings.alerts.rules = vec![rule];
    world.settings.tickets.enabled = Some(false);
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.publish(1).remove(0);
    world.pull_one().await;
    world.alert().await;
    let key = format!("key={said}");
    let silence = ["silence", "add", &key, "--reason", "r", "--until", "1h"];
    assert_eq!(world.cli(&silence).code, 0);
    let notes = || {
        let objects = tracker.objects();
        assert_eq!(objects.len(), 1, "{objects:?}");
        let notes = objects[0]["notes"].as_array().unwrap().clone();
        notes
            .iter()
            .map(|note| note["note"].to_string())
            .collect::<Vec<_>>()
    };
    world.simulator.reject(&said);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(notes(), ["\"resolved\""]);
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 true")]);
    assert_eq!(world.cli(&["silence", "expire", "1"]).code, 0);
    world.simulator.reinstate(&said);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(notes(), ["\"resolved\"", "\"reopened\"", "\"reinstated\""]);
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 false")]);
    assert_eq!(receiver.received().len(), 1, "the other sink");
}

/// The end of a condition that is silenced while it lasts, and of one that was silenced from
/// its beginning.
#[tokio::test]
async fn the_end_of_a_silenced_condition_is_sent_to_who_keeps_its_alert() {
    for is_sent in [true, false] {
        let (tracker, url) = Tracker::start().await;
        let receiver = Receiver::start().await;
        let mut world = World::new().await;
        world.add_hook(&receiver);
        world.settings.alerts.sinks[0].name = "chat".to_owned();
        world.settings.alerts.sinks.push(settings(&url, true));
        world.settings.tickets.enabled = Some(false);
        world.settings.freshness.feeds = Some("30m");
        let look = async |world: &World| {
            let context = world.context().await;
            check::check_health(&context).await.unwrap();
            world.later(TimeDelta::seconds(6));
            world.alert().await;
        };
        let silence = |world: &World| {
            let what = "what=data_stale";
            let add = ["silence", "add", what, "--reason", "r", "--until", "90d"];
            assert_eq!(world.cli(&add).code, 0);
        };
        world.pull_one().await;
        look(&world).await;
        if !is_sent {
            silence(&world);
        }
        world.later(TimeDelta::hours(2));
        look(&world).await;
        assert_eq!(tracker.objects().len(), usize::from(is_sent));
        if is_sent {
            silence(&world);
        }
        world.pull_one().await;
        look(&world).await;
        let ends = "select count(*) from advisoryd_v1.alerts where is_resolved";
        assert_eq!(world.count(ends).await, 1);
        let objects = tracker.objects();
        let notes: Vec<&Value> = objects.iter().map(|object| &object["notes"]).collect();
        let resolved = json!([{ "note": "resolved" }]);
        assert_eq!(notes, vec![&resolved; usize::from(is_sent)]);
        assert_eq!(receiver.received().len(), usize::from(is_sent), "the other");
    }
}

/// `[retention] alerts` is no reason to create a second object, or to leave one open.
#[tokio::test]
async fn an_object_that_is_open_is_remembered_longer_than_its_alerts() {
    let (tracker, url) = Tracker::start().await;
    let mut world = world(&url, false, None).await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared", "revised"])];
    let said = world.simulator.publish(2);
    world.pull_one().await;
    world.alert().await;
    let forget = async || {
        world.later(TimeDelta::days(400));
        let kept = Config::from_text("c", "[retention]\nalerts = \"30d\"").unwrap();
        let now = world.context().await.clock.now();
        let stop = CancellationToken::new();
        maintain(world.pool(), &kept.retention, now, &stop)
            .await
            .unwrap();
        let alerts = world
            .count("select count(*) from advisoryd_v1.alerts")
            .await;
        assert_eq!(alerts, 0);
    };
    forget().await;
    world.simulator.revise(&said[0], false);
    world.simulator.reject(&said[1]);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(tracker.objects().len(), 2, "{:?}", tracker.objects());
    let stored = world.texts(STORED).await;
    assert!(
        stored
            .iter()
            .any(|one| one.starts_with(&said[1]) && one.ends_with(" true")),
        "{stored:?}"
    );
    // What is resolved is forgotten.
    forget().await;
    let left = world
        .texts("select key from advisoryd_v1.remote_objects")
        .await;
    assert_eq!(left, [said[0].clone()]);
}

#[tokio::test]
async fn an_object_whose_creation_was_answered_with_an_error_is_found_again() {
    let (tracker, url) = Tracker::start().await;
    let world = world(&url, true, None).await;
    tracker.lies.lock().unwrap().push(503);
    let said = world.simulator.publish(1).remove(0);
    world.pull_one().await;
    world.alert().await;
    assert!(world.texts(STORED).await.is_empty());
    world.later(chrono::TimeDelta::minutes(1));
    world.alert().await;
    assert_eq!(tracker.counts(), BTreeMap::from([(said.clone(), 1)]));
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 false")]);
}

#[tokio::test]
async fn of_a_message_of_several_alerts_no_accepted_one_is_sent_again() {
    let (tracker, url) = Tracker::start().await;
    // Without a lookup, a repetition would be a second object.
    let world = world(&url, false, Some("1s")).await;
    let saids = world.simulator.publish(3);
    world.pull_one().await;
    *tracker.most.lock().unwrap() = Some(2);
    world.alert().await;
    assert_eq!(tracker.objects().len(), 2);
    assert_eq!(world.texts(STORED).await.len(), 2);
    *tracker.most.lock().unwrap() = None;
    world.later(chrono::TimeDelta::minutes(1));
    world.alert().await;
    let counts = tracker.counts();
    assert_eq!(counts.len(), saids.len());
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    // Nor as an update of what it created.
    let objects = tracker.objects();
    let is_new = |object: &Value| object["notes"] == json!([]);
    assert!(objects.iter().all(is_new), "{objects:?}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn an_object_without_an_id_in_the_response_is_not_created_again() {
    let (tracker, url) = Tracker::start().await;
    let mut world = world(&url, false, Some("1s")).await;
    *tracker.is_silent.lock().unwrap() = true;
    let saids = world.simulator.publish(3);
    let each_once: BTreeMap<String, usize> = saids.iter().map(|said| (said.clone(), 1)).collect();
    world.pull_one().await;
    world.alert().await;
    // One that has no id does not keep the others.
    assert_eq!(tracker.counts(), each_once);
    let stored: Vec<String> = each_once
        .keys()
        .map(|said| format!("{said} unknown false"))
        .collect();
    assert_eq!(world.texts(STORED).await, stored);
    let dead = ["alerts", "list", "--state", "dead_letter", "--json"];
    let listed = world.cli(&dead).json_lines();
    assert_eq!(listed.len(), 3, "{listed:?}");
    let created = listed[0]["error"].as_str().unwrap();
    // Neither further alerts, nor sending it again, nor its end create a second one.
    let said = &saids[0];
    world.later(chrono::TimeDelta::minutes(5));
    world.simulator.revise(said, false);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(
        world
            .cli(&["alerts", "resend", "--state", "dead_letter"])
            .code,
        0
    );
    world.alert().await;
    world.later(chrono::TimeDelta::minutes(5));
    world.simulator.reject(said);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(tracker.counts(), each_once);
    let error = world.cli(&dead).json_lines()[0]["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_reads!(created, error);

    // Unless somebody says so.
    *tracker.is_silent.lock().unwrap() = false;
    let first = "select id::text from advisoryd_v1.alerts where what = 'appeared' and key = $1";
    let id: String = sqlx::query_scalar(first)
        .bind(said)
        .fetch_one(world.pool())
        .await
        .unwrap();
    let again = world.cli(&["alerts", "resend", &id, "--new-object"]);
    assert_eq!(again.code, 0, "{again}");
    world.alert().await;
    assert_eq!(tracker.counts()[said], 2);
    assert!(
        world
            .texts(STORED)
            .await
            .iter()
            .all(|one| !one.contains("unknown"))
    );
    let twice = world.cli(&["alerts", "resend", &id, "--new-object"]);
    assert_eq!(twice.code, 1, "{twice}");
    // The id is known now, and the object is updated.
    world.settings.alerts.rules[0].group = None;
    world.simulator.revise(&saids[1], false);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(tracker.objects().len(), 6);
}

#[tokio::test]
async fn an_object_without_an_id_in_the_response_is_looked_up() {
    let (tracker, url) = Tracker::start().await;
    let world = world(&url, true, None).await;
    *tracker.is_silent.lock().unwrap() = true;
    let said = world.simulator.publish(1).remove(0);
    world.pull_one().await;
    world.alert().await;
    assert_eq!(world.texts(STORED).await, [format!("{said} unknown false")]);
    world.later(chrono::TimeDelta::minutes(1));
    world.alert().await;
    assert_eq!(tracker.counts(), BTreeMap::from([(said.clone(), 1)]));
    assert_eq!(world.texts(STORED).await, [format!("{said} ID-1 false")]);
    let state = "select state from advisoryd_v1.deliveries";
    assert_eq!(world.texts(state).await, ["delivered"]);
}

async fn is_done(world: &World, saids: &[String]) -> bool {
    let stored = world
        .texts("select key from advisoryd_v1.remote_objects")
        .await;
    let waiting = world
        .count("select count(*) from advisoryd.delivery where state = 'waiting'")
        .await;
    saids.iter().all(|said| stored.contains(said)) && waiting == 0
}

/// A daemon that is killed at the place, and one that goes on.
async fn is_killed_at(world: &mut World, tracker: &Tracker, place: u64, edge: Edge) -> bool {
    let saids = world.simulator.publish(2);
    world.pull_one().await;
    let gateway = Gateway::to(&world.database, place, edge).await;
    let mut daemon = world.start_behind(&gateway, &["run"]);
    eventually("the kill or the end", PATIENCE, async || {
        (gateway.has_struck() || is_done(world, &saids).await).then_some(())
    })
    .await;
    daemon.kill9();
    let was_killed = gateway.has_struck();
    drop(gateway);
    if was_killed {
        world.dead_are_gone().await;
        let mut next = Running::start(&mut world.command(&["run"]));
        eventually("the work of the dead", PATIENCE, async || {
            is_done(world, &saids).await.then_some(())
        })
        .await;
        next.kill9();
    }
    let counts = tracker.counts();
    for said in &saids {
        assert_eq!(counts.get(said), Some(&1), "{edge:?} {place}: {said}");
    }
    was_killed
}

async fn every_place(edge: Edge) -> u64 {
    let (tracker, url) = Tracker::start().await;
    let mut world = world(&url, true, Some("1s")).await;
    every_commit(async |place| is_killed_at(&mut world, &tracker, place, edge).await).await
}

#[tokio::test]
async fn killed_before_any_commit_the_daemon_creates_no_second_object() {
    let places = Box::pin(every_place(Edge::Before)).await;
    assert!(places >= 4, "only {places} places");
}

#[tokio::test]
async fn killed_after_any_commit_the_daemon_creates_no_second_object() {
    let places = Box::pin(every_place(Edge::After)).await;
    assert!(places >= 4, "only {places} places");
}
