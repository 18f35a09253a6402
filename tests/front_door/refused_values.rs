//! One record that PostgreSQL refuses, or that cannot be read, stops none of its
//! neighbours: tickets, details, lists, revision scan, quarantine.

use advisoryd::job::details::revision_scan::scan_revisions;
use advisoryd::job::run::Ran;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{Documents, World, small};

/// What each field of a ticket may hold.
const FIELDS: [&str; 14] = [
    "pretty_id",
    "title",
    "description",
    "status",
    "priority",
    "queue",
    "assigned_to",
    "asset_list",
    "advisory",
    "created",
    "modified",
    "status_id",
    "status_name",
    "unheard_of",
];

/// Text that no compression makes fit into an index row.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let character = |state: &mut u64| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((*state >> 33) % 26).unwrap())
    };
    (0..length).map(|_| character(&mut state)).collect()
}

/// Every kind of value that is odd, as JSON text.
fn kinds() -> Vec<(&'static str, String)> {
    let quoted = |text: &str| Value::from(text).to_string();
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        ("long", quoted(&noise(9_000))),
        ("very long", quoted(&noise(2_000_000))),
        (
            "long name",
            json!({"id": 1, "name": noise(9_000)}).to_string(),
        ),
        (
            "long identifier",
            json!({"advisory_identifier": noise(9_000)}).to_string(),
        ),
        ("year 0", quoted("0000-01-01T00:00:00Z")),
        ("year 10000", quoted("+10000-01-01T00:00:00Z")),
        ("before Christ", quoted("-0044-03-15T00:00:00")),
        ("end of year 9999", quoted("9999-12-31T23:59:59-01:00")),
        ("NUL", r#""a\u0000b""#.to_owned()),
        ("lone surrogate", r#""\ud800""#.to_owned()),
        ("control characters", r#""\u0001\u001b[31m""#.to_owned()),
        ("not a character", r#""\uffff""#.to_owned()),
        ("number too large", "1e999".to_owned()),
        ("many digits", "9".repeat(400)),
        ("beyond 64 bits", "9223372036854775808".to_owned()),
        ("as text", quoted("9223372036854775808")),
        ("negative", "-1".to_owned()),
        ("fraction", "1.5e-300".to_owned()),
        ("nested", nested(100)),
        ("nested too deep", nested(2_000)),
        (
            "object",
            r#"{"id": {"id": []}, "name": {"name": null}}"#.to_owned(),
        ),
        ("empty", quoted("")),
        ("null", "null".to_owned()),
        ("boolean", "true".to_owned()),
    ]
}

#[tokio::test]
async fn every_kind_of_value_in_every_field_of_a_ticket_is_stored_or_quarantined() {
    let documents = Documents::serve().await;
    let mut world = World::with(small()).await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let mut rows = vec![r#"{"id": 1, "title": "the first"}"#.to_owned()];
    for field in FIELDS {
        for (_, value) in kinds() {
            // Few megabytes are enough.
            if value.len() < 1_000_000 || field == "description" {
                let id = rows.len() + 1;
                rows.push(format!(r#"{{"id": {id}, "{field}": {value}}}"#));
            }
        }
    }
    for (_, value) in kinds().iter().filter(|(_, value)| value.len() < 1_000_000) {
        rows.push(format!(r#"{{"id": {value}}}"#));
    }
    let last = rows.len() + 1;
    rows.push(format!(r#"{{"id": {last}, "title": "the last"}}"#));
    let page = format!(
        r#"{{"count": {}, "next": null, "results": [{}]}}"#,
        rows.len(),
        rows.join(",")
    );
    documents.set_text("/api/tickets/", &page);
    for _ in 0..2 {
        let reports = world.sync_tickets(TicketSync::Now).await;
        assert_eq!(reports[0].outcome.name(), "ok", "{:?}", reports[0].outcome);
        let stored = world
            .count("select count(*) from advisoryd_v1.tickets")
            .await;
        let kept = world
            .count("select count(*) from advisoryd_v1.quarantine")
            .await;
        let ids = "select count(distinct key) from advisoryd_v1.quarantine where key is not null";
        let rows = i64::try_from(rows.len()).unwrap();
        // Two rows with the same id (`-1`) are one ticket.
        assert!(stored + kept >= rows - 2, "{stored} + {kept} of {rows}");
        assert!(stored > rows / 2 && world.count(ids).await > 0);
    }
    let neighbours =
        "select count(*) from advisoryd_v1.tickets where title in ('the first', 'the last')";
    assert_eq!(world.count(neighbours).await, 2);
}

/// Lets PostgreSQL refuse rows of a table from now on, with each class of error.
async fn refuse(world: &World, table: &str, condition: &str) {
    let sql = format!(
        "create or replace function advisoryd.refuse_{table}() returns trigger language plpgsql as $$
         begin
             if {condition} then raise exception 'value out of range for a test' using errcode = '22003'; end if;
             return new;
         end $$;
         create trigger refuse before insert or update on advisoryd.{table}
         for each row execute function advisoryd.refuse_{table}();"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(world.pool())
        .await
        .unwrap();
}

async fn accept(world: &World, table: &str) {
    let sql = format!("drop trigger refuse on advisoryd.{table}");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(world.pool())
        .await
        .unwrap();
}

/// What is in quarantine because the database refuses it.
async fn refused(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select key from advisoryd_v1.quarantine
         where reason like 'PostgreSQL refused it: value out of range for a test%' order by key",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_ticket_that_the_database_refuses_stops_no_other_and_is_stored_later() {
    let world = World::with(advisoryd::simulate::SimulatorOptions {
        tickets: 250,
        ..small()
    })
    .await;
    let bad = world.simulator.ticket_ids()[120];
    refuse(&world, "ticket", &format!("new.id = {bad}")).await;
    let reports = world.sync_tickets(TicketSync::Now).await;
    assert!(
        reports.iter().all(|report| report.outcome.name() == "ok"),
        "{reports:?}"
    );
    let stored = "select count(*) from advisoryd_v1.tickets where deleted_at is null";
    assert_eq!(world.count(stored).await, 249);
    assert_eq!(refused(&world).await, [bad.to_string()]);

    // In a window too.
    for id in world.simulator.ticket_ids().into_iter().skip(110).take(20) {
        world.simulator.touch_ticket(id);
    }
    world.later(chrono::TimeDelta::seconds(2));
    let reports = world.sync_tickets(TicketSync::Differences).await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    assert_eq!(
        (reports[0].tally.changed, reports[0].tally.quarantined),
        (19, 1)
    );
    // A retry says that it stays, and stops nothing.
    let retry = world.cli(&["quarantine", "retry", "--json"]);
    assert!(retry.stdout.contains("value out of range"), "{retry:?}");

    accept(&world, "ticket").await;
    world.cli(&["quarantine", "retry", "--json"]);
    assert_eq!(world.count(stored).await, 250);
    assert_eq!(refused(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_stored_ticket_whose_new_version_is_refused_is_not_gone() {
    let world = World::with(small()).await;
    world.sync_tickets(TicketSync::Now).await;
    let bad = world.simulator.ticket_ids()[7];
    refuse(&world, "ticket", &format!("new.id = {bad}")).await;
    world.simulator.touch_ticket(bad);
    let reports = world
        .sync_tickets(TicketSync::Full {
            accept_removals: false,
        })
        .await;
    assert_eq!(reports[0].outcome.name(), "ok", "{reports:?}");
    let gone = "select count(*) from advisoryd_v1.tickets where deleted_at is not null";
    assert_eq!(world.count(gone).await, 0);
    assert_eq!(refused(&world).await, [bad.to_string()]);
}

#[tokio::test]
async fn a_detail_that_the_database_refuses_stops_no_other() {
    let mut world = World::new().await;
    world.source = "json";
    world.later(chrono::TimeDelta::minutes(1));
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let bad = world.simulator.saids(1)[3].clone();
    refuse(&world, "detail", &format!("new.said = '{bad}'")).await;
    for report in world.fetch_details().await {
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
    }
    assert_eq!(refused(&world).await, std::slice::from_ref(&bad));
    let members = world.simulator.saids(1).len();
    let versions = world.versions().await;
    let stored = world.simulator.saids(1);
    let stored = stored.iter().filter(|said| versions.contains_key(*said));
    assert_eq!(stored.count(), members - 1);
}

#[tokio::test]
async fn an_element_of_a_list_that_the_database_refuses_stops_no_other() {
    let mut world = World::new().await;
    world.source = "json";
    world.later(chrono::TimeDelta::minutes(1));
    let bad = world.simulator.saids(1)[3].clone();
    refuse(&world, "wanted_detail", &format!("new.said = '{bad}'")).await;
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    assert_eq!(report.tally.quarantined, 1);
    assert_eq!(refused(&world).await, std::slice::from_ref(&bad));
    world.fetch_details().await;
    let members = world.simulator.saids(1).len();
    let versions = world.versions().await;
    let all = world.simulator.saids(1);
    let stored = all.iter().filter(|said| versions.contains_key(*said));
    assert_eq!(stored.count(), members - 1);
}

#[tokio::test]
async fn an_element_of_a_revision_scan_that_the_database_refuses_stops_no_other() {
    let mut world = World::new().await;
    world.settings.feeds.sweep = Some(true);
    world.pull_one().await;
    world.later(chrono::TimeDelta::minutes(1));
    let revised: Vec<String> = world.simulator.saids(1)[3..6].to_vec();
    for said in &revised {
        world.simulator.revise(said, true);
    }
    world.later(chrono::TimeDelta::minutes(1));
    refuse(
        &world,
        "wanted_detail",
        &format!("new.said = '{}'", revised[1]),
    )
    .await;
    let context = world.context().await;
    let Ok(Some(Ran::Ended(report))) = scan_revisions(&context).await else {
        panic!("a revision scan");
    };
    assert_eq!(report.outcome.name(), "ok", "{report:?}");
    assert_eq!(refused(&world).await, [revised[1].clone()]);
    let wanted: Vec<String> =
        sqlx::query_scalar("select said from advisoryd.wanted_detail order by 1")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let mut others = vec![revised[0].clone(), revised[2].clone()];
    others.sort();
    assert_eq!(wanted, others);
}
