//! The commands of alerts.

use chrono::TimeDelta;
use serde_json::Value;
use toml::toml;

use crate::support::settings::Rule;
use crate::support::{CommandResult, HOOK_SECRET, Receiver, World, assert_reads};

async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.add_hook(&receiver);
    (world, receiver)
}

fn lines(result: &CommandResult) -> Vec<Value> {
    assert_eq!(result.code, 0, "{result:?}");
    result.json_lines()
}

#[tokio::test]
async fn a_sink_is_tried_truly_and_its_own_answer_is_told() {
    let (world, receiver) = watched().await;
    let good = world.cli(&["alerts", "test", "hook"]);
    assert_eq!(good.code, 0, "{good:?}");
    let sent = &receiver.received()[0];
    assert_eq!(sent.body["purpose"], "test");
    assert_eq!(sent.header("webhook-id"), sent.body["id"]);

    receiver.answer(403, None);
    let bad = world.cli(&["alerts", "test", "hook"]);
    assert_eq!(bad.code, 1);

    let unknown = world.cli(&["alerts", "test", "hok"]);
    assert_eq!(unknown.code, 1);
    assert_reads!(good, bad, unknown);
}

#[tokio::test]
async fn rules_are_tried_on_what_is_stored_and_nothing_is_sent() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    let tried = world.cli(&["rules", "test", "--since", "1d", "--json"]);
    let tried = &lines(&tried)[0];
    assert_eq!(
        tried["messages"].as_array().unwrap().len(),
        3,
        "one each: {tried}"
    );
    assert_eq!(tried["verdicts"]["baseline"], 60);
    assert_eq!(tried["verdicts"]["matched"], 3);
    assert!(receiver.received().is_empty());
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.alerts")
            .await,
        0
    );
    // Whether two of them share a day depends on the time of day.
    let page = world.cli(&["rules", "test"]).to_string();
    assert_reads!(
        page.replace("biggest day 2", "biggest day 1"),
        world.cli(&["rules", "list"])
    );
}

#[tokio::test]
async fn what_matches_only_because_a_value_is_unknown_is_counted_with_what_changes_that() {
    let (mut world, _receiver) = watched().await;
    let rule = |clauses| {
        vec![Rule {
            clauses,
            ..Rule::to_hook("known", &["appeared"])
        }]
    };
    world.settings.alerts.rules = rule(toml! { where = "kev and severity >= not_critical" });
    world.pull_one().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(2);
    world.pull_one().await;
    let result = &lines(&world.cli(&["rules", "test", "--since", "200d", "--json"]))[0];
    assert_eq!(result["unknown"]["alerts"], 2, "{result}");
    assert_eq!(result["unknown"]["values"]["kev"], 2, "{result}");
    let published = &result["published"];
    assert!(published["alerts"].as_u64() > Some(0), "{published}");
    assert_eq!(published["unknown"]["alerts"], published["alerts"]);
    let page = world.cli(&["rules", "test", "--since", "200d"]).stdout;
    let count = published["alerts"].as_u64().unwrap();
    for count in [2, count] {
        let line = format!(
            "{count} of them only because a value is unknown (kev {count}); [enrichment] kev is not set; with `missing = \"skip\"`"
        );
        assert!(page.contains(&line), "{line}\n{page}");
    }
    let said = world.simulator.saids(1)[0].clone();
    let one = ["rules", "test", "--advisory", &said];
    let page = world.cli(&one).stdout;
    assert_reads!(page);
    let json = &lines(&world.cli(&[&one[..], &["--json"]].concat()))[0];
    assert_eq!(json["unknown"], serde_json::json!(["kev"]));

    // What decides alone is not unknown, and a rule may skip what is.
    for clauses in [
        toml! { where = "kev or said != \"SA1\"" },
        toml! {
            where = "kev and severity >= not_critical"
            missing = "skip"
        },
    ] {
        world.settings.alerts.rules = rule(clauses);
        let result = &lines(&world.cli(&["rules", "test", "--since", "200d", "--json"]))[0];
        assert_eq!(result["unknown"]["alerts"], 0, "{result}");
        assert_eq!(result["published"]["unknown"]["alerts"], 0, "{result}");
    }
}

