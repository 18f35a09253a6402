//! Asking without SQL: lists, pages, changes.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::Value;

use crate::support::{World, assert_reads};

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

fn ask(world: &World, arguments: &[&str]) -> String {
    let told = world.told(arguments);
    assert_eq!(told.code, 0, "{arguments:?}: {told:?}");
    told.stdout
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
    assert_reads!(ask(&world, &["advisories", "--limit", "3"]));
}

#[tokio::test]
async fn an_unknown_severity_is_refused_with_the_allowed_ones() {
    let world = World::new().await;
    let told = world.told(&["advisories", "--severity", "terrible"]);
    assert_eq!(told.code, 2);
    assert_reads!(told);
}

#[tokio::test]
async fn a_page_shows_what_changed_between_versions() {
    let world = filled().await;
    let said = world.simulator.saids(1)[2].clone();
    world.simulator.revise(&said, true);
    world.pull_back(LookBack::Full).await;
    assert_reads!(ask(&world, &["show", &said, "--history"]));
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
async fn small_letters_and_either_number_of_a_ticket_find_it() {
    let world = filled().await;
    let said = world.simulator.saids(1)[2].clone();
    let wanted = ask(&world, &["show", &said]);
    assert_eq!(
        ask(&world, &["show", &format!(" {} ", said.to_lowercase())]),
        wanted
    );
    sqlx::raw_sql(
        "update advisoryd.ticket set pretty_id = 9000 + id;
         update advisoryd.ticket set pretty_id = 7 where id = 3",
    )
    .execute(world.pool())
    .await
    .unwrap();
    for (key, id) in [("7", 7), ("9007", 7), ("#9007", 7), ("#7", 3), ("#2", 2)] {
        let page = ask(&world, &["show", key]);
        assert!(page.starts_with(&format!("{id}  ")), "{key}: {page}");
    }
    let page = ask(&world, &["show", "7", "--history"]);
    for key in ["007", "+7", "9007"] {
        assert_eq!(ask(&world, &["show", key, "--history"]), page, "{key}");
    }
    let about: Value = serde_json::from_str(&ask(&world, &["show", "7", "--json"])).unwrap();
    let about = about["said"].as_str().unwrap().to_lowercase();
    let some = ask(&world, &["tickets", "--json", "--advisory", &about]);
    assert!(some.contains("\"id\":7,"), "{some}");
    assert_reads!(
        page,
        world.told(&["show", "70002000"]),
        world.told(&["show", "SA1"])
    );
}

#[tokio::test]
async fn a_document_has_every_column_of_its_view() {
    let world = filled().await;
    let ticket = world.simulator.ticket_ids()[0].to_string();
    for (view, key) in [
        ("advisories", world.simulator.saids(1)[0].as_str()),
        ("tickets", &ticket),
    ] {
        let document: Value = serde_json::from_str(&ask(&world, &["show", key, "--json"])).unwrap();
        let columns: Vec<String> = sqlx::query_scalar(
            "select column_name::text from information_schema.columns
             where table_schema = 'advisoryd_v1' and table_name = $1
               and column_name not in ('raw', 'search', 'product_search')",
        )
        .bind(view)
        .fetch_all(world.pool())
        .await
        .unwrap();
        assert!(columns.len() > 20);
        for column in columns {
            assert!(document.get(&column).is_some(), "{view}.{column}");
        }
    }
}

#[tokio::test]
async fn a_history_names_every_version_that_is_kept_and_says_when_some_are_not() {
    let world = filled().await;
    let said = world.simulator.saids(1)[2].clone();
    let only = ask(&world, &["show", &said, "--history"]);
    for _ in 0..2 {
        world.simulator.revise(&said, false);
        world.pull_back(LookBack::Full).await;
    }
    // As where upstream changed what has no column.
    sqlx::raw_sql(
        "update advisoryd.advisory a
         set modified_at = v.modified_at, title = v.title, description = v.description, solution = v.solution, cves = v.cves,
             cvss3_score = v.cvss3_score, cvss3_vector = v.cvss3_vector, cvss2_score = v.cvss2_score, cvss2_vector = v.cvss2_vector,
             solution_status = v.solution_status, criticality = v.criticality, refs = v.refs, products = v.products, threat_score = v.threat_score
         from advisoryd.advisory_version v where v.said = a.said and v.version = 2 and a.version = 3",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let all = ask(&world, &["show", &said, "--history"]);
    sqlx::raw_sql("delete from advisoryd.advisory_version where version = 1")
        .execute(world.pool())
        .await
        .unwrap();
    let rest = ask(&world, &["show", &said, "--history"]);
    assert_reads!(history(&only), history(&all), history(&rest));
    let document: Value =
        serde_json::from_str(&ask(&world, &["show", &said, "--history", "--json"])).unwrap();
    assert_eq!(document["versions"][0]["version"], 2);
}

/// The end of a page, from its first version on.
fn history(page: &str) -> &str {
    &page[page.find("  version ").expect("a version")..]
}

#[tokio::test]
async fn an_empty_answer_says_so_and_a_cut_one_too() {
    let world = filled().await;
    let none = world.told(&["advisories", "--search", "the of"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    let heading = world.told(&["advisories", "--csv", "--cve", "CVE'\\%"]);
    assert_eq!(heading.stdout.lines().count(), 1, "{heading:?}");
    let cut = world.told(&["advisories", "--json"]);
    assert_eq!((cut.code, cut.stdout.lines().count()), (0, 50));
    assert_reads!(none, heading, cut.stderr);
    for chosen in [&["advisories", "--limit", "50"][..], &["tickets"]] {
        assert_eq!(world.told(chosen).stderr, "", "{chosen:?}");
    }
}

#[tokio::test]
async fn any_words_may_be_asked_for() {
    let world = filled().await;
    let (long, quotes) = ("x".repeat(10_000), "a -\"".repeat(2_500));
    for text in ["", "%", "\\", "'; drop", "a\"b", "(", "!", &long, &quotes] {
        for option in ["--search", "--product", "--cve"] {
            let told = world.told(&["advisories", option, text]);
            assert_eq!(told.code, 0, "{option} {text}: {told:?}");
        }
    }
    for since in ["99999999d", "900000y", "0001-01-01"] {
        let told = world.told(&["advisories", "--json", "--limit", "100", "--since", since]);
        assert_eq!(
            (told.code, told.stdout.lines().count()),
            (0, 60),
            "{since}: {told:?}"
        );
    }
}

#[tokio::test]
async fn no_text_of_upstream_commands_the_terminal() {
    let world = filled().await;
    sqlx::raw_sql(
        "update advisoryd.ticket set title = E'\x1b[2Jnew\nline', description = E'one\ntwo\x1b]0;x\x07' where id = 3",
    )
    .execute(world.pool())
    .await
    .unwrap();
    for arguments in [
        &["show", "3"][..],
        &["show", "3", "--history"],
        &["tickets"],
        &["changes"],
    ] {
        let page = ask(&world, arguments);
        assert!(page.contains("[2Jnew"), "{page}");
        assert!(!page.contains(['\x1b', '\x07']), "{page}");
    }
    assert_eq!(ask(&world, &["tickets"]).lines().count(), 26);
    assert!(ask(&world, &["show", "3"]).contains("one\ntwo"));
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
