//! Asking without SQL: lists, pages, changes.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::Value;

use crate::support::settings::Alerts;
use crate::support::{World, assert_reads};

async fn filled() -> World {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world
}

fn ask(world: &World, arguments: &[&str]) -> String {
    let result = world.cli(arguments);
    assert_eq!(result.code, 0, "{arguments:?}: {result:?}");
    result.stdout
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
    let unknown = world.cli(&["advisories", "--json", "--watch-list", "99"]);
    assert_eq!(
        (unknown.code, unknown.stdout.as_str()),
        (1, ""),
        "{unknown}"
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
    let result = world.cli(&["advisories", "--severity", "terrible"]);
    assert_eq!(result.code, 2);
    assert_reads!(result);
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
    let page = ask(&world, &["show", &ticket]);
    let is_its_id = |line: &str| line.split_whitespace().eq(["id", ticket.as_str()]);
    assert!(
        page.starts_with('#') && page.lines().any(is_its_id),
        "{page}"
    );
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
    for (key, number) in [
        ("7", 7),
        ("9007", 9007),
        ("#9007", 9007),
        ("#7", 7),
        ("2", 9002),
    ] {
        let page = ask(&world, &["show", key]);
        assert!(page.starts_with(&format!("#{number}  ")), "{key}: {page}");
    }
    let ambiguous = world.cli(&["show", "7"]).stderr;
    assert!(ambiguous.contains("'#9007'"), "{ambiguous}");
    let no_number = world.cli(&["show", "#2"]);
    assert_eq!(no_number.code, 1, "an id is no number: {no_number:?}");
    let list = ask(&world, &["tickets", "--limit", "0"]);
    assert!(
        list.contains("#9007  ") && !list.contains("\n     9"),
        "{list}"
    );
    let page = ask(&world, &["show", "9007", "--history"]);
    for key in ["09007", "+9007", "#9007"] {
        assert_eq!(ask(&world, &["show", key, "--history"]), page, "{key}");
    }
    let about: Value = serde_json::from_str(&ask(&world, &["show", "9007", "--json"])).unwrap();
    let about = about["said"].as_str().unwrap().to_lowercase();
    let some = ask(&world, &["tickets", "--json", "--advisory", &about]);
    assert!(some.contains("\"id\":7,"), "{some}");
    assert_reads!(
        page,
        world.cli(&["show", "70002000"]),
        world.cli(&["show", "SA1"])
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
    let none = world.cli(&["advisories", "--search", "the of"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    let heading = world.cli(&["advisories", "--csv", "--cve", "CVE-1999-1"]);
    assert_eq!(heading.stdout.lines().count(), 1, "{heading:?}");
    let cut = world.cli(&["advisories"]);
    assert_eq!((cut.code, cut.stdout.lines().count()), (0, 51));
    assert_reads!(none, heading, cut.stderr);
    for chosen in [&["advisories", "--limit", "50"][..], &["tickets"]] {
        assert_eq!(world.cli(chosen).stderr, "", "{chosen:?}");
    }
}

#[tokio::test]
async fn any_words_may_be_asked_for() {
    let world = filled().await;
    let (long, quotes) = ("x".repeat(10_000), "a -\"".repeat(2_500));
    for text in ["", "%", "\\", "'; drop", "a\"b", "(", "!", &long, &quotes] {
        for option in ["--search", "--product"] {
            let result = world.cli(&["advisories", option, text]);
            // A part of a product that is empty would be part of all.
            let expected = i32::from(option == "--product" && text.is_empty()) * 2;
            assert_eq!(result.code, expected, "{option} {text}: {result:?}");
        }
    }
    for since in ["99999999d", "900000y", "0001-01-01"] {
        let result = world.cli(&["advisories", "--json", "--limit", "100", "--since", since]);
        assert_eq!(
            (result.code, result.stdout.lines().count()),
            (0, 60),
            "{since}: {result:?}"
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
    assert!(ask(&world, &["show", "3"]).contains("  one\n  two"));
}

/// Sequences of a terminal in both notations, DEL, writing directions, invisible
/// characters, line ends, and a formula.
const HOSTILE: &str =
    "=\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{200b}\u{e0041}EVIL\r\nforged\u{2028}";

/// What makes every text in the database hostile.
const DEFACING: [&str; 7] = [
        "update advisoryd.advisory set title = $1, description = $1, solution_status = $1, cves = array[$1]",
        "update advisoryd.ticket set title = $1, status = $1, assignee = $1, description = $1",
        "update advisoryd.alert set body = jsonb_set(jsonb_set(body, '{title}', to_jsonb($1::text)), '{summary}', to_jsonb($1::text))",
        "update advisoryd.source set last_error = $1, last_error_at = now()",
        "update advisoryd.sink set last_error = $1, failures = 1",
        "insert into advisoryd.quarantine (source_id, run_id, last_run_id, key, reason, raw, byte_hash, at, kind)
         select id, 1, 1, $1, $1, $1, '\\x00', now(), 'feed_record' from advisoryd.source where kind = 'watch_list' limit 1",
        "insert into advisoryd.silence (matchers, reason, created_by, created_at, until)
         values (jsonb_build_object('title', $1::text), $1, $1, now(), now() + interval '1 day')",
];

/// Every command that shows what upstream sent.
fn listings<'a>(said: &'a str, alert: &'a str, damaged: &'a str) -> Vec<Vec<&'a str>> {
    let all = [
        &["advisories"][..],
        &["advisories", "--json"],
        &["advisories", "--csv"],
        &["tickets"],
        &["tickets", "--json"],
        &["tickets", "--csv"],
        &["show", said],
        &["show", said, "--json"],
        &["show", said, "--history"],
        &["show", "1"],
        &["show", "1", "--json"],
        &["changes"],
        &["changes", "--json"],
        &["explain", said],
        &["explain", said, "--json"],
        &["explain", "1"],
        &["alerts", "list"],
        &["alerts", "list", "--json"],
        &["alerts", "show", alert],
        &["alerts", "show", alert, "--json"],
        &["silence", "list"],
        &["silence", "list", "--json"],
        &["quarantine", "list"],
        &["quarantine", "list", "--json"],
        &["quarantine", "show", "1"],
        &["quarantine", "show", "1", "--json"],
        &["quarantine", "retry", "1"],
        &["rules", "test", "all", "--since", "30d"],
        &["status"],
        &["status", "--json"],
        &["inspect", damaged],
        &["inspect", damaged, "--json"],
        &["replay", "--dry-run"],
        &["verify"],
        &[
            "silence", "add", "title=x*", "--reason", HOSTILE, "--until", "1h",
        ],
        &["quarantine", "drop", "1", "--yes"],
    ];
    all.into_iter().map(<[&str]>::to_vec).collect()
}

#[tokio::test]
async fn no_command_tells_a_terminal_or_a_spreadsheet_what_to_do() {
    let mut world = World::new().await;
    world.settings.alerts = Alerts::to_log(&["appeared", "ticket_opened"]);
    let said = world.simulator.saids(1)[0].clone();
    ask(&world, &["sync", "all", "--alert-backlog"]);
    for sql in DEFACING {
        let done = sqlx::query(sql).bind(HOSTILE).execute(world.pool()).await;
        assert!(
            done.unwrap_or_else(|error| panic!("{sql}: {error}"))
                .rows_affected()
                > 0,
            "{sql}"
        );
    }
    let alert: String = world
        .texts("select id::text from advisoryd.alert where kind = 'advisory' limit 1")
        .await
        .remove(0);
    let damaged = world.token_file().with_file_name("a.json");
    let json = serde_json::json!({"vuln_id": 1, "advisory_identifier": "SA1", "title": HOSTILE});
    std::fs::write(&damaged, serde_json::to_string(&json).unwrap()).unwrap();
    let damaged = damaged.display().to_string();
    let mut seen = 0;
    for arguments in listings(&said, &alert, &damaged) {
        let arguments = &arguments[..];
        let result = world.cli(arguments);
        let is_bad = |letter: char| {
            (letter.is_control() && !matches!(letter, '\n' | '\t'))
                || matches!(letter, '\u{200b}' | '\u{202e}' | '\u{2028}' | '\u{e0041}')
        };
        for text in [&result.stdout, &result.stderr] {
            assert!(!text.contains(is_bad), "{arguments:?}: {text:?}");
        }
        seen += usize::from(result.stdout.contains("EVIL"));
        if arguments.contains(&"--csv") {
            let mut cells = csv::Reader::from_reader(result.stdout.as_bytes());
            let records: Vec<_> = cells.records().map(Result::unwrap).collect();
            assert!(!records.is_empty());
            for cell in records.iter().flatten() {
                let is_number = cell.parse::<f64>().is_ok();
                assert!(
                    is_number || !cell.starts_with(['=', '+', '-', '@']),
                    "{cell}"
                );
            }
            assert!(result.stdout.contains("'="), "{}", result.stdout);
        }
        if arguments.contains(&"--json") && result.code == 0 {
            result.json_lines();
        }
    }
    assert!(seen > 20, "{seen} of them show it");
}

#[tokio::test]
async fn no_length_of_time_is_too_long() {
    let world = World::new().await;
    ask(&world, &["migrate"]);
    let mut all = Vec::new();
    for arguments in [
        &[
            "silence",
            "add",
            "key=SA1",
            "--reason",
            "x",
            "--until",
            "290000000y",
        ][..],
        &[
            "silence", "add", "key=SA1", "--reason", "x", "--until", "9000y",
        ],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 1, "{result}");
        all.push(result.stderr);
    }
    assert_reads!(all.join("\n"));
    for arguments in [
        &["advisories", "--since", "290000000y"][..],
        &["tickets", "--since", "290000000y"],
        &["alerts", "list", "--since", "290000000y"],
        &["verify", "--since", "290000000y"],
        &["replay", "--dry-run", "--since", "290000000y"],
    ] {
        let result = world.cli(arguments);
        assert!(
            result.code < 2 && !result.stderr.contains("panicked"),
            "{result}"
        );
    }
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

/// Rules and the command go by the same setting, and by the same age.
#[tokio::test]
async fn tickets_that_are_open_for_long_are_listed_the_oldest_first() {
    let mut world = filled().await;
    let counts = "select count(*) from advisoryd.ticket
                  where coalesce(created_at, first_seen_at) <= now() - interval '14 days'";
    sqlx::raw_sql(
        "update advisoryd.ticket t
         set created_at = now() - make_interval(days => r.place::int), status = case r.place % 3
                 when 0 then 'Handled' when 1 then 'Open' end
         from (select id, row_number() over (order by id) as place from advisoryd.ticket) as r
         where r.id = t.id",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let old = usize::try_from(world.count(counts).await).unwrap();
    let listed = |world: &World, options: &[&str]| {
        let mut arguments = vec!["tickets", "--open-for", "14d", "--json"];
        arguments.extend(options);
        let result = world.cli(&arguments);
        assert_eq!(result.code, 0, "{result}");
        let notes = result.stderr.clone();
        (result.json_lines(), notes)
    };
    let all = listed(&world, &["--not-status", "none of them"]).0;
    assert_eq!(all.len(), old);
    let created: Vec<&str> = all
        .iter()
        .map(|one| one["created_at"].as_str().unwrap())
        .collect();
    assert!(created.is_sorted(), "{created:?}");
    let (open, notes) = listed(&world, &["--not-status", "HANDLED"]);
    assert_eq!(notes, "");
    assert!(open.len() < old && open.iter().all(|one| one["status"] != "Handled"));

    world.settings.tickets.closed_statuses = Some(vec!["hand*", "Irrelevant"]);
    assert_eq!(listed(&world, &[]), (open.clone(), String::new()));
    let named = listed(&world, &["--status", "handled"]).0;
    assert_eq!(
        named.len(),
        old - open.len(),
        "a status that is named counts"
    );
    let just_open = world.cli(&["tickets", "--open", "--json"]).json_lines();
    assert!(just_open.len() > open.len());
    let misspelt = world.cli(&["tickets", "--status", "Handeld"]);
    assert!(misspelt.stderr.contains("`Handled`"), "{misspelt}");
    world.settings.tickets.closed_statuses = None;
    for options in [["--open"].as_slice(), &["--open-for", "14d"]] {
        let unknown = world.cli(&[&["tickets"], options].concat());
        assert_eq!(unknown.code, 2, "{unknown}");
        let wanted = format!("{} needs the statuses that mean closed", options[0]);
        assert!(unknown.stderr.contains(&wanted), "{unknown}");
    }
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

#[tokio::test]
async fn filters_and_options_read_months_and_years_alike() {
    let world = filled().await;
    let found = |arguments: &[&str]| {
        let all = [
            &[
                "advisories",
                "--utc",
                "--json",
                "--columns",
                "said",
                "--sort",
                "released",
            ],
            arguments,
        ]
        .concat();
        ask(&world, &all)
    };
    let month = world
        .texts("select to_char(max(released_at) at time zone 'utc', 'YYYY-MM') from advisoryd_v1.advisories")
        .await
        .remove(0);
    let (year, _) = month.split_once('-').unwrap();
    for period in [month.as_str(), year] {
        let within = found(&["--where", &format!("released = {period}")]);
        assert!(!within.is_empty(), "{period}");
        assert_eq!(found(&["--released", period]), within, "{period}");
        let since = found(&["--where", &format!("released >= {period}")]);
        assert_eq!(
            found(&["--released", &format!("{period}..")]),
            since,
            "{period}"
        );
        let before = found(&["--where", &format!("released < {period}")]);
        let count = |text: &str| text.lines().count();
        assert_eq!(
            count(&before) + count(&since),
            count(&found(&[])),
            "{period}"
        );
    }
}
