//! What is new in a source that was read before is told once by a rule on `appeared`, also if
//! the first load of another source brings it first; what a first load alone brings is not.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use advisoryd::job::feeds::feed::{LookBack, feeds};
use advisoryd::job::feeds::pull;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::model::SourceKey;
use advisoryd::simulate::{AnswerFault, FaultRule as Trouble, SimulatorOptions};
use chrono::TimeDelta;
use toml::toml;

use crate::support::settings::{ExtraFeed, Rule, WatchList};
use crate::support::{Receiver, World, small};

/// Rules about what appeared in any list and in one of them, and one that also asks for joining.
fn rules() -> Vec<Rule> {
    let in_list = |name: &str, clauses| Rule {
        clauses,
        ..Rule::to_hook(name, &["appeared"])
    };
    vec![
        Rule::to_hook("any", &["appeared"]),
        in_list("one", toml! { watch_lists = [1] }),
        in_list("two", toml! { watch_lists = [2] }),
        Rule::to_hook("joined", &["appeared", "joined_watch_list"]),
    ]
}

/// Watch list 1 was loaded long ago, in this way; list 2 exists upstream.
pub async fn list_one(source: &'static str) -> (World, Receiver) {
    loaded(1, source).await
}

/// This one of two watch lists was loaded long ago.
async fn loaded(id: i64, source: &'static str) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.alerts.rules = rules();
    world.add_hook(&receiver);
    // An advisory of this very second is in no window yet.
    world.later(TimeDelta::minutes(1));
    world.lists = Some(Vec::new());
    follow(&mut world, id, source);
    read(&world, id).await;
    world.alert().await;
    world.later(TimeDelta::hours(10));
    (world, receiver)
}

pub fn follow(world: &mut World, id: i64, source: &'static str) {
    world.settings.watch_lists.push(WatchList {
        id,
        source: Some(source),
        ..WatchList::default()
    });
}

pub async fn pull(world: &World, key: &SourceKey, look_back: LookBack) -> RunReport {
    let context = world.context().await;
    let mut all = feeds(&context.config).into_iter();
    let (feed, _) = all.find(|(feed, _)| feed.key == *key).unwrap();
    let ran = pull::pull(&context, &feed, look_back).await;
    let Ok(Ran::Ended(report)) = ran else {
        panic!("{ran:?}")
    };
    world.fetch_details().await;
    report
}

/// Reads a list, and the details that it needs.
pub async fn read(world: &World, id: i64) {
    let report = pull(world, &SourceKey::WatchList(id), LookBack::Missing).await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
}

/// Publishes an advisory in these lists and no others.
pub fn publish(world: &World, lists: &[i64]) -> String {
    let said = world.simulator.publish(1).remove(0);
    for id in world.simulator.watch_lists() {
        world.simulator.leave(&said, id);
    }
    for id in lists {
        assert!(world.simulator.join(&said, *id));
    }
    world.later(TimeDelta::minutes(1));
    said
}

/// The kinds of the alerts about an advisory, by rule, as the receiver got them.
pub fn notified(receiver: &Receiver, said: &str) -> BTreeMap<String, Vec<String>> {
    let mut notified: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in receiver.received() {
        let rule = message.body["rule"].as_str().unwrap().to_owned();
        let facts = message.facts().into_iter();
        let of_said = facts.filter_map(|(what, key)| (key == said).then_some(what));
        for what in of_said {
            notified.entry(rule.clone()).or_default().push(what);
        }
    }
    notified
}

/// One alert each of these rules, of this kind.
pub fn once<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, Vec<String>> {
    let one = |(rule, what): (&str, &str)| (rule.to_owned(), vec![what.to_owned()]);
    of.map(one).into()
}

