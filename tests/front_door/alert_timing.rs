//! When alerts are sent: digests, mute times, reminders and escalation, with the clock as an
//! argument.

use advisoryd::job::feeds::feed::LookBack;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use toml::toml;

use crate::support::settings::{Health, MuteTime, Rule};
use crate::support::{Receiver, World};

async fn watched(rules: Vec<Rule>) -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.schedule.timezone = Some("Europe/Berlin");
    world.settings.alerts.mute_times = vec![MuteTime {
        name: "weekend",
        weekdays: &["saturday", "sunday"],
    }];
    world.settings.alerts.rules = rules;
    world.settings.alerts.health = Health {
        enabled: Some(false),
        ..Health::default()
    };
    world.add_hook(&receiver);
    // A Saturday, an hour later in Berlin.
    go_to(&world, "2026-12-05T10:00:00Z");
    world.pull_one().await;
    world.alert().await;
    (world, receiver)
}

fn go_to(world: &World, at: &str) {
    let at: DateTime<Utc> = at.parse().unwrap();
    world.later(at - world.now());
}

fn rule(name: &str, on: &'static [&'static str], clauses: toml::Table) -> Rule {
    Rule {
        clauses,
        ..Rule::to_hook(name, on)
    }
}

async fn publish(world: &World, count: u32) -> Vec<String> {
    let new = world.simulator.publish(count);
    for said in &new {
        world.simulator.join(said, 1);
    }
    world.pull_one().await;
    world.alert().await;
    new
}

/// The number of alerts of each message, and the kinds.
fn notified(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.received();
    let messages = requests.iter().map(|message| {
        let alerts = message.body["alerts"].as_array().unwrap();
        let rule = message.body["rule"].as_str().unwrap();
        let what = alerts[0]["what"].as_str().unwrap();
        format!("{rule} {what} {}", alerts.len())
    });
    messages.collect()
}

#[tokio::test]
async fn a_digest_is_one_message_at_each_scheduled_time_with_everything_since() {
    let digest = toml! { digest = "0 0 8 * * Mon-Fri" };
    let (world, receiver) = watched(vec![rule("daily", &["appeared"], digest)]).await;
    publish(&world, 2).await;
    go_to(&world, "2026-12-06T12:00:00Z");
    publish(&world, 1).await;
    go_to(&world, "2026-12-07T06:59:00Z");
    world.alert().await;
    assert_eq!(
        notified(&receiver),
        Vec::<String>::new(),
        "it is 7:59 in Berlin"
    );
    go_to(&world, "2026-12-07T07:00:30Z");
    world.alert().await;
    assert_eq!(notified(&receiver), ["daily appeared 3"]);
    publish(&world, 1).await;
    // Late, as after an outage.
    go_to(&world, "2026-12-09T11:00:00Z");
    world.alert().await;
    assert_eq!(
        notified(&receiver),
        ["daily appeared 3", "daily appeared 1"]
    );
}

/// Of 1,001 alerts the first 1,000 are a message, and it waits like the other one.
#[tokio::test]
async fn a_full_message_waits_for_its_time_too() {
    let (world, receiver) = watched(vec![
        rule(
            "daily",
            &["appeared"],
            toml! { digest = "0 0 8 * * Mon-Fri" },
        ),
        rule("quiet", &["appeared"], toml! { mute_times = ["weekend"] }),
    ])
    .await;
    publish(&world, 1000).await;
    publish(&world, 1).await;
    world.later(TimeDelta::hours(1));
    world.alert().await;
    assert_eq!(notified(&receiver), Vec::<String>::new());
    go_to(&world, "2026-12-06T23:00:30Z");
    world.alert().await;
    let mut quiet = notified(&receiver);
    quiet.sort();
    assert_eq!(quiet, ["quiet appeared 1", "quiet appeared 1000"]);
    go_to(&world, "2026-12-07T07:00:30Z");
    world.alert().await;
    let mut daily = notified(&receiver)[2..].to_vec();
    daily.sort();
    assert_eq!(daily, ["daily appeared 1", "daily appeared 1000"]);
}

