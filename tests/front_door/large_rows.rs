//! A row of a page of JSON that is too large to be read costs no other row: it is skipped
//! and quarantined with its beginning, and comes in when it has become small.

#![expect(
    clippy::disallowed_methods,
    reason = "the upstream of these tests goes by the real time"
)]

use advisoryd::job::lists::discover;
use advisoryd::job::tickets::sync::TicketSync;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::settings::{Discovery, NEVER};
use crate::support::{Paged, World};

const TICKETS: &str = "/api/tickets/";
const ADVISORIES: &str = "/api/advisories/";
/// Scans are of other rows each time.
const FULL: TicketSync = TicketSync::Full {
    accept_removals: true,
};
const KEYS: &str = "select coalesce(key, '-') from advisoryd_v1.quarantine order by 1";
/// Rows of the collection, on pages of two.
const ROWS: usize = 5;

/// In what a row is too large.
#[derive(Debug, Clone, Copy)]
enum Excess {
    Bytes,
    Values,
}

impl Excess {
    const BOTH: [Self; 2] = [Self::Bytes, Self::Values];

    /// Just too large: with what else the row has.
    fn value(self) -> Value {
        match self {
            Self::Bytes => json!("x\"[{,".repeat((16 << 20) / 6)),
            Self::Values => json!(vec![0; 200_000]),
        }
    }
}

