//! `advisoryd enrich`: the KEV catalogue and EPSS scores from files, and what an ordinary
//! day costs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{PgServer, World, assert_reads};

fn file(world: &World, name: &str, content: &[u8]) -> String {
    let path: PathBuf = world.dir().join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let content = content.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}

fn kev(day: &str, cves: &[&str]) -> Vec<u8> {
    let entries: Vec<_> = cves
        .iter()
        .map(|cve| {
            json!({"cveID": cve, "dateAdded": "2026-10-01", "dueDate": "2026-10-22",
                "knownRansomwareCampaignUse": "Unknown"})
        })
        .collect();
    json!({"catalogVersion": day.replace('-', "."), "dateReleased": format!("{day}T10:00:00Z"),
        "count": entries.len(), "vulnerabilities": entries})
    .to_string()
    .into_bytes()
}

fn epss(day: &str, scores: &[(String, f64)]) -> Vec<u8> {
    let mut text = format!("#model_version:v0,score_date:{day}T12:00:00Z\ncve,epss,percentile\n");
    for (cve, score) in scores {
        writeln!(text, "{cve},{score:.5},0.5").unwrap();
    }
    text.into_bytes()
}

#[tokio::test]
async fn saved_files_are_recognised_and_wrong_ones_change_nothing() {
    let world = World::new().await;
    world.pull_one().await;
    let score = [("CVE-2026-1".replace("-1", "-1000"), 0.2)];
    let first = file(&world, "kev.json", &kev("2026-11-01", &["CVE-2026-1000"]));
    let scores = file(&world, "epss.csv.gz", &gzip(&epss("2026-11-01", &score)));
    let done = world.cli(&["enrich", &first, &scores]);
    assert_eq!(done.code, 0, "{done}");
    let said: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(
        said,
        [
            "KEV catalogue of 2026-11-01 (2026.11.01): 1 CVEs, 1 added; this is the baseline, it causes no changes of advisories",
            "EPSS scores of 2026-11-01 (v0): 1 CVEs, 1 added; this is the baseline, it causes no changes of advisories",
        ]
    );
    let rows = "select concat_ws(' ', kind, released_at, entries, last_error)
                from advisoryd_v1.enrichment order by kind";
    let before = world.texts(rows).await;

    let yesterday = file(&world, "old.json", &kev("2026-10-31", &["CVE-2026-2"]));
    let zipped = gzip(&epss("2026-11-02", &score));
    let cut = file(&world, "cut.csv.gz", &zipped[..zipped.len() - 9]);
    let future = file(
        &world,
        "future.json",
        &kev("2036-11-02", &["CVE-2026-1000"]),
    );
    let html = file(&world, "page.json", b"<html><body>Not found</body></html>");
    let half = kev("2026-11-02", &["CVE-2026-2"]);
    let half = file(&world, "half.json", &half[..half.len() / 2]);
    for (file, why) in [
        (&yesterday, "an older file is not accepted"),
        (&cut, "cut.csv.gz"),
        (&html, "neither a KEV catalogue"),
        (&future, "which is in the future"),
        (&half, "this is not a KEV catalogue"),
        (&"/does/not/exist".to_owned(), "cannot read the file"),
    ] {
        let done = world.cli(&["enrich", file]);
        assert_eq!(done.code, 1, "{done}");
        assert!(
            done.stderr.contains(why) && done.stdout.is_empty(),
            "{why}: {done}"
        );
    }
    assert_eq!(world.texts(rows).await, before);

    // One that an earlier version has accepted keeps no real one away.
    let ahead = "update advisoryd.enrichment set released_at = '2036-11-02' where kind = 'kev'";
    sqlx::query(ahead).execute(world.pool()).await.unwrap();
    let again = world.cli(&["enrich", "--json", &first]).json();
    assert_eq!(
        (&again["added"], &again["is_first"]),
        (&json!(0), &json!(false))
    );
}