#[tokio::test]
async fn on_a_new_installation_rules_are_tried_by_publication_date() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    let tried = world.cli(&["rules", "test", "--since", "200d", "--json"]);
    let published = &lines(&tried)[0]["published"];
    let expected = world
        .count(
            "select count(*) from advisoryd_v1.advisories
             where released_at between now() - interval '200 days' and now()",
        )
        .await;
    assert!(expected > 0);
    assert_eq!(published["alerts"], expected);
    assert_eq!(published["days"], 200);
    let newest = world
        .texts(
            "select said from advisoryd_v1.advisories where released_at <= now()
             order by released_at desc limit 1",
        )
        .await;
    assert_eq!(published["sample"]["alerts"][0]["key"], newest[0].as_str());
    let page = world.cli(&["rules", "test", "--since", "200d"]).stdout;
    let line = format!("just appeared, without silences: {expected} alerts in 200 days, ");
    assert!(page.contains(&line), "{page}");
    assert!(page.contains(&format!("    {}: ", newest[0])), "{page}");
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn alerts_are_listed_shown_and_told_again_under_the_same_id() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(400, None);
    world.alert().await;
    let listed = lines(&world.cli(&["alerts", "list", "--state", "dead_letter", "--json"]));
    assert_eq!(listed.len(), 1);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_reads!(world.cli(&["alerts", "show", &id]));

    let again = world.cli(&["alerts", "resend", &id]);
    assert_eq!(again.code, 0, "{again:?}");
    world.alert().await;
    let ids: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, [id.clone(), id.clone()]);
    let document = &lines(&world.cli(&["alerts", "show", &id, "--json"]))[0];
    assert_eq!(document["state"], "delivered");
    assert_eq!(
        document["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn an_alert_is_sent_again_only_where_it_is_not_delivered() {
    let (mut world, receiver) = watched().await;
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    world.settings.alerts.rules[0].sinks = &["hook", "other"];
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(400, None);
    world.alert().await;
    let counts = || (receiver.received().len(), other.received().len());
    assert_eq!(counts(), (1, 1));
    let listed = lines(&world.cli(&["alerts", "list", "--json"]));
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let shown = world.cli(&["alerts", "show", &id]).stdout;

    let again = world.cli(&["alerts", "resend", &id]);
    world.alert().await;
    assert_eq!(counts(), (2, 1), "the other one has it");
    let none = world.cli(&["alerts", "resend", &id]);
    assert_eq!(none.code, 1, "{none}");
    assert_reads!(shown, again, none);
    let unknown = world.cli(&["alerts", "resend", &id, "--sink", "nosuch"]);
    assert_eq!(unknown.code, 1, "{unknown}");
    assert!(unknown.stderr.contains("there is no sink `nosuch`"));
    world.alert().await;
    assert_eq!(counts(), (2, 1));
    for (option, expected) in [
        (&["--sink", "other"][..], (2, 2)),
        (&["--all-sinks"], (3, 3)),
    ] {
        let result = world.cli(&[&["alerts", "resend", &id][..], option].concat());
        assert_eq!(result.code, 0, "{result}");
        world.alert().await;
        assert_eq!(counts(), expected, "{option:?}");
    }
}

#[tokio::test]
async fn active_silences_are_seen_and_count_each_alert_that_they_match() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let quiet = world.cli(&["status"]).stdout;
    assert!(!quiet.contains("silence"), "{quiet}");
    let add = |matcher: &str, option: &[&str]| {
        let arguments = ["silence", "add", matcher, "--note", "audit", "--until"];
        world.cli(&[&arguments[..], &["2h"], option].concat())
    };
    let dry = add("key=SA*", &["--dry-run"]);
    assert_eq!(dry.code, 0, "{dry}");
    assert!(dry.stdout.starts_with("of the 0 alerts"), "{dry}");
    let silences = "select count(*) from advisoryd_v1.silences";
    assert_eq!(world.count(silences).await, 0);
    for matcher in ["key=SA*", "severity=not_critical+"] {
        let added = add(matcher, &[]);
        assert_eq!(added.code, 0, "{added}");
    }
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    world.alert().await;
    assert!(receiver.received().is_empty());
    let listed = lines(&world.cli(&["silence", "list", "--json"]));
    let counts: Vec<&Value> = listed.iter().map(|one| &one["alerts"]).collect();
    assert_eq!(counts, [1, 1], "it matches both");
    let status = world.cli(&["status"]).stdout;
    let silences = status.lines().find(|line| line.contains("silence"));
    let said = listed_key(&world);
    let one = world.cli(&["rules", "test", "--advisory", &said]).stdout;
    assert_reads!(silences.unwrap(), one.lines().next().unwrap());
    let json = &lines(&world.cli(&["rules", "test", "--json"]))[0];
    assert_eq!(json["silenced"].as_array().unwrap().len(), 2, "{json}");
    let page = world.cli(&["rules", "test"]).stdout;
    assert_eq!(page.matches("matches 1 alert").count(), 2, "{page}");
}

