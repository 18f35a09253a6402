//! One filter language for searches and rules.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::Value;
use toml::toml;

use crate::support::settings::{Alerts, Rule};
use crate::support::{World, assert_reads};

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world
}

fn saids(world: &World, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["advisories", "--json"], arguments].concat();
    let result = world.cli(&arguments);
    assert_eq!(result.code, 0, "{arguments:?}: {result:?}");
    let lines = result.json_lines().into_iter();
    lines
        .map(|line| line["said"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn options_and_where_find_the_same() {
    let world = filled().await;
    sqlx::query("update advisoryd.source set name = 'Office clients' where watch_list_id = 1")
        .execute(world.pool())
        .await
        .unwrap();
    let all = saids(&world, &[]).len();
    let cve = world
        .texts("select cves[1] from advisoryd.advisory where cves <> '{}' limit 1")
        .await
        .remove(0);
    let where_cve = format!("cve in ({cve}, CVE-1999-1)");
    let product = world
        .texts("select lower(split_part(name, ' ', 1)) from advisoryd_v1.advisory_products limit 1")
        .await
        .remove(0);
    let where_product = format!("product ~ \"{product}\"");
    let pairs: [(&[&str], &str); 9] = [
        (&["--severity", "high+"], "severity >= highly_critical"),
        (&["--cvss", "5..8.5"], "cvss >= 5 and cvss <= 8.5"),
        (&["--threat", "10"], "threat_score >= 10"),
        (
            &["--vector", "remote", "--vector", "local"],
            "attack_vector = remote or attack_vector = local",
        ),
        (
            &["--solution", "vendor-patched"],
            "solution_status = \"Vendor Patched\"",
        ),
        (&["--cve", &cve, "--cve", "cve-1999-1"], &where_cve),
        (&["--product", &product], &where_product),
        (&["--list", "office CLIENTS"], "list = 1"),
        (
            &["--zero-day", "--severity", "low"],
            "is_zero_day and severity = low",
        ),
    ];
    let mut some = 0;
    for (options, filter) in pairs {
        let found = saids(&world, options);
        assert_eq!(found, saids(&world, &["--where", filter]), "{filter}");
        some += usize::from(!found.is_empty() && found.len() < all);
    }
    assert!(some >= 5, "{some} of them tell advisories apart");
}

/// Times have an end as well as a beginning.
#[tokio::test]
async fn what_lies_between_two_times_is_listed() {
    let world = filled().await;
    let all = world.simulator.saids(1).len();
    let dates = world.cli(&["advisories", "--json", "--sort", "released:asc"]);
    let dates: Vec<String> = dates
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| Some(line["released_at"].as_str()?[..10].to_owned()))
        .collect();
    let (day, month) = (&dates[dates.len() / 2], &dates[dates.len() / 2][..7]);
    let count = |text: &str| dates.iter().filter(|date| date.starts_with(text)).count();
    for (options, wanted) in [
        (vec!["--released", month], count(month)),
        (vec!["--released", &*format!("{day}..{day}")], count(day)),
        (vec!["--released", day, "--until", day], count(day)),
        (
            vec!["--released", &*format!("..{day}")],
            dates.iter().filter(|date| *date <= day).count(),
        ),
    ] {
        let options = [vec!["--utc"], options].concat();
        assert_eq!(saids(&world, &options).len(), wanted, "{options:?}");
    }
    assert!(count(month) < all, "a month is not all");
    let changes = |options: &[&str]| {
        let result = world.cli(&[&["changes", "--csv"], options].concat());
        assert_eq!(result.code, 0, "{result:?}");
        result.stdout.lines().count()
    };
    assert!(changes(&["--until", "now"]) > all);
    assert_eq!(changes(&["--until", "2000-01-01"]), 1, "only the heading");
    let tickets = |end: &str| world.cli(&["tickets", "--json", "--until", end]).stdout;
    assert_eq!(tickets("2000-01"), "");
}

/// `--sort`, `--columns`, and no limit for programs.
#[tokio::test]
async fn programs_get_all_rows_and_the_columns_they_name() {
    let world = filled().await;
    let all = world.simulator.saids(1).len();
    assert!(all > 50, "more than the default limit");
    assert_eq!(saids(&world, &[]).len(), all);
    assert_eq!(saids(&world, &["--limit", "3"]).len(), 3);
    let rows = |arguments: &[&str]| world.cli(&[&["advisories"], arguments].concat());
    let whole = rows(&["--csv"]).stdout;
    assert_eq!(whole.lines().count(), all + 1, "a line for each");
    let first = "said,title,severity,cvss_score,released_at,modified_at,solution_status";
    assert!(whole.starts_with(first), "{whole}");
    let times = regex::Regex::new(r",20\d\d-\d\d-\d\d \d\d:\d\d:\d\d,").unwrap();
    assert!(
        whole.lines().skip(1).all(|line| times.is_match(line)),
        "{whole}"
    );
    assert_eq!(rows(&[]).stdout.lines().count(), 51);
    let whole = rows(&["--limit", "0", "--columns", "said,severity"]);
    assert_eq!(whole.stdout.lines().count(), all + 1);
    assert_eq!(whole.stderr, "");
    let csv = rows(&[
        "--csv",
        "--columns",
        "severity,said",
        "--sort",
        "severity:asc",
    ]);
    let mut lines = csv.stdout.lines();
    assert_eq!(lines.next(), Some("severity,said"));
    let rank = |line: &str| {
        let names = [
            "rejected",
            "not_critical",
            "less_critical",
            "moderately_critical",
            "highly_critical",
            "extremely_critical",
            "unknown",
        ];
        names
            .iter()
            .position(|name| line.starts_with(&format!("{name},")))
            .unwrap()
    };
    let ranks: Vec<usize> = lines.map(rank).collect();
    assert!(
        ranks.is_sorted() && ranks.first() < ranks.last(),
        "{ranks:?}"
    );
    assert_reads!(rows(&["--columns", "colour"]));
}

#[tokio::test]
async fn a_wrong_filter_is_marked_where_it_is_wrong() {
    let mut world = World::new().await;
    let result = world.cli(&["advisories", "--where", "severity >= hihg and cvss > 7"]);
    assert_eq!(result.code, 2);
    let cve = world.cli(&["advisories", "--cve", "2026-1234"]);
    assert_eq!(cve.code, 2);
    world.settings.alerts.rules = vec![Rule {
        clauses: toml! { where = "sevrity >= high" },
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world.settings.alerts.rules[0].sinks = &[];
    let rules = world.cli(&["rules", "list"]);
    assert_eq!(rules.code, 78);
    assert_reads!(result, cve, rules);
}

#[tokio::test]
async fn no_filter_reaches_the_database_as_sql() {
    let world = filled().await;
    let before = world.versions().await;
    for hostile in [
        "x'; drop table advisoryd.advisory cascade; --",
        "'||(select version())||'",
        "$1",
        "$$ or true --",
        "\\",
        "%",
        "{}{0}?",
        "\u{feff}'\u{201c}",
    ] {
        let value = hostile.replace('\\', "\\\\");
        for field in ["said", "title", "product", "vendor", "impact"] {
            let filter = format!("{field} ~ \"{value}\"");
            assert_eq!(saids(&world, &["--where", &filter]), [""; 0], "{filter}");
        }
        let of_list = format!("list ~ \"{value}\"");
        let result = world.cli(&["advisories", "--json", "--where", &of_list]);
        assert_eq!((result.code, result.stdout.as_str()), (1, ""), "{result}");
        // Its words may be in an advisory.
        saids(&world, &["--search", hostile]);
        let result = world.cli(&["advisories", "--json", "--watch-list", hostile]);
        assert_eq!((result.code, result.stdout.as_str()), (1, ""), "{result}");
        for option in ["--product", "--vendor"] {
            assert_eq!(
                saids(&world, &[option, hostile]),
                [""; 0],
                "{option} {hostile}"
            );
        }
    }
    assert_eq!(world.versions().await, before);
}

#[tokio::test]
async fn explain_says_which_comparison_of_a_filter_decided() {
    let mut world = World::new().await;
    let rule = |name: &str, clauses| Rule {
        sinks: &["journal"],
        clauses,
        ..Rule::to_hook(name, &["revised"])
    };
    world.settings.alerts = Alerts::to_log(&["revised"]);
    world.settings.alerts.rules = vec![
        rule(
            "false",
            toml! { where = "said ~ SA and list = 9 and released > 2020-01-01" },
        ),
        rule("true", toml! { where = "list = 1 or is_zero_day" }),
        rule(
            "unknown",
            toml! {
                where = "impact is null and said is not null or threat_score > 5"
                missing = "skip"
            },
        ),
        rule("not", toml! { not = { where = "list = 1" } }),
    ];
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    sqlx::query("update advisoryd.advisory set impacts = '{DoS}', threat_score = null")
        .execute(world.pool())
        .await
        .unwrap();
    world.alert().await;
    world.simulator.revise(&said, false);
    world.pull_back(LookBack::Full).await;
    sqlx::query("update advisoryd.advisory set impacts = '{DoS}', threat_score = null")
        .execute(world.pool())
        .await
        .unwrap();
    world.alert().await;
    let result = world.cli(&["explain", &said, "--json"]);
    let answer = |name: &str| {
        let mut lines = result.json_lines().into_iter();
        let line = lines.find(|line| line["rule"] == name && line["what"] == "revised");
        let line = line.unwrap_or_else(|| panic!("{name}: {result:?}"));
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("answer"), text("text"))
    };
    let (name, text) = answer("false");
    assert_eq!(name, "clause_false");
    let (name, unknown) = answer("unknown");
    assert_eq!(name, "value_missing");
    assert_reads!(text, unknown);
    assert_eq!(answer("not").0, "clause_false");
    assert_eq!(answer("true").0, "delivered");
}

#[tokio::test]
async fn show_takes_a_cve() {
    let world = filled().await;
    let (cve, saids): (String, Vec<String>) = sqlx::query_as(
        "select c.cve, array_agg(a.said)
         from advisoryd.advisory a
         cross join unnest(a.cves) as c (cve)
         group by c.cve
         order by count(*) desc, c.cve
         limit 1",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let result = world.cli(&["show", &cve.to_lowercase(), "--json"]);
    assert_eq!(result.code, 0, "{result:?}");
    let mut found: Vec<Value> = result
        .json_lines()
        .iter()
        .map(|one| one["said"].clone())
        .collect();
    found.sort_by_key(ToString::to_string);
    let mut saids = saids;
    saids.sort();
    assert_eq!(found, saids);
    let none = world.cli(&["show", "CVE-1999-0001"]);
    assert_eq!(none.code, 1);
    assert_reads!(none);
}

/// `--has-ticket` and `--no-ticket` divide the advisories by the tickets that exist.
#[tokio::test]
async fn advisories_are_selected_by_whether_a_ticket_is_about_them() {
    let world = filled().await;
    world.sync_tickets(TicketSync::Now).await;
    let mut with = saids(&world, &["--has-ticket"]);
    let without = saids(&world, &["--no-ticket"]);
    with.sort();
    let stored = "select distinct a.said from advisoryd_v1.advisories a
                  join advisoryd_v1.tickets t using (said)
                  where t.deleted_at is null order by 1";
    assert_eq!(with, world.texts(stored).await);
    assert!(!with.is_empty() && !without.is_empty());
    assert_eq!(
        with.len() + without.len(),
        world.simulator.saids(1).len(),
        "each is in one of them"
    );
    assert!(without.iter().all(|said| !with.contains(said)));
    let both = world.cli(&["advisories", "--has-ticket", "--no-ticket"]);
    assert_eq!(both.code, 2, "{both}");
}