/// What `rules test` and `explain` say that each rule told: the kinds of change.
fn assert_agrees(world: &World, receiver: &Receiver, said: &str) {
    let notified = notified(receiver, said);
    let tried = world.cli(&["rules", "test", "--since", "30d", "--json"]);
    for rule in tried.json_lines() {
        let messages = rule["messages"].as_array().unwrap().iter();
        let alerts = messages.flat_map(|message| message["alerts"].as_array().unwrap());
        let of_said = alerts.filter(|alert| alert["key"] == said);
        let what = of_said.map(|alert| alert["what"].as_str().unwrap().to_owned());
        let name = rule["rule"].as_str().unwrap();
        let expected = notified.get(name).cloned().unwrap_or_default();
        assert_eq!(what.collect::<Vec<_>>(), expected, "rules test, {name}");
    }
    let explained = world.cli(&["explain", said, "--json"]).json_lines();
    for rule in world.settings.alerts.rules.iter().map(|rule| &rule.name) {
        let delivered = explained
            .iter()
            .filter(|line| line["rule"] == rule.as_str() && line["answer"] == "delivered");
        let expected = notified.get(rule.as_str()).map_or(0, Vec::len);
        assert_eq!(
            delivered.count(),
            expected,
            "explain, {rule}: {explained:?}"
        );
    }
}

/// Evaluates, reads everything once more, and evaluates again: nothing is told twice.
pub async fn settle(
    world: &World,
    receiver: &Receiver,
    said: &str,
) -> BTreeMap<String, Vec<String>> {
    world.alert().await;
    let before = notified(receiver, said);
    for look_back in [LookBack::Missing, LookBack::Full] {
        world.pull_back(look_back).await;
        world.fetch_details().await;
        world.alert().await;
    }
    assert_eq!(notified(receiver, said), before, "nothing is told twice");
    assert_agrees(world, receiver, said);
    before
}

/// What is told of an advisory that is news in list 1 and not in list 2.
pub const THROUGH_ONE: [(&str, &str); 3] = [
    ("any", "appeared"),
    ("one", "appeared"),
    ("joined", "joined_watch_list"),
];

#[tokio::test]
async fn the_first_load_of_another_list_hides_nothing_however_the_lists_are_read() {
    for (first, second) in [("feed", "feed"), ("feed", "json"), ("json", "feed")] {
        let (mut world, receiver) = list_one(first).await;
        let said = publish(&world, &[1, 2]);
        follow(&mut world, 2, second);
        read(&world, 2).await;
        world.alert().await;
        assert_eq!(
            notified(&receiver, &said),
            once([]),
            "{second}: a first load"
        );
        read(&world, 1).await;
        let all = settle(&world, &receiver, &said).await;
        assert_eq!(all, once(THROUGH_ONE), "{first}, then {second}");
    }
}

#[tokio::test]
async fn it_is_the_same_if_both_come_before_the_rules_look_or_list_one_fails_for_hours() {
    let (mut world, receiver) = list_one("feed").await;
    let said = publish(&world, &[1, 2]);
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    let broken = Trouble::new(AnswerFault::Status(500)).on("asset_list_id=1");
    world.simulator.inject(broken.times(100));
    for _ in 0..3 {
        world.later(TimeDelta::hours(5));
        let report = pull(&world, &SourceKey::WatchList(1), LookBack::Missing).await;
        assert_eq!(report.outcome.name(), "failed");
    }
    world.simulator.clear_faults();
    read(&world, 1).await;
    let all = settle(&world, &receiver, &said).await;
    assert_eq!(all, once(THROUGH_ONE));
}

#[tokio::test]
async fn one_answer_of_both_lists_that_is_news_in_one_is_told_as_such() {
    let (mut world, receiver) = loaded(2, "json").await;
    let said = publish(&world, &[1, 2]);
    follow(&mut world, 1, "json");
    let context = world.context().await;
    for (feed, _) in feeds(&context.config) {
        pull::pull(&context, &feed, LookBack::Missing)
            .await
            .unwrap();
    }
    world.fetch_details().await;
    let all = settle(&world, &receiver, &said).await;
    // Also `one`: it was in both lists when it appeared.
    let each = ["any", "one", "two", "joined"].map(|rule| (rule, "appeared"));
    assert_eq!(all, once(each));
}

