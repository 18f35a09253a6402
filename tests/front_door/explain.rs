//! Every answer that `advisoryd explain` has, reached through its front door.

use std::collections::BTreeMap;

use advisoryd::job::alerts::evaluate::{self, RuleSet};
use advisoryd::job::feeds::feed::LookBack;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use toml::toml;

use crate::support::settings::{MuteTime, Rule, WatchList};
use crate::support::{Receiver, World, assert_reads, without};

/// Each leads to another answer for an advisory that is new.
fn rules() -> Vec<Rule> {
    let result = Rule::to_hook("told", &["appeared"]);
    let nobody = |name: &str| Rule {
        sinks: &[],
        ..Rule::to_hook(name, &["appeared"])
    };
    let unlike = Rule {
        clauses: toml! { title = "no title reads like this" },
        ..nobody("false")
    };
    let missing = Rule {
        clauses: toml! {
            threat_score = 1
            product = ["*"]
            cvss4 = 0.1
            cvss2 = 0.0
            missing = "skip"
        },
        ..nobody("missing")
    };
    let shadow = Rule {
        shadow: Some(true),
        ..Rule::to_hook("shadow", &["appeared"])
    };
    let group = Rule {
        group: Some("5m"),
        ..Rule::to_hook("group", &["appeared"])
    };
    let other = Rule::to_hook("other", &["became_zero_day"]);
    vec![
        result,
        unlike,
        missing,
        shadow,
        nobody("nobody"),
        group,
        other,
    ]
}

async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = rules();
    world.add_hook(&receiver);
    (world, receiver)
}

/// Answers and sentences by change and rule.
fn explained(world: &World, key: &str) -> BTreeMap<(String, String), (String, String)> {
    let result = world.cli(&["explain", key, "--json"]);
    let lines = result.json_lines();
    let is_stored = lines.iter().any(|one| one["what"].is_string());
    assert_eq!(result.code, i32::from(!is_stored), "{result:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .into_iter()
        .map(|one| {
            let of = (text(&one["what"]), text(&one["rule"]));
            (of, (text(&one["answer"]), text(&one["text"])))
        })
        .collect()
}

/// The answer for an advisory that appeared.
fn appeared(world: &World, key: &str, rule: &str) -> (String, String) {
    explained(world, key)[&("appeared".to_owned(), rule.to_owned())].clone()
}

async fn new_advisory(world: &World) -> String {
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    world.simulator.saids(1).last().unwrap().clone()
}

#[tokio::test]
async fn what_was_stored_before_is_a_baseline_and_what_is_not_stored_was_not_followed() {
    let (mut world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    let (answer, baseline) = appeared(&world, &said, "told");
    assert_eq!(answer, "baseline");

    let late = Rule::to_hook("late", &["appeared"]);
    world.settings.alerts.rules.push(late);
    world.alert().await;
    let (answer, before) = appeared(&world, &said, "late");
    assert_eq!(answer, "before_rule");

    let nothing = explained(&world, "SA1");
    let (answer, not_followed) = &nothing[&(String::new(), "told".to_owned())];
    assert_eq!(answer, "not_followed");
    assert_reads!(baseline, before, not_followed);
}

#[tokio::test]
async fn each_way_not_to_be_told_has_its_sentence() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = new_advisory(&world).await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "not_evaluated");
    let mut texts = vec![text];

    let context = world.context().await;
    evaluate::evaluate(&context, &RuleSet::of(&context, false))
        .await
        .unwrap();
    let mut all = explained(&world, &said);
    for (rule, answer) in [
        ("other", "not_asked"),
        ("false", "clause_false"),
        ("missing", "value_missing"),
        ("shadow", "shadow"),
        ("nobody", "recorded"),
        ("group", "gathering"),
        ("told", "waiting"),
    ] {
        let of = ("appeared".to_owned(), rule.to_owned());
        let (found, text) = all.remove(&of).unwrap();
        assert_eq!(found, answer, "{rule}: {text}");
        texts.push(text);
    }
    assert_reads!(texts.join("\n"));
}

