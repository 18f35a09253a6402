//! What somebody types in the first minute, who knows other tools: words that mean something
//! else here, and advice that can be typed as it is printed.

use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use serde_json::{Value, json};
use toml::toml;

use crate::support::settings::Rule;
use crate::support::{Receiver, Running, World, on_terminal};

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

/// What a command prints on a terminal, with its notes.
fn shown(world: &World, arguments: &[&str]) -> String {
    let mut command = world.command(arguments);
    command.env("NO_COLOR", "1");
    let (page, code) = on_terminal(command, 120);
    assert_eq!(code, 0, "{arguments:?}: {page}");
    page
}

/// The identifiers of the advisories that are found.
fn found(world: &World, arguments: &[&str]) -> Vec<String> {
    let result = world.cli(&[&["advisories", "--json"], arguments].concat());
    assert_eq!(result.code, 0, "{arguments:?}: {result}");
    let lines = result.json_lines();
    let saids = lines.iter().map(|line| line["said"].as_str().unwrap());
    saids.map(str::to_owned).collect()
}

/// The commands in backticks.
fn advised(page: &str) -> Vec<Vec<String>> {
    let parts = page.split('`').skip(1).step_by(2);
    let commands = parts.filter_map(|part| part.strip_prefix("advisoryd "));
    commands
        .map(|command| command.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[tokio::test]
async fn critical_says_which_severity_it_is() {
    let mut world = filled().await;
    let note = "`critical` means only extremely_critical";
    for arguments in [
        &["advisories", "--severity", "critical"][..],
        &["advisories", "--severity", "critical+"],
        &["advisories", "--where", "not severity in (low, critical)"],
        &["changes", "--severity", "Critical"],
        &["rules", "test", "--where", "severity = critical"],
    ] {
        assert!(shown(&world, arguments).contains(note), "{arguments:?}");
        let piped = world.cli(arguments);
        assert!(!piped.stderr.contains(note), "{piped}");
    }
    for severity in ["high+", "extremely_critical"] {
        let page = shown(&world, &["advisories", "--severity", severity]);
        assert!(!page.contains(note), "{page}");
    }
    let title = ["advisories", "--where", "title ~ critical"];
    assert!(!shown(&world, &title).contains(note));
    for command in ["advisories", "changes"] {
        let help = world.cli(&[command, "-h"]).stdout;
        assert!(
            help.contains("extremely_critical (also `critical`)"),
            "{help}"
        );
    }
    let rule = |name: &str| Rule {
        shadow: Some(true),
        sinks: &[],
        ..Rule::to_hook(name, &["appeared"])
    };
    world.settings.alerts.rules = vec![
        Rule {
            severity: Some("critical"),
            ..rule("one")
        },
        Rule {
            clauses: toml! { where = "severity = critical or kev" },
            ..rule("other")
        },
    ];
    let list = world.cli(&["rules", "list"]).stdout;
    assert!(list.contains("severity >= extremely_critical"), "{list}");
    let meant = "severity = critical or kev (`critical` is extremely_critical)";
    assert!(list.contains(meant), "{list}");
    let settings = world.cli(&["config", "show", "alerts.rules"]).stdout;
    assert!(
        settings.contains("\"critical\" (extremely_critical)"),
        "{settings}"
    );
    assert!(
        settings.contains("(`critical` is extremely_critical)"),
        "{settings}"
    );
}

#[tokio::test]
async fn an_argument_with_blanks_is_a_phrase_and_a_word_is_excluded_behind_two_dashes() {
    let world = filled().await;
    let phrase = found(&world, &["multiple vulnerabilities"]);
    assert!(!phrase.is_empty());
    assert_eq!(
        phrase,
        found(&world, &["--search", "\"multiple vulnerabilities\""])
    );
    let reversed = found(&world, &["vulnerabilities multiple"]);
    assert!(reversed.len() < phrase.len(), "{reversed:?}");
    assert!(found(&world, &["vulnerabilities", "multiple"]).len() >= phrase.len());

    let refused = world.cli(&["advisories", "vulnerabilities", "-multiple"]);
    assert_eq!(refused.code, 2, "{refused}");
    let tip = "advisoryd advisories openssl -- -multiple";
    assert!(refused.stderr.contains(tip), "{refused}");
    let without = found(&world, &["vulnerabilities", "--", "-multiple"]);
    assert!(!without.is_empty());
    assert!(
        without.iter().all(|said| !phrase.contains(said)),
        "{without:?}"
    );
    assert_eq!(
        without,
        found(&world, &["--search", "vulnerabilities -multiple"])
    );
    let elsewhere = world.cli(&["status", "-multiple"]);
    assert!(!elsewhere.stderr.contains(" -- "), "{elsewhere}");

    for arguments in [
        &["advisories", "vulnerabilities", "not", "multiple"][..],
        &["advisories", "--search", "vulnerabilities not multiple"],
    ] {
        let note = "`not` is not a search operator";
        assert!(world.cli(arguments).stderr.contains(note), "{arguments:?}");
    }
    let notable = world.cli(&["advisories", "notable"]);
    assert!(!notable.stderr.contains("search operator"), "{notable}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_the_cause_before_what_comes_of_it() {
    let mut world = World::new().await;
    world.lists = Some(vec![1]);
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    sqlx::raw_sql(
        "insert into advisoryd.daemon (host, pid, version, started_at, seen_at, stopped_at)
         values ('elsewhere', 1, '0', now() - interval '1 hour', now(), now() + interval '1 minute');
         insert into advisoryd.condition (what, key, occurrence, is_raised, since, value, summary)
         select 'list_quiet', 'watch list ' || id, 1, true, now(), 1, 'it is quiet'
         from generate_series(1, 5) as id",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let fresh = world.cli(&["status", "--check"]);
    let first = "WARNING: the daemon is not running (stopped ";
    assert!(fresh.stdout.starts_with(first), "{fresh}");
    let old = world.cli(&["status", "--check", "--max-age", "1ms"]);
    let first = "CRITICAL: the daemon is not running (stopped ";
    assert!(old.stdout.starts_with(first), "{old}");
    let json = world
        .cli(&["status", "--check", "--max-age", "1ms", "--json"])
        .json();
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems[0]["status"], "critical", "{json}");
    assert!(problems.len() > 4, "{json}");
}

#[tokio::test]
async fn a_rule_is_tried_before_it_is_configured() {
    let world = World::new().await;
    world.pull_one().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(3);
    world.pull_one().await;
    let asked = |filter: &str| {
        let result = world.cli(&["rules", "test", "--where", filter, "--json"]);
        assert_eq!(result.code, 0, "{result}");
        let lines = result.json_lines();
        assert_eq!(lines.len(), 1, "{result}");
        lines[0]["messages"].as_array().unwrap().len()
    };
    assert_eq!(asked("severity >= rejected"), 3);
    assert_eq!(asked("title = \"no such title\""), 0);
    let page = world
        .cli(&["rules", "test", "--where", "severity >= rejected"])
        .stdout;
    assert!(
        page.starts_with("rule `--where` would have sent since "),
        "{page}"
    );
    assert!(page.contains(": 3 alerts in 3 messages\n"), "{page}");
    assert!(
        page.contains(
            "if each advisory published since then had just appeared, without silences: "
        ),
        "{page}"
    );
    let said = &world.simulator.saids(1)[0];
    let one = [
        "rules",
        "test",
        "--where",
        "severity < rejected",
        "--advisory",
        said,
    ];
    assert!(
        world.cli(&one).stdout.contains("would not match"),
        "{}",
        world.cli(&one)
    );
    let wrong = world.cli(&["rules", "test", "--where", "severty = high"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(wrong.stderr.contains("did you mean `severity`?"), "{wrong}");
    let list = world.cli(&["rules", "test", "--where", "list = 99"]);
    assert!(
        list.stderr.contains("watch list 99 is not followed"),
        "{list}"
    );
    let none = world.cli(&["rules", "test"]);
    assert!(none.stderr.contains("--where"), "{none}");
}

#[tokio::test]
async fn counts_are_not_cut() {
    let world = filled().await;
    let rows = |arguments: &[&str]| {
        let result =
            world.cli(&[&["advisories", "--count-by", "product,severity"], arguments].concat());
        assert_eq!((result.code, result.stderr.as_str()), (0, ""), "{result}");
        // The heading is a line.
        result.stdout.lines().count() - 1
    };
    let all = rows(&["--json"]) + 1;
    assert!(all > 50, "{all}");
    assert_eq!(rows(&[]), all);
    assert_eq!(rows(&["--limit", "3"]), 3);
}

#[tokio::test]
async fn the_advice_about_dead_letters_works_as_it_is_printed() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("new", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(1);
    world.pull_one().await;
    receiver.answer(410, None);
    world.alert().await;
    for command in [&["status"][..], &["sinks", "list"]] {
        let result = world.cli(command);
        let page = format!("{}{}", result.stdout, result.stderr);
        let advised = advised(&page);
        let of_letters: Vec<&Vec<String>> = advised
            .iter()
            .filter(|words| words[0] == "alerts")
            .collect();
        assert_eq!(of_letters.len(), 3, "{page}");
        for words in of_letters {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let done = world.cli(&words);
            assert_eq!(done.code, 0, "{words:?}: {done}");
            sqlx::raw_sql("update advisoryd.delivery set state = 'dead_letter'")
                .execute(world.pool())
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_exploited_says_by_which_cve() {
    let mut world = World::new().await;
    world.settings.enrichment.kev = Some(world.simulator.kev_url());
    world.pull_one().await;
    let simulator = &world.simulator;
    let cves = |said: &String| simulator.expected(said).unwrap().cves;
    let saids = simulator.saids(1);
    let said = saids.iter().find(|said| cves(said).len() > 1).unwrap();
    let cve = cves(said)[0].clone();
    let before = world.cli(&["show", said, "--json"]).json();
    assert_eq!(before["kev_cves"], Value::Null);
    world.simulator.add_to_kev([cve.as_str()], false);
    world.enrich().await;
    let table = world.cli(&["advisories", "--kev"]).stdout;
    let head = table.lines().next().unwrap();
    assert!(head.contains("in KEV"), "{table}");
    let row = table.lines().find(|line| line.starts_with(said.as_str()));
    assert!(row.unwrap().contains(&cve), "{table}");
    for row in world.cli(&["advisories", "--kev", "--json"]).json_lines() {
        assert!(!row["kev_cves"].as_array().unwrap().is_empty(), "{row}");
    }
    let page = world.cli(&["show", said]).stdout;
    let line = page.lines().find(|line| line.starts_with("kev  "));
    assert!(line.unwrap().ends_with(&format!("yes ({cve})")), "{page}");
    let document = world.cli(&["show", said, "--json"]).json();
    assert_eq!(document["kev_cves"], json!([cve]));
    let other = saids
        .iter()
        .find(|other| !cves(other).contains(&cve))
        .unwrap();
    let document = world.cli(&["show", other, "--json"]).json();
    assert_eq!(document["kev_cves"], json!([]), "{document}");
}

#[tokio::test]
async fn a_misspelled_product_is_told() {
    let world = filled().await;
    let products = world.texts(
        "select distinct lower(word)
         from advisoryd_v1.advisory_products
         cross join regexp_split_to_table(name, '[^[:alpha:]]+') as word
         where length(word) > 7
         order by 1",
    );
    let known = products.await.remove(0);
    let wrong = format!("{}{}", &known[..4], &known[3..]);
    let told = format!("has `{wrong}` in its name or CPE; did you mean `{known}`?");
    let result = world.cli(&["advisories", "--product", &wrong]);
    assert_eq!((result.code, result.stdout.as_str()), (0, ""), "{result}");
    assert!(result.stderr.contains(&told), "{result}");
    let page = shown(&world, &["changes", "--product", &wrong]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&page).contains(&told), "{page}");
    let asked = ["advisories", "--product", &known, "--released", "1990"];
    let found = world.cli(&asked);
    assert!(!found.stderr.contains("no stored product"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_that_all_is_well_and_what_was_never_read() {
    let mut world = World::new().await;
    world.lists = Some(vec![1]);
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    let page = world.cli(&["status"]).stdout;
    assert!(!page.contains("No problems."), "no daemon runs: {page}");
    assert!(page.contains("\nlist contents: never read\n"), "{page}");
    let mut daemon = Running::start(&mut world.command(&["run"]));
    let page = crate::support::eventually("all is well", crate::support::PATIENCE, async || {
        let page = world.cli(&["status"]).stdout;
        page.contains("\nNo problems.\n").then_some(page)
    })
    .await;
    assert!(page.starts_with("daemon: running"), "{page}");
    daemon.kill9();
}
