//! Searches and rules understand a filter alike, whatever it says and whatever the
//! advisories say or leave out.

use std::collections::{BTreeMap, BTreeSet};

use advisoryd::job::feeds::feed::LookBack;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::{option, prop_oneof};
use serde_json::{Value, json};
use toml::Table;

use crate::support::property::always;
use crate::support::settings::Rule;
use crate::support::{CommandResult, World, small};

/// Each case is a world of its own, with advisories and filters.
const CASES: u32 = 3;
const ADVISORIES: usize = 24;
const FILTERS: usize = 50;

const TEXTS: [&str; 7] = [
    "OpenSSL \"Heart\" remote code execution",
    "openssl'; drop table advisoryd.advisory; --",
    "ŁÓDKA %_\\ vulnerabilities in the parser",
    "łódka and $1 ${x} {}",
    "CPE",
    " ",
    "a\nb",
];
const CVES: [&str; 3] = ["CVE-2026-1", "CVE-2026-1234", "CVE-1999-99999"];
const CPES: [&str; 4] = [
    "cpe:/a:openssl:openssl:3",
    "cpe:2.3:a:Microsoft:windows:11",
    "cpe:/",
    "cpe:2.3:a::x",
];
const STATUSES: [&str; 3] = ["Vendor Patched", "No Fix", "None"];
const VECTORS: [&str; 5] = ["remote", "local_network", "local", "none", "unknown"];
const IMPACTS: [&str; 3] = ["DoS", "System access", "Cross Site Scripting"];
const TIMES: [&str; 4] = [
    "2026-10-31T23:59:59.999999Z",
    "2026-11-01T00:00:00Z",
    "2026-11-01T12:00:00Z",
    "2026-11-02T00:00:00Z",
];
const SCORES: [f64; 5] = [0.0, 4.9, 5.0, 7.3, 10.0];

/// What an advisory says, by column; null where it says nothing.
fn advisory() -> impl Strategy<Value = Value> {
    let text = || option::of(select(&TEXTS[..]));
    let score = || option::of(select(&SCORES[..]));
    let time = || option::of(select(&TIMES[..]));
    let texts = (text(), text(), text());
    let scores = (score(), score(), score(), score());
    let times = (time(), time());
    let codes = (
        option::of(0..7_i32),
        any::<bool>(),
        option::of(any::<bool>()),
        any::<bool>(),
    );
    let names = (
        option::of(select(&VECTORS[..])),
        option::of(select(&STATUSES[..])),
        vec(select(&IMPACTS[..]), 0..3),
        vec(select(&CVES[..]), 0..3),
    );
    let product = (select(&TEXTS[..]), vec(select(&CPES[..]), 0..3))
        .prop_map(|(name, cpes)| json!({"id": "1", "name": name, "os": null, "cpes": cpes}));
    let products = vec(product, 0..3);
    (texts, scores, times, codes, names, products).prop_map(
        |(texts, scores, times, codes, names, products)| {
            json!({
                "title": texts.0, "description": texts.1, "solution": texts.2,
                "cvss2_score": scores.0, "cvss3_score": scores.1, "cvss4_score": scores.2,
                "threat_score": scores.3,
                "released_at": times.0, "modified_at": times.1,
                "criticality": codes.0, "is_rejected": codes.1, "is_zero_day": codes.2,
                "unrecognised": codes.3.then(|| json!({"repaired": "a tag"})),
                "attack_vector": names.0, "solution_status": names.1,
                "impacts": names.2, "cves": names.3,
                "products": products,
            })
        },
    )
}