async fn world() -> (World, Paged) {
    let paged = Paged::serve().await;
    paged.shelf().cap = 2;
    paged.shelf().finds_one = true;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    (world, paged)
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn ticket(id: usize, modified: &str) -> Value {
    // Keys are sent in their order: `a_blob` before these, and `x` behind them.
    json!({"id": id, "title": format!("t{id}"), "created": "2026-01-01T10:00:00Z", "modified": modified})
}

async fn sync(world: &World, ask: TicketSync, case: &str) {
    for report in world.sync_tickets(ask).await {
        assert_eq!(report.outcome.name(), "ok", "{case}: {:?}", report.outcome);
    }
}

async fn stored(world: &World) -> Vec<String> {
    let ids = "select id::text from advisoryd_v1.tickets where deleted_at is null order by id";
    world.texts(ids).await
}

fn without(ids: &[usize], one: usize) -> Vec<String> {
    let others = ids.iter().filter(|id| **id != one);
    others.map(ToString::to_string).collect()
}

/// Full scans in which one ticket is too large: at each position of each page, with its id
/// before and behind what is too large.
#[tokio::test]
async fn a_ticket_that_is_too_large_costs_no_other_ticket() {
    let (world, paged) = world().await;
    let old = "2026-02-01T10:00:00Z";
    let mut from = 1000;
    for (excess, blob) in Excess::BOTH.into_iter().zip(["a_blob", "x"]) {
        for large in 0..ROWS {
            let case = format!("{excess:?} at {large}, {blob}");
            let ids: Vec<usize> = (0..ROWS).map(|id| from + id).collect();
            let mut rows: Vec<Value> = ids.iter().map(|id| ticket(*id, old)).collect();
            rows[large][blob] = excess.value();
            paged.set(TICKETS, rows.clone());
            paged.shelf().asked.clear();
            sync(&world, FULL, &case).await;
            let asked = paged.shelf().asked.len();
            assert!(asked < 20, "{case}: {asked} requests");
            assert_eq!(stored(&world).await, without(&ids, ids[large]), "{case}");
            assert_eq!(world.texts(KEYS).await, [ids[large].to_string()], "{case}");

            rows[large][blob] = json!("small");
            paged.set(TICKETS, rows);
            sync(&world, FULL, &case).await;
            assert_eq!(stored(&world).await, without(&ids, 0), "{case}");
            assert_eq!(world.texts(KEYS).await, [""; 0], "{case}");
            from += 1000;
        }
    }
}

#[tokio::test]
async fn what_is_kept_of_it_says_what_it_was() {
    let (world, paged) = world().await;
    let mut rows = vec![ticket(7, "2026-02-01T10:00:00Z")];
    rows[0]["x"] = Excess::Bytes.value();
    paged.set(TICKETS, rows);
    sync(&world, FULL, "one").await;
    let kept = "select octet_length(raw) || ': ' || reason from advisoryd_v1.quarantine";
    let kept = world.texts(kept).await.remove(0);
    assert!(kept.starts_with("65536: too large to be read: "), "{kept}");
    let result = world.cli(&["quarantine", "retry"]);
    assert!(!result.stdout.contains("invalid JSON"), "{}", result.stdout);
    let reason = "select reason from advisoryd_v1.quarantine";
    let reason = world.texts(reason).await.remove(0);
    assert!(kept.ends_with(&reason), "{reason}");
    // What it is does not depend on these words.
    sqlx::query("update advisoryd.quarantine set reason = 'in other words'")
        .execute(world.pool())
        .await
        .unwrap();
    world.cli(&["quarantine", "retry"]);
    let reason = "select reason from advisoryd_v1.quarantine";
    assert_eq!(world.texts(reason).await, ["in other words"]);
}

/// Windows in which a ticket is too large: the cursor moves on, and it is not received again.
#[tokio::test]
async fn a_window_with_a_ticket_that_is_too_large_is_complete() {
    let (world, paged) = world().await;
    let now = Utc::now();
    let at = |minutes: i64| time(now - TimeDelta::minutes(minutes));
    let mut rows: Vec<Value> = (1..=5).map(|id| ticket(id, &at(600))).collect();
    paged.set(TICKETS, rows.clone());
    sync(&world, FULL, "first").await;
    for (large, excess) in [(1, Excess::Bytes), (4, Excess::Values)] {
        let mut changed = rows.clone();
        for row in &mut changed {
            row["modified"] = json!(time(Utc::now() - TimeDelta::seconds(30)));
            row["title"] = json!("changed");
        }
        changed[large]["x"] = excess.value();
        paged.set(TICKETS, changed.clone());
        world.later(TimeDelta::minutes(2));
        sync(&world, TicketSync::Now, "window").await;
        let new = "select id::text from advisoryd_v1.tickets where title = 'changed' order by id";
        let ids: Vec<usize> = (1..=5).collect();
        assert_eq!(world.texts(new).await, without(&ids, large + 1));
        assert_eq!(world.texts(KEYS).await, [(large + 1).to_string()]);
        let runs =
            "select count(*) from advisoryd_v1.sync_runs where job = 'tickets' and outcome <> 'ok'";
        assert_eq!(world.count(runs).await, 0);

        // It becomes small, and is modified by that.
        changed[large]["x"] = json!(1);
        changed[large]["modified"] = json!(time(Utc::now() - TimeDelta::seconds(30)));
        paged.set(TICKETS, changed.clone());
        sync(&world, FULL, "small").await;
        assert_eq!(world.texts(KEYS).await, [""; 0]);
        rows = changed;
        for row in &mut rows {
            row["title"] = json!("again");
        }
        paged.set(TICKETS, rows.clone());
        sync(&world, FULL, "again").await;
    }
}

/// A page whose rows are together too large is read in parts; none is quarantined.
#[tokio::test]
async fn a_page_of_many_large_tickets_is_read_in_parts() {
    let (world, paged) = world().await;
    paged.shelf().cap = 0;
    let mut rows: Vec<Value> = (1..=9)
        .map(|id| ticket(id, "2026-02-01T10:00:00Z"))
        .collect();
    for row in &mut rows {
        row["x"] = json!("y".repeat(5 << 20));
    }
    rows[4]["x"] = Excess::Values.value();
    rows[6]["x"] = json!(vec![0; 150_000]);
    rows[7]["x"] = json!(vec![0; 150_000]);
    paged.set(TICKETS, rows);
    sync(&world, FULL, "parts").await;
    let ids: Vec<usize> = (1..=9).collect();
    assert_eq!(stored(&world).await, without(&ids, 5));
    assert_eq!(world.texts(KEYS).await, ["5"]);
    let asked = paged.shelf().asked.len();
    assert!(asked < 20, "{asked} requests");
}

fn advisory(id: usize, modified: &str) -> Value {
    json!({
        "id": id, "advisory_identifier": format!("SA{id}"), "title": format!("a{id}"),
        "criticality": 2, "released": modified, "modified_date": modified,
        "custom_info": {"affected_asset_lists": [{"id": 1}]}
    })
}

/// A list that is read from the JSON API, one of whose elements is too large.
#[tokio::test]
async fn an_element_that_is_too_large_costs_no_other_advisory() {
    let (mut world, paged) = world().await;
    world.source = "json";
    world.lists = Some(vec![1]);
    paged.set("/api/asset-lists/", vec![json!({"id": 1, "name": "L1"})]);
    let mut from = 1000;
    for (excess, blob) in Excess::BOTH.into_iter().zip(["a_blob", "x"]) {
        for large in 0..ROWS {
            let case = format!("{excess:?} at {large}, {blob}");
            let ids: Vec<usize> = (0..ROWS).map(|id| from + id).collect();
            let at = time(Utc::now() - TimeDelta::hours(1));
            let mut rows: Vec<Value> = ids.iter().map(|id| advisory(*id, &at)).collect();
            rows[large][blob] = excess.value();
            paged.set(ADVISORIES, rows.clone());
            assert_eq!(world.pull_one().await.outcome.name(), "ok", "{case}");
            world.later(TimeDelta::minutes(3));
            fetch_details(&world).await;
            let read = "select ltrim(said, 'SA') from advisoryd_v1.advisories
                        where title is not null order by said";
            let read = world.texts(read).await;
            let read = read
                .into_iter()
                .filter(|id| ids.contains(&id.parse().unwrap()));
            assert_eq!(
                read.collect::<Vec<_>>(),
                without(&ids, ids[large]),
                "{case}"
            );
            // The element and the details, which are the same here.
            let said = format!("SA{}", ids[large]);
            assert_eq!(world.texts(KEYS).await, [&*said, &*said], "{case}");
            let due = "select count(*) from advisoryd.wanted_detail where next_at < now() + interval '1 day'";
            assert_eq!(world.count(due).await, 0, "{case}");

            rows[large][blob] = json!("small");
            rows[large]["modified_date"] = json!(time(Utc::now() - TimeDelta::minutes(1)));
            paged.set(ADVISORIES, rows);
            assert_eq!(world.pull_one().await.outcome.name(), "ok", "{case}");
            world.later(TimeDelta::minutes(3));
            fetch_details(&world).await;
            let found = "select count(*) from advisoryd_v1.advisories where title is not null";
            let expected = i64::try_from(from / 1000 * ROWS).unwrap();
            assert_eq!(world.count(found).await, expected, "{case}");
            assert_eq!(world.texts(KEYS).await, [""; 0], "{case}");
            from += 1000;
        }
    }
}

async fn fetch_details(world: &World) {
    for report in world.fetch_details().await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
}

/// What is read of a watch list is short: it is followed all the same.
#[tokio::test]
async fn a_watch_list_whose_row_is_too_large_is_discovered() {
    let (mut world, paged) = world().await;
    world.lists = Some(Vec::new());
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: NEVER,
    });
    world.settings.tickets.enabled = Some(false);
    let list = |id: usize| json!({"id": id, "name": format!("l{id}"), "enabled": id != 3});
    let mut rows: Vec<Value> = (1..=3).map(list).collect();
    rows[1]["a_blob"] = Excess::Bytes.value();
    rows[2]["x"] = Excess::Values.value();
    paged.set("/api/asset-lists/", rows);
    let found = discover::discover(&world.context().await).await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.outcome.name(), "ok", "{:?}", found.outcome);
    assert_eq!((found.listed, found.followed), (3, 2));
}