#[tokio::test]
async fn of_a_cve_that_has_two_scores_the_highest_counts() {
    let world = World::new().await;
    let score = |score: f64| ("CVE-2026-1000".to_owned(), score);
    let twice = epss("2026-11-01", &[score(0.2), score(0.7), score(0.3)]);
    let done = world.cli(&["enrich", &file(&world, "epss.csv", &twice)]);
    assert!(done.code == 0 && done.stdout.contains("1 CVEs"), "{done}");
    let stored = "select cve || ' ' || score from advisoryd.epss_score";
    assert_eq!(world.texts(stored).await, ["CVE-2026-1000 0.7"]);
}

#[tokio::test]
async fn a_catalogue_that_lost_much_is_refused_until_somebody_accepts_it() {
    let world = World::new().await;
    let names: Vec<String> = (1000..1040).map(|n| format!("CVE-2026-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let whole = file(&world, "whole.json", &kev("2026-11-01", &names));
    let part = file(&world, "part.json", &kev("2026-11-02", &names[..30]));
    assert_eq!(world.cli(&["enrich", &whole]).code, 0);
    let refused = world.cli(&["enrich", &part]);
    assert_eq!(refused.code, 1);
    let accepted = world.cli(&["enrich", "--accept-removals", &part]);
    assert_reads!(refused, accepted);
}

#[tokio::test]
async fn nine_tenths_of_a_catalogue_are_enough_and_one_cve_less_is_not() {
    let world = World::new().await;
    let names: Vec<String> = (1000..1049).map(|n| format!("CVE-2026-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (day, count, code) in [(1, 49, 0), (2, 44, 1), (2, 45, 0)] {
        let text = kev(&format!("2026-11-0{day}"), &names[..count]);
        let given = file(&world, &format!("{count}.json"), &text);
        assert_eq!(world.cli(&["enrich", &given]).code, code, "{count}");
    }
}

/// 300,000 scores, of which advisories name 20,000. On an ordinary day nearly all change a
/// little, and one in fifty more. The server is one of its own: others write WAL, too.
#[tokio::test]
async fn an_ordinary_day_of_scores_writes_less_than_a_mebibyte_of_wal() {
    let server = PgServer::primary().await;
    let mut world = World::new().await;
    world.settings.database.url = Some(server.url());
    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    let pool = sqlx::PgPool::connect_with(server.options("advisoryd"))
        .await
        .unwrap();
    let count = async |sql: &'static str| -> i64 {
        let counted = sqlx::query_scalar(sql).fetch_one(&pool).await;
        counted.unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    sqlx::query(
        "update advisoryd.advisory a
         set cves = (select array_agg('CVE-2025-' || 1000 + n) from generate_series(0, 19999) as n
                     where n % 60 = r.number % 60)
         from (select said, row_number() over (order by said) as number from advisoryd.advisory) as r
         where r.said = a.said",
    )
    .execute(&pool)
    .await
    .unwrap();
    let usual = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) % 9000) / 100_000.0;
    let day = |day: &str, change: &dyn Fn(u32) -> f64| {
        let scores: Vec<(String, f64)> = (0..300_000)
            .map(|n| (format!("CVE-2025-{}", 1000 + n), usual(n) + change(n)))
            .collect();
        file(&world, &format!("{day}.csv.gz"), &gzip(&epss(day, &scores)))
    };
    let first = day("2026-11-01", &|_| 0.0);
    let second = day("2026-11-02", &|n| if n % 50 == 0 { 0.004 } else { 0.0007 });
    let done = world.cli(&["enrich", &first]);
    assert!(done.stdout.contains("300000 CVEs"), "{done}");
    let named = "select count(distinct n) from advisoryd.advisory a, unnest(a.cves) n";
    let named = count(named).await;
    let stored = "select count(*) from advisoryd.epss_score";
    assert_eq!(count(stored).await, named);

    let wal = "select (pg_current_wal_lsn() - '0/0')::bigint";
    let before = count(wal).await;
    let done = world.cli(&["enrich", &second]);
    assert!(done.stdout.contains(" changed"), "{done}");
    let written = count(wal).await - before;
    assert!(written < 1 << 20, "{written} bytes of WAL: {done}");
}