#[tokio::test]
async fn a_file_that_is_a_first_load_hides_nothing() {
    let (mut world, receiver) = list_one("feed").await;
    let said = publish(&world, &[1]);
    follow(&mut world, 2, "feed");
    let document = format!(
        "<advisories><advisory><advisory_identifier>{said}</advisory_identifier>\
         <title>One</title></advisory></advisories>"
    );
    let mut import = world.command(&["import", "-", "--watch-list", "2"]);
    let import = import.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut import = import.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = import.stdin.take().unwrap();
    stdin.write_all(document.as_bytes()).unwrap();
    drop(stdin);
    assert!(import.wait().unwrap().success());
    read(&world, 1).await;
    world.alert().await;
    assert_eq!(notified(&receiver, &said)["any"], ["appeared"]);
    assert_eq!(notified(&receiver, &said)["one"], ["appeared"]);
    assert!(!notified(&receiver, &said).contains_key("two"));
}

#[tokio::test]
async fn an_extra_feed_that_was_read_before_tells_what_a_first_load_hid() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = rules();
    world.settings.extra_feeds = vec![ExtraFeed {
        name: "Everything",
        query: BTreeMap::from([("feed_type", "all")]),
    }];
    world.add_hook(&receiver);
    world.lists = Some(Vec::new());
    let extra = SourceKey::ExtraFeed("Everything".to_owned());
    pull(&world, &extra, LookBack::Missing).await;
    world.later(TimeDelta::hours(10));
    let said = publish(&world, &[1]);
    follow(&mut world, 1, "feed");
    read(&world, 1).await;
    pull(&world, &extra, LookBack::Missing).await;
    let all = settle(&world, &receiver, &said).await;
    // Not `one`: the first load of list 1 tells nothing.
    assert_eq!(all, once([("any", "appeared"), ("joined", "appeared")]));
    let next = publish(&world, &[1]);
    read(&world, 1).await;
    let all = settle(&world, &receiver, &next).await;
    let any = ["any", "one", "joined"].map(|rule| (rule, "appeared"));
    assert_eq!(all, once(any));
    let appeared: i64 = sqlx::query_scalar(
        "select count(*) from advisoryd_v1.changes where key = $1 and what = 'appeared'",
    )
    .bind(&next)
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(appeared, 1, "it had appeared already");
}

#[tokio::test]
async fn what_a_first_load_alone_brings_is_not_told() {
    let (mut world, receiver) = list_one("feed").await;
    let known = world.simulator.saids(1).remove(3);
    let mut old = world.simulator.saids(2);
    old.retain(|said| !world.simulator.saids(1).contains(said));
    world.simulator.join(&known, 2);
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    world.alert().await;
    assert!(receiver.received().is_empty());
    // Lists that were read since do not make news of it.
    world.later(TimeDelta::hours(2));
    pull(&world, &SourceKey::WatchList(1), LookBack::Full).await;
    world.later(TimeDelta::days(20));
    world.simulator.join(&old[2], 1);
    pull(&world, &SourceKey::WatchList(1), LookBack::Full).await;
    let all = settle(&world, &receiver, &old[2]).await;
    assert_eq!(all, once([("joined", "joined_watch_list")]));
}

#[tokio::test]
async fn what_is_listed_again_while_its_details_are_pending_is_still_new() {
    let (mut world, receiver) = list_one("json").await;
    let said = publish(&world, &[1, 2]);
    let broken = Trouble::new(AnswerFault::Status(500)).on(&format!("/{said}/"));
    world.simulator.inject(broken.times(1000));
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    world.alert().await;
    // List 1 lists it, and is read completely for hours; only the details are missing.
    for _ in 0..3 {
        read(&world, 1).await;
        world.later(TimeDelta::hours(2));
    }
    assert!(world.simulator.revise(&said, false));
    world.later(TimeDelta::minutes(1));
    read(&world, 1).await;
    world.simulator.clear_faults();
    world.later(TimeDelta::hours(2));
    world.fetch_details().await;
    let all = settle(&world, &receiver, &said).await;
    assert_eq!(all, once(THROUGH_ONE));
}