fn quoted(text: &str) -> String {
    let text = text.replace(['\n', '\t'], " ");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What may be unknown.
fn nulls() -> impl Strategy<Value = String> {
    let fields = select(
        &[
            "severity",
            "severity_rank",
            "cvss",
            "cvss4",
            "threat_score",
            "released",
            "modified",
            "first_seen",
            "title",
            "attack_vector",
            "solution_status",
            "cve",
            "product",
            "vendor",
            "impact",
            "is_zero_day",
            "is_rejected",
            "repaired",
            "kev",
            "ransomware",
            "epss",
            "acknowledged",
            "has_ticket",
            "said",
        ][..],
    );
    fields.prop_map(|field| format!("{field} is null"))
}

fn comparison() -> impl Strategy<Value = String> {
    let order = || select(&["=", "!=", "<", "<=", ">", ">="][..]);
    let match_text = || select(&["=", "!=", "~"][..]);
    let some = prop_oneof![
        select(&TEXTS[..]).prop_map(quoted),
        select(&["openssl", "\"heart\"", "ó", "Ł", "cpe", "'", "%", "_"][..]).prop_map(quoted),
        select(&CPES[..]).prop_map(quoted),
    ];
    let numbers = select(&["cvss", "cvss2", "cvss3", "cvss4", "threat_score"][..]);
    let times = select(
        &[
            "2026-11-01",
            "2026-11-01T12:00:00Z",
            "2026-11-02T01:00:00+01:00",
            "\"2026-11-01 12:00\"",
            "today",
            "Yesterday",
            "tomorrow",
            "monday",
            "sun",
        ][..],
    );
    let lists = select(&["\"Office clients\"", "\"office CLIENTS\""][..]);
    let words = select(
        &[
            "vulnerability",
            "\"remote code\" -parser",
            "the",
            "openssl or parser",
            "-",
        ][..],
    );
    prop_oneof![
        3 => (numbers, order(), select(&SCORES[..])).prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        3 => (order(), select(&["rejected", "low", "medium", "high", "critical"][..]))
            .prop_map(|(o, v)| format!("severity {o} {v}")),
        1 => (order(), 0..6).prop_map(|(o, v)| format!("severity_rank {o} {v}")),
        3 => (select(&["released", "modified"][..]), order(), times)
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        1 => select(&["first_seen >= today", "first_seen = today", "first_seen <= yesterday",
                      "first_seen > tuesday", "first_seen > 1h", "first_seen <= 1h", "released > 30y", "modified < 30y"][..])
            .prop_map(str::to_owned),
        4 => (select(&["title", "product", "vendor", "impact"][..]), match_text(), some)
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        2 => (select(&["=", "!="][..]), select(&CVES[..])).prop_map(|(o, v)| format!("cve {o} {v}")),
        1 => Just("cve ~ 2026 and vendor in (openssl, microsoft)".to_owned()),
        1 => select(&IMPACTS[..]).prop_map(|impact| format!("impact = {}", quoted(impact))),
        1 => select(&["remote", "adjacent", "local", "none"][..])
            .prop_map(|vector| format!("attack_vector != {vector}")),
        1 => Just("solution_status in (vendor_patched, none)".to_owned()),
        2 => (match_text(), lists).prop_map(|(o, v)| format!("list {o} {v}")),
        2 => words.prop_map(|words| format!("text ~ {}", quoted(words))),
        2 => select(&["is_zero_day", "is_rejected = false", "repaired"][..]).prop_map(str::to_owned),
        2 => select(&["acknowledged", "has_ticket", "ticket = false"][..]).prop_map(str::to_owned),
        2 => select(&["kev", "ransomware = false", "epss >= 0.5", "epss < 0.5", "epss = 0"][..])
            .prop_map(str::to_owned),
        2 => nulls(),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    comparison().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

/// Two lists, of which all advisories were revised after their first load.
async fn revised(advisories: &[Value]) -> World {
    let mut options = small();
    options.advisories = ADVISORIES;
    options.tickets = 0;
    options.watch_lists = 2;
    let world = World::with(options).await;
    world.pull().await;
    for said in world.simulator.all_saids() {
        world.simulator.revise(&said, false);
    }
    world.pull_back(LookBack::Full).await;
    sqlx::query("update advisoryd.source set name = 'Office clients' where watch_list_id = 1")
        .execute(world.pool())
        .await
        .unwrap();
    let saids = world
        .texts("select said from advisoryd.advisory order by said")
        .await;
    for (said, says) in saids.iter().zip(advisories.iter().cycle()) {
        sqlx::query(
            "update advisoryd.advisory a
             set title = r.title, description = r.description, solution = r.solution,
                 cvss2_score = r.cvss2_score, cvss3_score = r.cvss3_score,
                 cvss4_score = r.cvss4_score, threat_score = r.threat_score,
                 released_at = r.released_at, modified_at = r.modified_at,
                 criticality = r.criticality, is_rejected = r.is_rejected,
                 is_zero_day = r.is_zero_day, unrecognised = r.unrecognised,
                 attack_vector = r.attack_vector, solution_status = r.solution_status,
                 impacts = r.impacts, cves = r.cves, products = r.products
             from jsonb_populate_record(null::advisoryd.advisory, $2) as r
             where a.said = $1",
        )
        .bind(said)
        .bind(says)
        .execute(world.pool())
        .await
        .unwrap();
    }
    take_care(&world, &saids).await;
    // In some cases nothing was read yet.
    if advisories
        .first()
        .is_none_or(|first| first["is_rejected"] == false)
    {
        sqlx::raw_sql(
            "update advisoryd.enrichment set read_at = now();
             insert into advisoryd.known_exploited (cve, added_on, is_ransomware, listed_at)
             values ('CVE-2026-1', '2026-01-01', false, '2026-01-01'),
                    ('CVE-2026-1234', '2026-01-01', true, '2026-01-01');
             update advisoryd.known_exploited set removed_at = '2026-02-01' where cve = 'CVE-2026-1';
             insert into advisoryd.epss_score (cve, score)
             values ('CVE-2026-1234', 0.5), ('CVE-2026-1', 0.2)",
        )
        .execute(world.pool())
        .await
        .unwrap();
    }
    world
}

/// Of some advisories somebody takes care, has ceased to, or never did; the same with tickets.
async fn take_care(world: &World, saids: &[String]) {
    let (long_ago, later) = ("2000-01-01", "2000-01-02");
    for (place, said) in (0_i64..).zip(saids) {
        let (until, withdrawn) = match place % 5 {
            0 => (None, None),
            1 => (Some(later), None),
            2 => (None, Some(later)),
            3 => (Some("2100-01-01"), None),
            _ => continue,
        };
        sqlx::query(
            "insert into advisoryd.acknowledgement (said, created_by, at, until, withdrawn_at)
             values ($1, 'me', $2::timestamptz, $3::timestamptz, $4::timestamptz)",
        )
        .bind(said)
        .bind(long_ago)
        .bind(until)
        .bind(withdrawn)
        .execute(world.pool())
        .await
        .unwrap();
    }
    for (place, said) in (0_i64..).zip(saids).filter(|(place, _)| place % 3 != 0) {
        sqlx::query(
            "insert into advisoryd.ticket
                 (id, said, deleted_at, raw, content_hash, run_id, version, first_seen_at, changed_at)
             values ($1, $2, $3::timestamptz, '{}', '', 1, 1, $4::timestamptz, $4::timestamptz)",
        )
        .bind(place)
        .bind(said)
        .bind((place % 3 == 1).then_some(later))
        .bind(long_ago)
        .execute(world.pool())
        .await
        .unwrap();
    }
}

type Matches = BTreeMap<String, BTreeSet<String>>;

/// The advisories that rules with these filters match.
fn by_rules(world: &mut World, filters: &[String], zone: &'static str) -> Matches {
    world.settings.schedule.timezone = Some(zone);
    let rule = |(place, filter): (usize, &String)| {
        let mut clauses = Table::new();
        clauses.insert("where".to_owned(), filter.clone().into());
        clauses.insert("missing".to_owned(), "skip".into());
        Rule {
            name: place.to_string(),
            on: &["revised"],
            shadow: Some(true),
            clauses,
            ..Rule::default()
        }
    };
    world.settings.alerts.rules = filters.iter().enumerate().map(rule).collect();
    let result = world.cli(&["rules", "test", "--json", "--since", "1d"]);
    assert_eq!(result.code, 0, "{result:?}");
    let keys = |line: Value| {
        let messages = line["messages"].as_array().unwrap().clone();
        let alerts = messages
            .into_iter()
            .flat_map(|one| one["alerts"].as_array().unwrap().clone());
        alerts
            .map(|alert| alert["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let lines = result.json_lines().into_iter();
    filters.iter().cloned().zip(lines.map(keys)).collect()
}

/// The advisories that a search finds.
fn by_search(world: &World, filter: &str, zone: &str) -> BTreeSet<String> {
    let mut command = world.command(&[
        "advisories",
        "--json",
        "--columns",
        "said",
        "--where",
        filter,
    ]);
    let result: CommandResult = command.env("TZ", zone).output().unwrap().into();
    assert_eq!(result.code, 0, "{filter}: {result:?}");
    let lines = result.json_lines().into_iter();
    lines
        .map(|line| line["said"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn searches_and_rules_give_the_same_answer() {
    let zones = select(&["Europe/Berlin", "Pacific/Auckland"][..]);
    let worlds = (vec(advisory(), ADVISORIES), vec(filter(), FILTERS), zones);
    always(CASES, &worlds, async |(advisories, mut filters, zone)| {
        // Every case has some that are true for all, and for none.
        filters.extend(["said ~ SA", "not said ~ SA"].map(str::to_owned));
        // And some that depend on the time zone.
        let days = ["released = 2026-11-01", "modified < \"2026-11-01 12:00\""];
        filters.extend(days.map(str::to_owned));
        let mut world = revised(&advisories).await;
        let stored = world.count("select count(*) from advisoryd.advisory").await;
        let matched = by_rules(&mut world, &filters, zone);
        let all = matched["said ~ SA"].len();
        assert_eq!(i64::try_from(all).unwrap(), stored, "all were revised");
        world.settings.alerts.rules.clear();
        let mut some = 0;
        for (filter, by_rule) in &matched {
            assert_eq!(&by_search(&world, filter, zone), by_rule, "{filter}");
            some += usize::from(!by_rule.is_empty() && by_rule.len() < all);
        }
        assert!(
            some > FILTERS / 4,
            "only {some} filters tell advisories apart"
        );
    });
}
