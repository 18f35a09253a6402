//! Rows that leave and join a collection while its pages are read move the others between
//! pages, and the count shows nothing: none is lost, and none counts as deleted.

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
/// Scans are of other rows each time.
const FULL: TicketSync = TicketSync::Full {
    accept_removals: true,
};

async fn world() -> (World, Paged) {
    let paged = Paged::serve().await;
    paged.shelf().cap = 2;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    (world, paged)
}

fn ticket(id: i64, modified: DateTime<Utc>) -> Value {
    let old = "2026-01-01T10:00:00Z";
    let modified = modified.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({"id": id, "title": format!("t{id}"), "created": old, "modified": modified})
}

fn old() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

async fn sync(world: &World, ask: TicketSync, case: &str) {
    for report in world.sync_tickets(ask).await {
        assert_eq!(report.outcome.name(), "ok", "{case}: {:?}", report.outcome);
    }
}

/// Tickets that upstream has and that are not stored as existing.
async fn missing(world: &World, paged: &Paged) -> Vec<i64> {
    let stored = "select id from advisoryd_v1.tickets where deleted_at is null order by id";
    let stored: Vec<i64> = sqlx::query_scalar(stored)
        .fetch_all(world.pool())
        .await
        .unwrap();
    let mut ids = paged.ids(TICKETS);
    ids.retain(|id| !stored.contains(id));
    ids
}