/// The advisory of the only alert.
fn listed_key(world: &World) -> String {
    let listed = lines(&world.cli(&["alerts", "list", "--json"]));
    listed[0]["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_silence_of_a_product_that_is_not_stored_is_refused_with_a_pattern_that_fits() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    let products =
        "select name from advisoryd_v1.advisory_products where name like '% % %' limit 1";
    let name = world.texts(products).await[0].to_lowercase();
    let part = name.split_once(' ').unwrap().1;
    let add = |product: &str| {
        let matcher = format!("product={product}");
        world.cli(&["silence", "add", &matcher, "--reason", "x", "--until", "1h"])
    };
    let refused = add(part);
    assert_eq!(refused.code, 1, "{refused}");
    let advice = format!("product=*{part}*");
    assert!(refused.stderr.contains(&advice), "{refused}");
    assert_eq!(add("nothing like this").code, 1);
    for product in [&name, &format!("*{part}*")] {
        let added = add(product);
        assert_eq!(added.code, 0, "{added}");
    }
    let worse = ["severity=hgh+", "--reason", "x", "--until", "1h"];
    let wrong = world.cli(&[&["silence", "add"][..], &worse].concat());
    assert_reads!(wrong);
}

#[tokio::test]
async fn all_dead_letters_are_told_again_each_message_once_and_only_where_they_died() {
    let (mut world, receiver) = watched().await;
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    let rule = &mut world.settings.alerts.rules[0];
    rule.sinks = &["hook", "other"];
    rule.group = Some("5m");
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    receiver.answer(400, None);
    world.alert().await;
    assert_eq!((receiver.received().len(), other.received().len()), (1, 1));

    let listed = world.cli(&["alerts", "list"]);
    let heading = listed.stdout.lines().next().unwrap();
    let columns: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(
        columns,
        [
            "created", "rule", "key", "sink", "state", "id", "summary", "error"
        ]
    );
    assert!(listed.stdout.contains("hook, other"), "{listed}");
    let short = listed.stdout.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.len() == 8 && word.chars().all(|one| one.is_ascii_hexdigit()))
    });
    let shown = world.cli(&["alerts", "show", short.unwrap()]);
    assert_eq!(shown.code, 0, "{shown}");

    let resend = ["alerts", "resend", "--state", "dead_letter"];
    let none = world.cli(&[&resend[..], &["--sink", "other"]].concat());
    assert_eq!((none.code, none.stdout.as_str()), (0, "no dead letters\n"));
    let all = world.cli(&[&resend[..], &["--since", "1d"]].concat());
    assert_eq!(all.code, 0, "{all}");
    assert!(all.stdout.starts_with("1 delivery of 1 message"), "{all}");
    let again = world.cli(&resend);
    assert_eq!(again.code, 0, "under way already: {again}");
    world.alert().await;
    assert_eq!(
        (receiver.received().len(), other.received().len()),
        (2, 1),
        "the sink that took it is not told again"
    );
}

