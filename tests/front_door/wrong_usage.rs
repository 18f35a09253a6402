//! What a new user tries first: options that are repeated, words that are identifiers, values
//! that cannot be meant, and questions about what was never read.

use std::collections::BTreeSet;
use std::process::Stdio;

use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::SimulatorOptions;
use toml::toml;

use crate::support::settings::Rule;
use crate::support::{CommandResult, World, assert_reads, small};

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

/// The identifiers of the advisories that match.
fn found(world: &World, arguments: &[&str]) -> BTreeSet<String> {
    let all = [&["advisories", "--json"], arguments].concat();
    let result = world.cli(&all);
    assert_eq!(result.code, 0, "{arguments:?}: {result}");
    let lines = result.json_lines();
    let saids = lines.iter().map(|line| line["said"].as_str().unwrap());
    saids.map(str::to_owned).collect()
}

#[tokio::test]
async fn an_option_that_is_repeated_matches_any_of_its_values_and_an_identifier_is_found() {
    let world = filled().await;
    for (option, one, other) in [
        ("--severity", "high", "low"),
        ("--cvss", "9", "..4"),
        ("--threat", "0", "1"),
        ("--where", "severity = high", "severity = low"),
        ("--vector", "remote", "from local network"),
        ("--epss-min", "0.1", "0.2"),
    ] {
        let both = found(&world, &[option, one, option, other]);
        let either = &found(&world, &[option, one]) | &found(&world, &[option, other]);
        assert_eq!(both, either, "{option}");
    }
    assert!(!found(&world, &["--severity", "high", "--severity", "low"]).is_empty());
    let said = world.simulator.saids(1)[0].clone();
    let expected = BTreeSet::from([said.clone()]);
    assert_eq!(found(&world, &[&said.to_lowercase()]), expected);
    let other = world.simulator.saids(1)[1].clone();
    assert_eq!(found(&world, &[&said, &other]).len(), 2);
}