/// Seven ids, in ascending order without and with gaps, and in none.
fn orders(from: i64) -> [(&'static str, Vec<i64>); 3] {
    let mixed = [4, 0, 6, 2, 1, 5, 3];
    [
        ("ascending", (0..7).map(|id| from + id).collect()),
        ("gaps", (0..7).map(|id| from + 10 * id).collect()),
        ("mixed", mixed.map(|id| from + id).to_vec()),
    ]
}

/// A full scan of seven tickets on four pages, while one leaves and another one joins
/// between two pages: at every position, between every two pages.
async fn scan_while_one_leaves(is_known: bool) {
    let (world, paged) = world().await;
    let mut from = 1000;
    for page in 2..=4 {
        for left in 0..7 {
            for (order, ids) in orders(from) {
                let case = format!("{order}: row {left} leaves before page {page}");
                paged.set(TICKETS, ids.iter().map(|id| ticket(*id, old())).collect());
                if is_known {
                    sync(&world, FULL, &case).await;
                }
                let joins = ticket(from + 500, old());
                paged.change_before(page, false, move |rows| {
                    rows.remove(left);
                    rows.push(joins);
                });
                sync(&world, FULL, &case).await;
                assert_eq!(missing(&world, &paged).await, [0; 0], "{case}");
                from += 1000;
            }
        }
    }
}

#[tokio::test]
async fn no_ticket_is_marked_as_gone_that_moved_to_a_page_that_was_read() {
    scan_while_one_leaves(true).await;
}

#[tokio::test]
async fn no_new_ticket_is_lost_that_moved_to_a_page_that_was_read() {
    scan_while_one_leaves(false).await;
}

#[tokio::test]
async fn no_ticket_is_lost_that_is_modified_and_moves_to_the_front() {
    let (world, paged) = world().await;
    let ids = [9, 3, 8, 1, 7, 5, 2];
    for (case, page) in [(1, 2), (2, 3), (3, 4)] {
        let rows = ids
            .iter()
            .map(|id| ticket(100 * case + id, old()))
            .collect();
        paged.set(TICKETS, rows);
        // The last one moves to the front, and the first one leaves.
        paged.change_before(page, false, |rows| {
            let last = rows.pop().unwrap();
            rows[0] = last;
        });
        sync(&world, FULL, &format!("before page {page}")).await;
        assert_eq!(missing(&world, &paged).await, [0; 0], "before page {page}");
    }
}

#[tokio::test]
async fn ids_without_gaps_are_requested_once() {
    let (world, paged) = world().await;
    for (first, pages) in [(1, 4), (101, 4)] {
        let mut ids: Vec<i64> = (first..first + 7).collect();
        if first > 100 {
            ids.reverse();
        }
        paged.set(TICKETS, ids.iter().map(|id| ticket(*id, old())).collect());
        paged.shelf().asked.clear();
        sync(&world, FULL, "no gaps").await;
        let asked = paged.shelf().asked.clone();
        let asked = asked.iter().filter(|one| one.contains("page_size=100"));
        assert_eq!(asked.filter(|one| !one.contains("__lt")).count(), pages);
    }
}

#[tokio::test]
async fn a_ticket_that_is_not_listed_is_asked_for_before_it_is_marked_as_gone() {
    let gone = "select id::text from advisoryd_v1.tickets where deleted_at is not null";
    for (finds_one, expected) in [(true, &["7"][..]), (false, &["6", "7"])] {
        let (world, paged) = world().await;
        paged.set(TICKETS, (1..=12).map(|id| ticket(id, old())).collect());
        sync(&world, FULL, "first").await;
        let mut rest: Vec<Value> = paged.shelf().rows[TICKETS].clone();
        rest.retain(|row| row["id"] != 7);
        paged.set(TICKETS, rest);
        // 6 is listed nowhere, and exists.
        let listed: Vec<Value> = (1..=12)
            .filter(|id| ![6, 7].contains(id))
            .map(|id| ticket(id, old()))
            .collect();
        let page = json!({"count": 10, "next": null, "results": listed}).to_string();
        paged.shelf().fixed.insert(false, vec![page]);
        paged.shelf().finds_one = finds_one;
        sync(&world, FULL, "second").await;
        assert_eq!(world.texts(gone).await, expected, "finds one: {finds_one}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_upstreams_does_not_confirm_that_a_ticket_is_gone() {
    const HTML: &str = "text/html";
    const JSON: &str = "application/json";
    let gone = "select id::text from advisoryd_v1.tickets where deleted_at is not null";
    let page = "<html><title>Login</title></html>";
    for (alone, expected) in [
        ((200, HTML, page), &[][..]),
        ((403, HTML, page), &[]),
        ((405, HTML, page), &[]),
        (
            (
                200,
                JSON,
                r#"{"detail": "Service temporarily unavailable"}"#,
            ),
            &[],
        ),
        ((200, JSON, "{}"), &[]),
        ((200, JSON, r#"{"id": 8, "title": "another"}"#), &[]),
        ((404, JSON, r#"{"detail": "Not found."}"#), &["7"]),
        (
            (403, JSON, r#"{"detail": "You do not have permission."}"#),
            &["7"],
        ),
        ((405, JSON, r#"{"detail": "Method not allowed."}"#), &["7"]),
    ] {
        let (world, paged) = world().await;
        paged.set(TICKETS, (1..=12).map(|id| ticket(id, old())).collect());
        sync(&world, FULL, "first").await;
        paged.shelf().rows.get_mut(TICKETS).unwrap().remove(6);
        paged.shelf().alone = Some(alone);
        sync(&world, FULL, "second").await;
        assert_eq!(world.texts(gone).await, expected, "{alone:?}");
    }
}

#[tokio::test]
async fn no_change_is_lost_in_a_window_that_another_one_leaves_and_joins() {
    let (world, paged) = world().await;
    paged.set(TICKETS, vec![ticket(1, old())]);
    sync(&world, TicketSync::Now, "first").await;
    let mut from = 1000;
    for page in 2..=3 {
        for left in 0..5 {
            let case = format!("row {left} leaves before page {page}");
            let at = Utc::now() - TimeDelta::minutes(1);
            paged.set(
                TICKETS,
                (0..5).map(|id| ticket(from + 2 * id, at)).collect(),
            );
            let joins = ticket(from + 500, at);
            paged.change_before(page, true, move |rows| {
                // Its modification is newer than the window.
                rows[left]["_at"] = json!((Utc::now() + TimeDelta::minutes(1)).timestamp());
                rows.push(joins);
            });
            sync(&world, TicketSync::Differences, &case).await;
            let mut lost = missing(&world, &paged).await;
            // It comes with the next window if it was not received before it left.
            lost.retain(|id| *id != from + 2 * i64::try_from(left).unwrap());
            assert_eq!(lost, [0; 0], "{case}");
            from += 1000;
        }
    }
}

#[tokio::test]
async fn no_advisory_is_lost_that_moved_to_a_page_that_was_read() {
    const ADVISORIES: &str = "/api/advisories/";
    let (mut world, paged) = world().await;
    world.source = "json";
    paged.set("/api/asset-lists/", vec![json!({"id": 1, "name": "one"})]);
    paged.shelf().finds_one = true;
    let at = Utc::now() - TimeDelta::minutes(5);
    let row = |number: i64| {
        let time = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({"id": 7 * number, "advisory_identifier": format!("SA{number}"), "title": "t",
            "modified_date": time, "released": time})
    };
    for page in 2..=3 {
        for left in 0..5 {
            let rows: Vec<Value> = (1..=5)
                .map(|id| row(1000 * page + 100 * left + id))
                .collect();
            let expected: Vec<String> = rows
                .iter()
                .enumerate()
                .filter(|(at, _)| i64::try_from(*at) != Ok(left))
                .map(|(_, row)| row["advisory_identifier"].as_str().unwrap().to_owned())
                .collect();
            paged.set(ADVISORIES, rows);
            let joins = row(1000 * page + 100 * left + 99);
            let (page, left) = (
                usize::try_from(page).unwrap(),
                usize::try_from(left).unwrap(),
            );
            paged.change_before(page, true, move |rows| {
                rows.remove(left);
                rows.push(joins);
            });
            let report = world.pull_one().await;
            let case = format!("row {left} leaves before page {page}");
            assert_eq!(report.outcome.name(), "ok", "{case}: {:?}", report.outcome);
            let wanted = "select said from advisoryd.wanted_detail";
            let wanted = world.texts(wanted).await;
            for said in expected {
                assert!(wanted.contains(&said), "{case}: {said} of {wanted:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_watch_list_counts_as_deleted_that_moved_to_a_page_that_was_read() {
    const LISTS: &str = "/api/asset-lists/";
    let (mut world, paged) = world().await;
    world.lists = Some(Vec::new());
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: NEVER,
    });
    world.settings.tickets.enabled = Some(false);
    let list = |id: i64| json!({"id": id, "name": format!("l{id}"), "enabled": true});
    paged.set(LISTS, (0..7).map(|id| list(10 + 10 * id)).collect());
    for page in 2..=4 {
        for left in 0..7 {
            let case = format!("row {left} leaves before page {page}");
            discover::discover(&world.context().await)
                .await
                .unwrap()
                .unwrap();
            let joins = list(i64::try_from(1000 * page + 10 * left).unwrap());
            paged.change_before(page, false, move |rows| {
                rows.remove(left);
                rows.push(joins);
            });
            discover::discover(&world.context().await)
                .await
                .unwrap()
                .unwrap();
            let listed = "select id from advisoryd_v1.watch_lists where discovered order by id";
            let listed: Vec<i64> = sqlx::query_scalar(listed)
                .fetch_all(world.pool())
                .await
                .unwrap();
            for id in paged.ids(LISTS) {
                assert!(listed.contains(&id), "{case}: {id} of {listed:?}");
            }
        }
    }
}