#[tokio::test]
async fn a_digest_comes_once_on_the_days_on_which_summer_time_begins_and_ends() {
    let digest = toml! { digest = "0 30 2 * * *" };
    let (world, receiver) = watched(vec![rule("daily", &["appeared"], digest)]).await;
    // It is 2:30 in Berlin at 0:30 and at 1:30 of UTC.
    go_to(&world, "2027-10-30T20:00:00Z");
    publish(&world, 1).await;
    go_to(&world, "2027-10-31T00:31:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver), ["daily appeared 1"]);
    publish(&world, 2).await;
    go_to(&world, "2027-10-31T01:31:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 1, "it has been 2:30 before");
    go_to(&world, "2027-11-01T01:31:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver)[1..], ["daily appeared 2"]);
    // There is no 2:30 in Berlin.
    go_to(&world, "2028-03-25T20:00:00Z");
    publish(&world, 1).await;
    go_to(&world, "2028-03-26T00:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 2);
    go_to(&world, "2028-03-26T01:01:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver)[2..], ["daily appeared 1"]);
    publish(&world, 1).await;
    go_to(&world, "2028-03-26T02:00:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 3);
}

#[tokio::test]
async fn messages_wait_for_the_end_of_a_mute_time() {
    let mute = toml! { mute_times = ["weekend"] };
    let (world, receiver) = watched(vec![
        rule("quiet", &["appeared"], mute),
        rule("loud", &["appeared"], toml::Table::new()),
    ])
    .await;
    publish(&world, 2).await;
    assert_eq!(notified(&receiver), ["loud appeared 1", "loud appeared 1"]);
    go_to(&world, "2026-12-06T22:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 2, "it is still Sunday in Berlin");
    go_to(&world, "2026-12-06T23:00:30Z");
    world.alert().await;
    assert_eq!(notified(&receiver)[2..], ["quiet appeared 2"]);
    publish(&world, 1).await;
    let mut all = notified(&receiver)[3..].to_vec();
    all.sort();
    assert_eq!(all, ["loud appeared 1", "quiet appeared 1"]);
}

/// What waits for a digest or the end of a mute time waits on when its rule is edited, renamed
/// or removed.
#[tokio::test]
async fn an_edited_rule_does_not_send_what_it_holds() {
    let digest = || toml! { digest = "0 0 8 * * Mon-Fri" };
    let mute = || toml! { mute_times = ["weekend"] };
    let (mut world, receiver) = watched(vec![
        rule("daily", &["appeared"], digest()),
        rule("quiet", &["appeared"], mute()),
        rule("gone", &["appeared"], mute()),
        rule("loud", &["appeared"], mute()),
    ])
    .await;
    publish(&world, 1).await;
    world.settings.alerts.rules = vec![
        rule("daily", &["appeared", "revised"], digest()),
        rule("quiet", &["appeared", "revised"], mute()),
        rule("loud", &["appeared"], toml::Table::new()),
    ];
    world.later(TimeDelta::minutes(1));
    world.alert().await;
    assert_eq!(
        notified(&receiver),
        ["loud appeared 1"],
        "it is not muted now"
    );
    publish(&world, 1).await;
    go_to(&world, "2026-12-06T22:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver)[1..], ["loud appeared 1"]);
    go_to(&world, "2026-12-06T23:00:30Z");
    world.alert().await;
    let mut muted = notified(&receiver)[2..].to_vec();
    muted.sort();
    let expected = ["gone appeared 1", "quiet appeared 1", "quiet appeared 1"];
    assert_eq!(muted, expected);
    go_to(&world, "2026-12-07T07:00:30Z");
    world.alert().await;
    let daily = notified(&receiver)[5..].to_vec();
    assert_eq!(daily, ["daily appeared 1", "daily appeared 1"]);
}

/// A mute time that is made longer holds back what waits for its end, and a digest that is
/// moved comes at the new time.
#[tokio::test]
async fn other_mute_times_and_digests_hold_for_what_waits_already() {
    let digest = |at| toml! { digest = (at) };
    let quiet = || rule("quiet", &["appeared"], toml! { mute_times = ["weekend"] });
    let (mut world, receiver) = watched(vec![
        rule("daily", &["appeared"], digest("0 0 8 * * *")),
        quiet(),
    ])
    .await;
    publish(&world, 1).await;
    world.settings.alerts.mute_times[0].weekdays = &["saturday", "sunday", "monday"];
    world.settings.alerts.rules =
        vec![rule("daily", &["appeared"], digest("0 0 9 * * *")), quiet()];
    world.alert().await;
    go_to(&world, "2026-12-06T07:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver), Vec::<String>::new(), "8:59 in Berlin");
    go_to(&world, "2026-12-06T08:00:30Z");
    world.alert().await;
    assert_eq!(notified(&receiver), ["daily appeared 1"]);
    go_to(&world, "2026-12-07T22:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 1, "it is still Monday");
    let held =
        "select held_by || ' ' || closes_at::text from advisoryd.message where sealed_at is null";
    assert_eq!(
        world.texts(held).await,
        ["mute time `weekend` 2026-12-07 23:00:00+00"]
    );
    go_to(&world, "2026-12-07T23:00:30Z");
    world.alert().await;
    assert_eq!(notified(&receiver)[1..], ["quiet appeared 1"]);
    // One that is made shorter lets go of it at once.
    go_to(&world, "2026-12-12T10:00:00Z");
    world.settings.alerts.rules = vec![quiet()];
    publish(&world, 1).await;
    world.settings.alerts.mute_times[0].weekdays = &["sunday"];
    world.alert().await;
    world.alert().await;
    assert_eq!(notified(&receiver)[2..], ["quiet appeared 1"]);
}

#[tokio::test]
async fn reminders_come_until_somebody_acknowledges() {
    let repeat = toml! { repeat = "24h" };
    let (world, receiver) = watched(vec![rule("soc", &["appeared"], repeat)]).await;
    let said = publish(&world, 1).await.remove(0);
    world.later(TimeDelta::hours(23));
    world.alert().await;
    assert_eq!(notified(&receiver), ["soc appeared 1"]);
    world.later(TimeDelta::hours(2));
    world.alert().await;
    world.alert().await;
    assert_eq!(notified(&receiver), ["soc appeared 1", "soc reminder 1"]);
    // Three days without a daemon are one reminder.
    world.later(TimeDelta::days(3));
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 3);
    assert_eq!(world.cli(&["ack", &said]).code, 0);
    world.later(TimeDelta::days(3));
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 3);
}

#[tokio::test]
async fn rules_test_counts_reminders_also_after_an_acknowledgement_was_withdrawn() {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![rule("soc", &["appeared"], toml! { repeat = "24h" })];
    world.add_hook(&Receiver::start().await);
    world.pull_one().await;
    let said = publish(&world, 1).await.remove(0);
    let reminders = || {
        let tried = world.cli(&["rules", "test", "--since", "30d", "--json"]);
        let tried = tried.json_lines().remove(0);
        let messages = tried["messages"].as_array().unwrap().clone();
        let alerts = messages
            .into_iter()
            .flat_map(|one| one["alerts"].as_array().unwrap().clone());
        alerts.filter(|alert| alert["what"] == "reminder").count()
    };
    // `rules test` has the time of this machine.
    let hours = async |hours: i32| {
        for earlier in [
            "update advisoryd.change set at = at - make_interval(hours => $1)",
            "update advisoryd.sighting set first_seen_at = first_seen_at - make_interval(hours => $1)",
            "update advisoryd.acknowledgement
             set at = at - make_interval(hours => $1),
                 until = until - make_interval(hours => $1),
                 withdrawn_at = withdrawn_at - make_interval(hours => $1)",
        ] {
            let moving = sqlx::query(earlier).bind(hours);
            moving.execute(world.pool()).await.unwrap();
        }
    };
    hours(50).await;
    assert_eq!(reminders(), 2);
    assert_eq!(world.cli(&["ack", &said]).code, 0);
    hours(60).await;
    assert_eq!(reminders(), 2, "nobody is reminded of what is acknowledged");
    assert_eq!(world.cli(&["ack", &said, "--withdraw"]).code, 0);
    hours(23).await;
    assert_eq!(reminders(), 2, "the period begins again");
    hours(26).await;
    assert_eq!(reminders(), 4);
    assert_eq!(world.cli(&["ack", &said, "--until", "3d"]).code, 0);
    hours(72 + 25).await;
    assert_eq!(reminders(), 5, "it has expired");
}

#[tokio::test]
async fn what_nobody_acknowledges_is_escalated_once() {
    let escalate = toml! { unacknowledged_for = "4h" };
    let (world, receiver) = watched(vec![
        rule("soc", &["appeared"], toml::Table::new()),
        rule("pager", &[], escalate),
    ])
    .await;
    let new = publish(&world, 2).await;
    world.later(TimeDelta::hours(3));
    assert_eq!(world.cli(&["ack", &new[0]]).code, 0);
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 2);
    world.later(TimeDelta::hours(2));
    world.alert().await;
    world.later(TimeDelta::days(2));
    world.alert().await;
    assert_eq!(notified(&receiver)[2..], ["pager unacknowledged 1"]);
    assert_eq!(receiver.last().body["alerts"][0]["key"], new[1].as_str());
}

/// What waits for a digest or the end of a mute time has reached nobody yet.
#[tokio::test]
async fn escalation_and_reminders_count_from_when_the_alert_was_sent() {
    let (world, receiver) = watched(vec![
        rule(
            "soc",
            &["appeared"],
            toml! { digest = "0 0 8 * * Mon-Fri" repeat = "4h" },
        ),
        rule("pager", &[], toml! { unacknowledged_for = "4h" }),
    ])
    .await;
    publish(&world, 1).await;
    go_to(&world, "2026-12-07T06:59:00Z");
    world.alert().await;
    assert_eq!(notified(&receiver), Vec::<String>::new());
    go_to(&world, "2026-12-07T07:00:30Z");
    world.alert().await;
    world.alert().await;
    assert_eq!(notified(&receiver), ["soc appeared 1"]);
    world.later(TimeDelta::hours(3));
    world.alert().await;
    assert_eq!(notified(&receiver).len(), 1);
    world.later(TimeDelta::hours(2));
    world.alert().await;
    assert_eq!(notified(&receiver)[1..], ["pager unacknowledged 1"]);
    world.later(TimeDelta::days(1));
    world.alert().await;
    // A receiver that is away is no reason to escalate nothing.
    assert_eq!(notified(&receiver)[2..], ["soc reminder 1"]);
    receiver.usually(503);
    publish(&world, 1).await;
    go_to(&world, "2026-12-09T07:00:30Z");
    world.alert().await;
    world.later(TimeDelta::hours(5));
    world.alert().await;
    let escalated = "select count(*) from advisoryd_v1.alerts where rule = 'pager'";
    assert_eq!(world.count(escalated).await, 2);
}

#[tokio::test]
async fn a_silence_that_can_match_nothing_is_refused_and_others_show_what_they_would_have_held() {
    let (world, _receiver) = watched(vec![rule("soc", &["appeared"], toml::Table::new())]).await;
    let said = publish(&world, 2).await.remove(0);
    world.set_our_clock(TimeDelta::zero());
    let add =
        |matcher: &str| world.cli(&["silence", "add", matcher, "--reason", "r", "--until", "1h"]);
    for (matcher, why) in [
        ("rule=socc", "known: soc, advisoryd"),
        ("what=apeared", "known: appeared"),
        ("watch_list=9", "known: 1"),
        ("severity=hihg", "highly_critical"),
    ] {
        let refused = add(matcher);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("--force"),
            "{refused}"
        );
    }
    let forced = world.cli(&[
        "silence",
        "add",
        "rule=socc",
        "--reason",
        "r",
        "--until",
        "1h",
        "--force",
    ]);
    assert_eq!(forced.code, 0, "{forced}");
    // Those may come later, so that they are only warned of.
    for matcher in [
        "key=SA777",
        "key=foo*",
        "cve=CVE-1999-0001",
        "title=*nothinglikethis*",
    ] {
        let added = add(matcher);
        assert_eq!(added.code, 0, "{added}");
        let warning = format!("warning: `{matcher}` matches no stored");
        assert!(added.stderr.contains(&warning), "{added}");
    }
    for matcher in ["cve=foo", "cve=foo*", "cve=CVE-19-1"] {
        let refused = add(matcher);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stderr.contains("is no CVE identifier"), "{refused}");
    }
    let added = add(&format!("key={said}"));
    assert!(!added.stderr.contains("warning"), "{added}");
    let held = format!("of the 2 alerts of the last 30 days it would have suppressed 1: {said}");
    assert!(added.stdout.contains(&held), "{added}");
}

#[tokio::test]
async fn a_silence_by_product_list_name_or_severity_word_suppresses_what_it_names() {
    let (world, receiver) = watched(vec![rule("soc", &["appeared"], toml::Table::new())]).await;
    publish(&world, 6).await;
    let sent = receiver.received();
    let sent: Vec<&Value> = sent
        .iter()
        .flat_map(|message| message.body["alerts"].as_array().unwrap())
        .collect();
    let (product, list, severity) = {
        let with_all = sent
            .iter()
            .find(|alert| alert["severity"] == "highly_critical");
        let alert = with_all.or(sent.first()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&alert["products"][0]),
            text(&alert["watch_list_names"][0]),
            text(&alert["severity"]),
        )
    };
    let short_name = severity.trim_end_matches("_critical").to_owned();
    world.set_our_clock(TimeDelta::zero());
    for (matcher, stored) in [
        (format!("product={product}"), &product),
        (format!("watch_list={list}"), &list),
        (format!("severity={short_name}"), &severity),
    ] {
        let added = world.cli(&["silence", "add", &matcher, "--reason", "r", "--until", "1h"]);
        assert_eq!(added.code, 0, "{added}");
        let field = matcher.split('=').next().unwrap();
        let silences = world.cli(&["silence", "list", "--json"]).json_lines();
        let newest = silences
            .iter()
            .max_by_key(|one| one["id"].as_i64())
            .unwrap();
        assert_eq!(newest["matchers"][field], stored.as_str());
        let fits = |alert: &&&Value| match field {
            "product" => alert["products"]
                .as_array()
                .unwrap()
                .contains(&json!(product)),
            "watch_list" => alert["watch_list_names"] == json!([list]),
            _ => alert["severity"] == severity.as_str(),
        };
        let held = sent.iter().filter(fits).count();
        let wanted = format!("it would have suppressed {held}: ");
        assert!(held > 0 && added.stdout.contains(&wanted), "{added}");
    }
}

#[tokio::test]
async fn each_silence_by_product_or_list_name_suppresses_by_itself() {
    let (world, receiver) = watched(vec![rule("soc", &["appeared"], toml::Table::new())]).await;
    publish(&world, 1).await;
    let list = receiver.last().body["alerts"][0]["watch_list_names"][0].clone();
    let list = format!("watch_list={}", list.as_str().unwrap());
    for matcher in ["product=*", &list] {
        let add = [
            "silence",
            "add",
            matcher,
            "--reason",
            "r",
            "--until",
            "2027-01-01",
        ];
        let added = world.cli(&add);
        assert_eq!(added.code, 0, "{added}");
        let before = receiver.received().len();
        publish(&world, 1).await;
        assert_eq!(receiver.received().len(), before, "{matcher}");
        let silences = world.cli(&["silence", "list", "--json"]).json_lines();
        for silence in silences {
            let number = silence["id"].to_string();
            assert_eq!(world.cli(&["silence", "expire", &number]).code, 0);
        }
        publish(&world, 1).await;
        assert_eq!(receiver.received().len(), before + 1, "{matcher}: expired");
    }
}

#[tokio::test]
async fn an_advisory_that_comes_back_to_a_list_is_news_after_a_day_and_not_before() {
    let on = &["appeared", "joined_watch_list"];
    let (world, receiver) = watched(vec![rule("soc", on, toml::Table::new())]).await;
    let said = publish(&world, 1).await.remove(0);
    let full = async |hours: i64| {
        world.later(TimeDelta::hours(hours));
        let report = world.pull_back(LookBack::Full).await.remove(0);
        assert_eq!(report.outcome.error(), None);
        world.alert().await;
    };
    let mut expected = vec!["soc appeared 1"];
    let joined = "soc joined_watch_list 1";
    // After how many hours it is back, and whether that is news.
    for (hours, news) in [
        (1, &[joined][..]),
        (1, &[]),
        (30, &[joined]),
        (1, &[]),
        (1, &[]),
    ] {
        world.simulator.leave(&said, 1);
        full(1).await;
        world.simulator.join(&said, 1);
        full(hours).await;
        expected.extend(news);
        assert_eq!(notified(&receiver), expected, "back after {hours} h");
    }
    let tried = world
        .cli(&["rules", "test", "--since", "30d", "--json"])
        .json_lines();
    let messages = tried[0]["messages"].as_array().unwrap();
    let alerts = messages
        .iter()
        .map(|one| one["alerts"].as_array().unwrap().len());
    assert_eq!(
        alerts.sum::<usize>(),
        notified(&receiver).len(),
        "{tried:?}"
    );
}

/// What was told last is what holds: such a rule tells of each change.
#[tokio::test]
async fn an_advisory_that_leaves_and_returns_within_a_day_is_told_of_each_time_by_a_rule_on_both() {
    let on = &["appeared", "joined_watch_list", "left_watch_list"];
    let left = &["left_watch_list"];
    let rules = vec![
        rule("both", on, toml::Table::new()),
        rule("left", left, toml::Table::new()),
    ];
    let (world, receiver) = watched(rules).await;
    let said = publish(&world, 1).await.remove(0);
    let full = async || {
        world.later(TimeDelta::hours(1));
        let report = world.pull_back(LookBack::Full).await.remove(0);
        assert_eq!(report.outcome.error(), None);
        world.alert().await;
    };
    let of = |rule: &str| {
        let all = notified(&receiver).into_iter();
        let own = all.filter(|notified| notified.starts_with(rule));
        own.collect::<Vec<_>>()
    };
    let mut expected = vec!["both appeared 1"];
    for _ in 0..3 {
        world.simulator.leave(&said, 1);
        full().await;
        expected.push("both left_watch_list 1");
        assert_eq!(of("both"), expected);
        world.simulator.join(&said, 1);
        full().await;
        expected.push("both joined_watch_list 1");
        assert_eq!(of("both"), expected);
    }
    assert_eq!(of("left"), ["left left_watch_list 1"]);
}