#[tokio::test]
async fn a_message_that_is_told_waits_or_is_given_up_says_so() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    let said = new_advisory(&world).await;
    for _ in 0..3 {
        receiver.answer(503, None);
    }
    world.alert().await;
    let (answer, waiting) = appeared(&world, &said, "told");
    assert_eq!(answer, "waiting");

    world.later(TimeDelta::seconds(10));
    world.alert().await;
    let (answer, delivered) = appeared(&world, &said, "group");
    assert_eq!(answer, "delivered");

    let said = new_advisory(&world).await;
    receiver.answer(400, None);
    receiver.answer(400, None);
    world.alert().await;
    let (answer, dead) = appeared(&world, &said, "told");
    assert_eq!(answer, "dead_letter");
    assert_reads!(waiting, delivered, dead);
}

#[tokio::test]
async fn what_is_silenced_is_recorded_and_says_why_and_until_when() {
    let (world, receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let added = world.cli(&[
        "silence",
        "add",
        "rule=told",
        "--reason",
        "moving house",
        "--until",
        "8h",
    ]);
    assert_eq!(added.code, 0, "{added:?}");
    let said = new_advisory(&world).await;
    world.alert().await;
    let (answer, text) = appeared(&world, &said, "told");
    assert_eq!(answer, "silenced");
    assert_reads!(text);
    let told_of: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.body["rule"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        told_of,
        ["group"],
        "only the rule that is not silenced was sent"
    );
}

#[tokio::test]
async fn a_change_that_a_rule_does_not_ask_for_is_told_apart_from_one_that_it_does() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    world.later(TimeDelta::minutes(5));
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let all = explained(&world, &said);
    let (answer, _) = &all[&("revised".to_owned(), "told".to_owned())];
    assert_eq!(answer, "not_asked");
    let page = world.cli(&["explain", &said.to_lowercase(), "--rule", "told"]);
    assert_eq!(page.code, 0);
    let unknown = world.cli(&["explain", &said, "--rule", "nobody knows"]);
    assert_eq!(unknown.code, 1);
    assert_reads!(page, unknown);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn what_a_rule_would_say_is_said_whatever_the_baseline_says() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    world.settings.alerts.rules = rules();
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    let answers = world.cli(&["explain", &said, "--json"]).json_lines();
    let of = |rule: &str| {
        let mut found = answers.iter();
        found
            .find(|one| one["rule"] == rule && one["what"] == "appeared")
            .unwrap_or_else(|| panic!("{rule}: {answers:?}"))
    };
    assert_eq!(of("told")["would_match"], true);
    assert_eq!(of("false")["would_match"], false);
    assert_eq!(of("other")["would_match"], false);
    let text = |rule: &str| of(rule)["text"].as_str().unwrap().to_owned();
    assert!(
        text("told").ends_with("; the rule would match"),
        "{}",
        text("told")
    );
    for rule in ["told", "shadow", "nobody"] {
        assert_eq!(of(rule)["answer"], "baseline", "{rule}");
    }
    // The rules of the configuration, also those that no daemon uses yet.
    world.settings.alerts.rules.push(Rule {
        clauses: toml! { where = "title = nothing" },
        ..Rule::to_hook("new", &["appeared"])
    });
    let tried = world.cli(&["rules", "test", "--advisory", &said, "--json"]);
    assert_eq!(tried.code, 0, "{tried}");
    let tried: BTreeMap<String, (bool, String, bool)> = tried
        .json_lines()
        .into_iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            let value = (
                one["would_match"].as_bool().unwrap(),
                text("text"),
                one["sample"].is_object(),
            );
            (text("rule"), value)
        })
        .collect();
    assert_eq!(tried["told"], (true, "would match".to_owned(), true));
    assert!(!tried["new"].0, "{tried:?}");
    assert!(
        tried["new"]
            .1
            .starts_with("would not match: `where` requires"),
        "{tried:?}"
    );
    assert_eq!(
        tried["other"].1,
        "would match one of these events, none of which occurred here: became_zero_day"
    );
    let page = world.cli(&["rules", "test", "--advisory", &said, "--rule", "told"]);
    assert!(page.stdout.contains(&format!("    {said}: ")), "{page}");
    let unknown = world.cli(&["rules", "test", "--advisory", "SA1"]);
    assert_reads!(page, unknown);
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn explain_takes_a_cve_tells_an_acknowledgement_and_fails_for_what_is_not_stored() {
    let (world, _receiver) = watched().await;
    world.pull_one().await;
    world.alert().await;
    let mentioned = "select min(cve || ' ' || said)
                     from advisoryd_v1.advisories
                     cross join lateral unnest(cves) as cve
                     group by cve
                     having count(*) = 1
                     limit 1";
    let mentioned = world.texts(mentioned).await.remove(0);
    let (cve, said) = mentioned.split_once(' ').unwrap();
    let result = world.cli(&["explain", &cve.to_lowercase()]);
    assert_eq!(result.code, 0, "{result}");
    assert!(result.stdout.starts_with(&format!("{said}: ")), "{result}");
    assert!(!result.stdout.contains("acknowledged"), "{result}");
    assert_eq!(world.cli(&["ack", said, "--note", "in hand"]).code, 0);
    let result = world.cli(&["explain", said]).stdout;
    let second = result.lines().nth(1).unwrap();
    assert!(second.starts_with("  acknowledged by "), "{result}");
    assert!(second.ends_with(": in hand"), "{result}");
    for unknown in ["SA1", "CVE-1999-1", "#1"] {
        for option in [&[][..], &["--json"]] {
            let arguments = [&["explain", unknown][..], option].concat();
            let result = world.cli(&arguments);
            assert_eq!(result.code, 1, "{result}");
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn rules_that_the_clock_evaluates_are_tried_and_explained() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    // The past, as the commands see it.
    world.later(TimeDelta::days(-6));
    world.pull_one().await;
    world.alert().await;
    let late = toml! { without_ticket_for = "3d" };
    world.settings.alerts.rules = vec![
        Rule {
            clauses: late,
            ..Rule::to_hook("late", &[])
        },
        Rule {
            clauses: toml! { repeat = "24h" },
            ..Rule::to_hook("again", &["appeared"])
        },
        Rule {
            clauses: toml! { digest = "0 0 8 * * *" },
            ..Rule::to_hook("daily", &["appeared"])
        },
    ];
    world.alert().await;
    let said = new_advisory(&world).await;
    world.simulator.publish(1);
    world.pull_one().await;
    world.alert().await;

    let explained = world
        .cli(&["explain", &said, "--rule", "late", "--json"])
        .json_lines();
    assert_eq!(explained.len(), 1, "{explained:?}");
    let one = &explained[0];
    assert_eq!(
        (&one["answer"], &one["what"]),
        (&"by_clock".into(), &"without_ticket".into())
    );
    assert_eq!(one["would_match"], true, "{one}");
    let tried = world
        .cli(&["rules", "test", "--since", "30d", "--json"])
        .json_lines();
    let of = |rule: &str| {
        let found = tried.iter().find(|one| one["rule"] == rule).unwrap();
        let messages = found["messages"].as_array().unwrap().clone();
        let alerts = messages
            .iter()
            .flat_map(|one| one["alerts"].as_array().unwrap().clone());
        (messages.len(), alerts.collect::<Vec<Value>>())
    };
    let (_, late) = of("late");
    assert!(
        late.iter()
            .any(|one| one["key"] == said.as_str() && one["what"] == "without_ticket"),
        "{late:?}"
    );
    // Three new ones on the first day, then reminders for almost six days.
    let (_, again) = of("again");
    let reminders = again
        .iter()
        .filter(|one| one["what"] == "reminder" && one["key"] == said.as_str());
    assert_eq!(reminders.count(), 5, "{again:?}");
    let (messages, daily) = of("daily");
    assert_eq!(messages, 1, "one digest: {daily:?}");
    assert!(daily.len() >= 2, "{daily:?}");

    // Now for real: what the clock raised is told with its delivery.
    world.set_our_clock(TimeDelta::zero());
    world.alert().await;
    let explained = world
        .cli(&["explain", &said, "--rule", "late", "--json"])
        .json_lines();
    let answers: Vec<&str> = explained
        .iter()
        .map(|one| one["answer"].as_str().unwrap())
        .collect();
    assert_eq!(answers, ["delivered", "by_clock"], "{explained:?}");
}

#[tokio::test]
async fn what_waits_for_a_digest_or_a_mute_time_says_for_which_and_until_when() {
    let (mut world, _receiver) = watched().await;
    world.settings.schedule.timezone = Some("UTC");
    world.settings.alerts.mute_times = vec![MuteTime {
        name: "weekend",
        weekdays: &["saturday", "sunday"],
    }];
    world.settings.alerts.rules = vec![
        Rule {
            clauses: toml! { digest = "0 0 8 * * *" },
            ..Rule::to_hook("daily", &["appeared"])
        },
        Rule {
            clauses: toml! { mute_times = ["weekend"] },
            ..Rule::to_hook("quiet", &["appeared"])
        },
    ];
    let saturday: DateTime<Utc> = "2026-12-05T10:00:00Z".parse().unwrap();
    world.later(saturday - world.now());
    world.pull_one().await;
    world.alert().await;
    let said = new_advisory(&world).await;
    world.alert().await;
    for (rule, words) in [
        ("daily", ["digest `0 0 8 * * *`", "2026-12-06 08:00:00 UTC"]),
        ("quiet", ["mute time `weekend`", "2026-12-07 00:00:00 UTC"]),
    ] {
        let (answer, text) = appeared(&world, &said, rule);
        assert_eq!(answer, "gathering");
        assert!(words.iter().all(|one| text.contains(one)), "{text}");
    }
}

#[tokio::test]
async fn what_a_rule_has_sent_is_told_after_it_was_renamed() {
    let (mut world, _receiver) = watched().await;
    world.settings.alerts.rules = vec![Rule::to_hook("old", &["appeared"])];
    world.pull_one().await;
    world.alert().await;
    let said = new_advisory(&world).await;
    world.alert().await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.alert().await;
    let (answer, _) = appeared(&world, &said, "new");
    assert_eq!(answer, "before_rule");
    let (answer, text) = appeared(&world, &said, "old");
    assert_eq!(answer, "delivered");
    let only = world.cli(&["explain", &said, "--rule", "old"]);
    assert_reads!(text, only);
}

#[tokio::test]
async fn rules_are_compared_with_those_of_another_file() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.add_hook(&receiver);
    world.pull_one().await;
    let revised = |says: &'static str| Rule {
        severity: Some(says),
        ..Rule::to_hook("soc", &["appeared"])
    };
    world.settings.alerts.rules = vec![revised("highly_critical")];
    let old = world.dir().join("old.toml");
    std::fs::copy(world.config_file(), &old).unwrap();
    world.settings.alerts.rules = vec![revised("moderately_critical")];
    let old = old.display().to_string();
    let diff = |world: &World, more: &[&str]| {
        let mut arguments = vec!["rules", "test", "--since", "300d", "--diff", &old];
        arguments.extend(more);
        world.cli(&arguments)
    };
    let found = diff(&world, &["--json"]);
    assert_eq!(found.code, 0, "{found}");
    let found = found.json();
    assert_eq!(found["removed"], serde_json::json!([]), "{found}");
    let between = "select count(*) from advisoryd_v1.advisories
                   where severity = 'moderately_critical'
                     and released_at between now() - interval '300 days' and now()";
    let between = world.count(between).await;
    assert!(between > 0);
    assert_eq!(
        found["added"].as_array().unwrap().len(),
        usize::try_from(between).unwrap()
    );
    assert_eq!(found["added"][0]["rules"], serde_json::json!(["soc"]));
    assert_eq!(found["added"][0]["sink"], "hook");
    // That another sink gets them by another rule does not hide what one gets more.
    let mut pager = world.settings.alerts.sinks[0].clone();
    pager.name = "pager".to_owned();
    world.settings.alerts.sinks.push(pager);
    let mut all = Rule::to_hook("all", &["appeared"]);
    all.sinks = &["pager"];
    world.settings.alerts.rules.push(all);
    let with_all = world.dir().join("with-all.toml");
    std::fs::copy(world.config_file(), &with_all).unwrap();
    let with_all = with_all.display().to_string();
    world.settings.alerts.rules[0] = revised("highly_critical");
    let found = world.cli(&[
        "rules", "test", "--since", "300d", "--diff", &with_all, "--json",
    ]);
    let found = found.json();
    let removed = found["removed"].as_array().unwrap();
    assert_eq!(removed.len(), usize::try_from(between).unwrap());
    assert!(removed.iter().all(|one| one["sink"] == "hook"), "{found}");
    assert_eq!(found["added"], serde_json::json!([]));
    world.settings.alerts.rules.pop();
    world.settings.alerts.sinks.pop();
    world.settings.alerts.rules = vec![revised("extremely_critical")];
    let page = diff(&world, &[]);
    // How many of them there are depends on the day.
    let headings = page.stdout.lines().filter(|line| line.contains("rules: "));
    let headings = headings.collect::<Vec<_>>().join("\n");
    assert_reads!(without(&headings, r"[1-9]\d* alerts?", "[n] alerts"));
    assert!(receiver.received().is_empty());
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_filter_is_explained_by_the_values_that_were_judged() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    let rule = |name: &str, clauses| Rule {
        clauses,
        ..Rule::to_hook(name, &["appeared"])
    };
    world.settings.alerts.rules = vec![
        rule(
            "named",
            toml! { where = "list = \"Office\" and epss >= 0.5" },
        ),
        rule("likely", toml! { epss = 0.5 }),
        rule("excluded", toml! { not = { where = "list = \"Before\"" } }),
        rule(
            "either",
            toml! { not = [{ cve = ["CVE-1999-*"] }, { where = "list = \"Before\"" }] },
        ),
        rule(
            "unknown",
            toml! {
                where = "threat_score < 0"
                missing = "skip"
            },
        ),
    ];
    world.lists = Some(Vec::new());
    world.settings.watch_lists = vec![WatchList {
        id: 1,
        name: Some("Before"),
        ..WatchList::default()
    }];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    sqlx::raw_sql("update advisoryd.enrichment set read_at = now()")
        .execute(world.pool())
        .await
        .unwrap();
    world.later(TimeDelta::minutes(5));
    let said = world.simulator.publish(1).remove(0);
    world.pull_one().await;
    world.alert().await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    let explain = ["explain", &said, "--json"];
    let before = world.cli(&explain).json_lines();
    let of = |lines: &[Value], rule: &str| {
        let mut lines = lines.iter();
        let line = lines.find(|line| line["rule"] == rule).unwrap();
        line["text"].as_str().unwrap().to_owned()
    };
    let texts = ["named", "likely", "excluded"].map(|rule| of(&before, rule));
    assert_reads!(without(&texts.join("\n"), r"0\.\d+", "[score]"));

    // All that was compared is another now.
    world.settings.watch_lists[0].name = Some("Office");
    for change in [
        "insert into advisoryd.epss_score (cve, score)
         select distinct unnest(cves), 0.9 from advisoryd.advisory where said = $1",
        "update advisoryd.advisory set threat_score = -1 where said = $1",
    ] {
        sqlx::query(change)
            .bind(&said)
            .execute(world.pool())
            .await
            .unwrap();
    }
    // The name is taken over as by a reload.
    world.context().await;
    let after = world.cli(&explain).json_lines();
    let rules = ["named", "likely", "unknown", "excluded", "either"];
    for rule in rules {
        assert_eq!(of(&after, rule), of(&before, rule));
    }
    for line in &after {
        assert_eq!(line["would_match"], false, "{line}");
    }
    // Verdicts of earlier versions have the values only, and some have none.
    let older = "update advisoryd.judged_value set required = null";
    sqlx::query(older).execute(world.pool()).await.unwrap();
    let old = world.cli(&explain).json_lines();
    for rule in rules {
        assert_eq!(of(&old, rule), of(&before, rule));
    }
    let oldest = "delete from advisoryd.judged_value";
    sqlx::query(oldest).execute(world.pool()).await.unwrap();
    let old = world.cli(&explain).json_lines();
    assert_eq!(
        [of(&old, "excluded"), of(&old, "either")],
        [
            "no match: `not` requires no match for (where list = \"Before\"), got a match at that time",
            "no match: `not` requires no match for (cve CVE-1999-*) or (where list = \"Before\"), got a match at that time",
        ]
    );
}