#[tokio::test]
async fn a_silenced_alert_can_be_told_after_all_and_a_silence_can_be_ended() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let add = [
        "silence", "add", "key=SA*", "--reason", "audit", "--until", "1h",
    ];
    assert_eq!(world.cli(&add).code, 0);
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    world.alert().await;
    assert!(receiver.received().is_empty());
    let listed = lines(&world.cli(&["alerts", "list", "--json"]));
    assert_eq!(listed[0]["state"], "silenced");
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.cli(&["alerts", "resend", &id]).code, 0);
    world.alert().await;
    assert_eq!(receiver.received().len(), 1);

    let silences = lines(&world.cli(&["silence", "list", "--json"]));
    let number = silences[0]["id"].to_string();
    assert_eq!(silences[0]["matchers"]["key"], "SA*");
    assert_eq!(world.cli(&["silence", "expire", &number]).code, 0);
    let twice = world.cli(&["silence", "expire", &number]);
    assert_eq!(twice.code, 1);
    let none = world.cli(&["silence", "list"]);
    let wrong = world.cli(&[
        "silence",
        "add",
        "colour=red",
        "--reason",
        "x",
        "--until",
        "1h",
    ]);
    assert_eq!(wrong.code, 1);
    assert_reads!(twice, none, wrong);
}

#[tokio::test]
async fn sync_tells_what_it_brought() {
    let (world, receiver) = watched().await;
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    world.simulator.publish(2);
    let second = world.cli(&["sync", "feeds"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert_reads!(second);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_backlog_is_told_only_where_somebody_asks_for_it() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    let all = world.cli(&["sync", "feeds", "--alert-backlog"]);
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(receiver.received().len(), 60);
}

#[tokio::test]
async fn a_sink_that_cannot_be_used_keeps_nobody_from_reading_and_is_owed_what_it_missed() {
    let (world, receiver) = watched().await;
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    let secret = world.token_file().with_file_name("hook-secret");
    std::fs::remove_file(&secret).unwrap();
    world.simulator.publish(1);
    let without = world.cli(&["sync", "feeds"]);
    assert_eq!(without.code, 1);
    let stored = world.versions().await.len();
    assert_eq!(stored, 61, "it read all the same");
    let check = world.cli(&["check", "--offline"]);
    assert_eq!(check.code, 1);
    assert_reads!(without, check);
    let mut daemon = world.run().await;
    daemon
        .event("a complaint", |event| event["sink"] == "hook")
        .await;
    daemon.kill9();
    std::fs::write(&secret, HOOK_SECRET).unwrap();
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    assert_eq!(receiver.received().len(), 1, "nothing was lost");
}

#[tokio::test]
async fn a_dead_letter_is_listed_while_another_sink_is_still_to_be_told() {
    let (mut world, receiver) = watched().await;
    let other = Receiver::start().await;
    world.add_webhook("other", &other);
    world.settings.alerts.rules[0].sinks = &["hook", "other"];
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(410, None);
    other.answer(500, None);
    world.alert().await;
    for state in ["dead_letter", "waiting"] {
        let arguments = ["alerts", "list", "--state", state, "--json"];
        let listed = lines(&world.cli(&arguments));
        assert_eq!(listed.len(), 1, "{state}");
        // Which sink failed, and why.
        assert_eq!(
            listed[0]["failed_sinks"],
            serde_json::json!(["hook", "other"])
        );
        let error = listed[0]["error"].as_str().unwrap();
        let (hook, other) = error.split_once("; other: ").unwrap();
        assert!(
            hook.starts_with("hook: ") && hook.contains("410"),
            "{error}"
        );
        assert!(other.contains("500"), "{error}");
    }
    let page = world
        .cli(&["alerts", "list", "--state", "dead_letter"])
        .stdout;
    assert!(page.contains("error") && page.contains("hook: "), "{page}");
    let csv = world.cli(&[
        "alerts",
        "list",
        "--csv",
        "--columns",
        "key,failed_sinks,error",
    ]);
    let mut csv = csv.stdout.lines();
    assert_eq!(csv.next(), Some("key,failed_sinks,error"));
    assert!(csv.next().unwrap().contains(",hook; other,"), "{csv:?}");
    // What was accepted has no error.
    world.later(TimeDelta::minutes(1));
    world.alert().await;
    assert_eq!(
        world
            .cli(&["alerts", "resend", "--state", "dead_letter"])
            .code,
        0
    );
    world.alert().await;
    let listed = &lines(&world.cli(&["alerts", "list", "--json"]))[0];
    assert_eq!(listed["state"], "delivered");
    assert_eq!(listed["error"], Value::Null);
}