#[tokio::test]
async fn a_part_of_an_attack_vector_finds_at_least_what_its_name_finds() {
    let world = filled().await;
    for name in ["network", "remote", "local", "adjacent", "Local Network"] {
        let with = |sign: &str| {
            let filter = format!("attack_vector {sign} \"{name}\"");
            found(&world, &["--where", &filter])
        };
        assert!(with("=").is_subset(&with("~")), "{name}");
    }
    let networks = found(&world, &["--where", "attack_vector ~ network"]);
    let named = found(
        &world,
        &["--where", "attack_vector in (remote, local_network)"],
    );
    assert_eq!(networks, named);
    let unknown = world.cli(&["advisories", "--where", "attack_vector ~ bluetooth"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    assert_reads!(unknown);
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_says_what_is_expected() {
    let world = filled().await;
    let said = world.simulator.saids(1)[0].clone();
    let long = "x".repeat(2001);
    let mut all = Vec::new();
    for arguments in [
        &["advisories", "--columns", "colour"][..],
        &["tickets", "--columns", "colour"],
        &["advisories", "--cvss", "9..3"],
        &["advisories", "--cvss", "11"],
        &["advisories", "--threat", "5..4"],
        &["advisories", "--product", " "],
        &["changes", "--product", ""],
        &["sync", "tickets", "--days", "3"],
        &["ack", &said, "--note", &long],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 2, "{arguments:?}: {result}");
        all.push(result.stderr);
    }
    assert_reads!(all.join("\n").replace(&long, "[long]"));
    assert_eq!(
        world
            .count("select count(*) from advisoryd_v1.acknowledgements")
            .await,
        0
    );
    let whole = "y".repeat(2000);
    let done = world.cli(&["ack", &said, "--note", &whole]);
    assert_eq!(done.code, 0, "{done}");
    let stored = world
        .texts("select note from advisoryd_v1.acknowledgements")
        .await;
    assert_eq!(stored, [whole]);
}

#[tokio::test]
async fn questions_about_files_that_were_never_read_are_answered_with_a_note() {
    let world = filled().await;
    let about_kev: [&[&str]; 3] = [
        &["--kev"],
        &["--where", "not kev"],
        &["--where", "ransomware or severity >= high", "--json"],
    ];
    let about_epss: [&[&str]; 3] = [
        &["--epss-min", "0.5"],
        &["--where", "epss < 0.1"],
        &["--sort", "epss", "--csv"],
    ];
    let ask = |arguments: &[&str]| world.cli(&[&["advisories"], arguments].concat());
    let note = |result: &CommandResult| result.stderr.contains("advisoryd enrich");
    let mut notes = Vec::new();
    for arguments in about_kev.into_iter().chain(about_epss) {
        let result = ask(arguments);
        assert!(result.code == 0 && note(&result), "{arguments:?}: {result}");
        notes.push(result.stderr);
    }
    assert_reads!(notes.join("\n"));
    assert!(!note(&ask(&["--severity", "high"])));

    let file = world.dir().join("kev.json");
    let catalogue = serde_json::json!({
        "catalogVersion": "1", "dateReleased": "2026-11-01T10:00:00Z", "count": 1,
        "vulnerabilities": [{"cveID": "CVE-1999-1", "dateAdded": "2026-10-01",
            "dueDate": "2026-10-22", "knownRansomwareCampaignUse": "Unknown"}]});
    std::fs::write(&file, catalogue.to_string()).unwrap();
    let read = world.cli(&["enrich", &file.display().to_string()]);
    assert_eq!(read.code, 0, "{read}");
    for arguments in about_kev {
        assert!(!note(&ask(arguments)), "{arguments:?}");
    }
    assert!(note(&ask(about_epss[0])));
}

#[tokio::test]
async fn limit_0_lists_all_alerts() {
    let mut world = World::with(SimulatorOptions {
        advisories: 120,
        ..small()
    })
    .await;
    world.settings.alerts.rules = vec![Rule {
        sinks: &[],
        ..Rule::to_hook("all", &["appeared"])
    }];
    world.pull_one().await;
    world.alert_with(true).await;
    let all = world
        .count("select count(*) from advisoryd_v1.alerts")
        .await;
    assert!(all > 50, "{all}");
    let unknown = world.cli(&["alerts", "list", "--rule", "nope"]);
    assert_reads!(unknown);
    let listed = world.cli(&["alerts", "list", "--limit", "0", "--json"]);
    assert_eq!(
        listed.json_lines().len(),
        usize::try_from(all).unwrap(),
        "{}",
        listed.stderr
    );
    // Programs get all, people a page.
    let listed = world.cli(&["alerts", "list", "--json"]);
    assert_eq!(listed.json_lines().len(), usize::try_from(all).unwrap());
    let listed = world.cli(&["alerts", "list"]).stdout;
    assert_eq!(listed.lines().count(), 51, "with the heading: {listed}");
}

#[tokio::test]
async fn the_next_runs_are_whole_seconds_and_the_same_in_each_answer() {
    let mut world = World::new().await;
    world.settings.schedule.feeds = Some("0 0 3 1 1 *");
    world.pull_one().await;
    let next = || {
        let status = world.cli(&["status", "--json"]).json();
        status["sources"][0]["scheduled_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = next();
    assert!(
        !first.contains('.') && first.contains("-01-01T03:00:00"),
        "{first}"
    );
    assert_eq!(next(), first);
}

#[tokio::test]
async fn a_completion_script_whose_reader_has_gone_is_no_crash() {
    let world = World::new().await;
    let mut child = world
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let full = std::fs::File::create("/dev/full").unwrap();
    let status = world
        .command(&["completions", "bash"])
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let whole = world.cli(&["completions", "bash"]);
    assert!(
        whole.code == 0 && whole.stdout.contains("_advisoryd"),
        "{whole}"
    );
}

/// The commands of rules that cannot be meant, and what `check` says of others.
#[tokio::test]
async fn rules_take_the_usual_names_and_check_says_what_unknown_values_do() {
    let mut world = World::new().await;
    let rule = |name: &str, clauses: toml::Table| Rule {
        sinks: &[],
        shadow: Some(true),
        clauses,
        ..Rule::to_hook(name, &["appeared"])
    };
    world.settings.alerts.rules = vec![
        rule(
            "short",
            toml! { severity = "high" attack_vector = ["network", "From local network"] solution_status = ["vendor_patched"] where = "list = 99" },
        ),
        rule("skips", toml! { kev = true missing = "skip" }),
        rule("matches", toml! { kev = true }),
    ];
    let checked = world.cli(&["check", "--offline"]);
    let listed = world.cli(&["rules", "list"]);
    let mut all = vec![listed.stdout, checked.stderr];
    for filter in ["cvss >= 75", "epss >= 5", "cvss3 < -1"] {
        let result = world.cli(&["advisories", "--where", filter]);
        assert_eq!(result.code, 2, "{result}");
        all.push(result.stderr);
    }
    world.settings.alerts.rules = vec![rule("typo", toml! { severity = "hihgly_critical" })];
    let refused = world.cli(&["check", "--offline"]);
    assert_eq!(refused.code, 78, "{refused}");
    all.push(refused.stderr);
    assert_reads!(all.join("\n"));
}

#[tokio::test]
async fn explain_names_the_clauses_of_not_that_matched() {
    let mut world = World::new().await;
    let clauses = toml! { not = [{ title = "no title reads like this" }, { watch_lists = [1], severity = "rejected" }] };
    let rule = |name: &str, clauses: toml::Table| Rule {
        sinks: &[],
        clauses,
        ..Rule::to_hook(name, &["appeared", "ticket_status"])
    };
    world.settings.alerts.rules = vec![
        rule("others", clauses),
        rule("mixed", toml! { not = { ticket_status = ["Closed"] } }),
    ];
    world.alert().await;
    world.pull_one().await;
    world.alert_with(true).await;
    let said = world.simulator.saids(1)[0].clone();
    // Clauses about tickets exclude no advisory.
    let mixed = world.cli(&["explain", &said, "--rule", "mixed"]);
    let explained = world.cli(&["explain", &said, "--rule", "others"]);
    let tried = world.cli(&["rules", "test", "--advisory", &said]);
    assert_reads!(mixed, explained, tried);
}
