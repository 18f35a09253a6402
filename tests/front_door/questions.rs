//! Asking without SQL: lists, pages, changes.

use std::process::Output;

use advisoryd::job::pull_feed::LookBack;
use advisoryd::job::sync_tickets::Ask;
use serde_json::Value;

use crate::support::World;

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(Ask::Now).await;
    world
}

fn ask(world: &World, arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = world.command(arguments).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(stdout).unwrap(),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{arguments:?}: {stderr}");
    stdout
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn advisories_are_listed_by_every_criterion() {
    let world = filled().await;
    let all = lines(&ask(&world, &["advisories", "--json", "--limit", "1000"]));
    assert_eq!(all.len(), world.simulator.saids(1).len());
    let rank = world
        .count("select count(*) from advisoryd_v1.advisories where severity_rank >= 4")
        .await;
    let severe = lines(&ask(
        &world,
        &["advisories", "--json", "--severity", "highly_critical+"],
    ));
    assert_eq!(severe.len(), usize::try_from(rank).unwrap());
    let with_cve = all
        .iter()
        .find(|line| line["cves"].as_array().is_some_and(|cves| !cves.is_empty()))
        .unwrap();
    let cve = with_cve["cves"][0].as_str().unwrap().to_ascii_lowercase();
    let found = lines(&ask(&world, &["advisories", "--json", "--cve", &cve]));
    assert!(
        found.iter().any(|line| line["said"] == with_cve["said"]),
        "{cve}"
    );
    assert_eq!(
        ask(&world, &["advisories", "--json", "--watch-list", "99"]),
        ""
    );
    assert_eq!(
        ask(&world, &["advisories", "--json", "--since", "2100-01-01"]),
        ""
    );
    let csv = ask(&world, &["advisories", "--csv", "--limit", "3"]);
    assert_eq!(csv.lines().count(), 4, "a heading and three rows: {csv}");
    let table = ask(&world, &["advisories", "--limit", "3"]);
    assert!(table.starts_with("advisory  severity"), "{table}");
}

#[tokio::test]
async fn an_unknown_severity_is_refused_with_the_allowed_ones() {
    let world = World::new().await;
    let output = world
        .command(&["advisories", "--severity", "terrible"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("extremely_critical"), "{said}");
}

#[tokio::test]
async fn a_page_shows_what_changed_between_versions() {
    let world = filled().await;
    let said = world.simulator.saids(1)[2].clone();
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    let page = ask(&world, &["show", &said, "--history"]);
    let title = world.simulator.expected(&said).unwrap().title.unwrap();
    assert!(page.starts_with(&format!("{said}  {title}")), "{page}");
    assert!(
        page.contains("version 2, ") && page.contains("modified_at: "),
        "{page}"
    );
    let document: Value =
        serde_json::from_str(&ask(&world, &["show", &said, "--history", "--json"])).unwrap();
    assert_eq!(document["version"], 2);
    assert!(
        document["history"]
            .as_array()
            .is_some_and(|history| !history.is_empty())
    );
    let ticket = world.simulator.ticket_ids()[0].to_string();
    assert!(ask(&world, &["show", &ticket]).starts_with(&format!("{ticket}  ")));
    let nothing = world.command(&["show", "SA1"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
}

#[tokio::test]
async fn tickets_are_listed_by_status() {
    let world = filled().await;
    let all = lines(&ask(&world, &["tickets", "--json"]));
    assert_eq!(all.len(), 25);
    let status = all[0]["status"].as_str().unwrap();
    let some = lines(&ask(
        &world,
        &["tickets", "--json", "--status", &status.to_uppercase()],
    ));
    assert!(!some.is_empty() && some.iter().all(|line| line["status"] == status));
}

#[tokio::test]
async fn changes_are_told_in_order_and_followed() {
    let world = filled().await;
    let all = lines(&ask(&world, &["changes", "--json"]));
    let last = all.last().unwrap()["seq"].as_i64().unwrap();
    assert_eq!(last, i64::try_from(all.len()).unwrap());
    let since = last.to_string();
    let mut command = world.command(&["changes", "--follow", "--since", &since]);
    let mut following = crate::support::Running::start(&mut command);
    let said = world.simulator.saids(1)[0].clone();
    world.simulator.revise(&said, false);
    world.pull_back(LookBack::Full).await;
    following.line(&said).await;
    following.signal(nix::sys::signal::Signal::SIGINT);
    assert!(following.ended().await.success());
    assert!(
        !following.stdout().contains("appeared"),
        "{}",
        following.stdout()
    );
}
