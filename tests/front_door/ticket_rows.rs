//! Rows of tickets that come twice, that are older than the stored ones, or that lie outside
//! of the requested window.

#![expect(
    clippy::disallowed_methods,
    reason = "the upstream of these tests goes by the real time"
)]

use advisoryd::job::run::RunReport;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::verify::verify;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Paged, World, assert_reads};

const TICKETS: &str = "/api/tickets/";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

async fn world() -> (World, Paged) {
    let paged = Paged::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    (world, paged)
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn ticket(id: i64, title: &str, modified: &str) -> Value {
    json!({"id": id, "title": title, "created": "2026-01-01T10:00:00Z", "modified": modified})
}

fn old(id: i64) -> Value {
    ticket(id, "old", "2026-01-02T10:00:00Z")
}

/// Two pages of a collection with so many rows.
fn pages(count: usize, pages: [&[Value]; 2]) -> Vec<String> {
    let next = "/api/tickets/?page=2&page_size=100";
    let page = |rows: &[Value], next: Value| {
        json!({"count": count, "next": next, "results": rows}).to_string()
    };
    vec![page(pages[0], json!(next)), page(pages[1], Value::Null)]
}

async fn full(world: &World) -> RunReport {
    world.sync_tickets(FULL).await.remove(0)
}

async fn titles(world: &World) -> Vec<String> {
    let titles = "select id || ' ' || title from advisoryd_v1.tickets order by id";
    world.texts(titles).await
}

#[tokio::test]
async fn a_row_without_an_id_that_comes_twice_hides_no_missing_one() {
    let unread = json!({"title": "no id"});
    for (rows, outcome) in [
        (
            [&[old(1), unread.clone()][..], &[unread.clone(), old(2)]],
            "failed",
        ),
        ([&[old(1), unread.clone(), unread.clone()], &[old(2)]], "ok"),
    ] {
        let (world, paged) = world().await;
        paged.set(TICKETS, vec![old(1)]);
        paged.shelf().fixed.insert(false, pages(4, rows));
        let report = full(&world).await;
        assert_eq!(report.outcome.name(), outcome, "{:?}", report.outcome);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_and_comes_twice_hides_no_missing_one_in_a_window() {
    let (world, paged) = world().await;
    paged.set(TICKETS, vec![old(1)]);
    full(&world).await;
    let now = time(Utc::now() - TimeDelta::seconds(30));
    let row = |id, title| ticket(id, title, &now);
    let bad = row(12, "a\0b");
    let rows = pages(
        3,
        [&[row(11, "a"), bad.clone()], std::slice::from_ref(&bad)],
    );
    let mut query = rows.clone();
    query[0] = query[0].replace("page=2&page_size=100", "page=2&modified__lt=4000000000");
    paged.shelf().fixed.insert(true, query);
    let report = world.sync_tickets(TicketSync::Differences).await.remove(0);
    assert_eq!(report.outcome.name(), "failed", "{report:?}");
    let error = report.outcome.error().unwrap();
    assert_reads!(error);
}

#[tokio::test]
async fn a_ticket_with_an_earlier_modification_time_is_the_current_state() {
    let (world, paged) = world().await;
    let stored = |id| ticket(id, "edited", "2026-03-10T10:00:00Z");
    paged.set(TICKETS, (1..=3).map(stored).collect());
    full(&world).await;
    // A backup was restored upstream.
    let restored = ticket(2, "restored", "2026-03-05T10:00:00Z");
    paged.set(TICKETS, vec![stored(1), restored, stored(3)]);
    for changed in [1, 0] {
        let report = full(&world).await;
        assert_eq!(
            (report.outcome.name(), report.tally.changed),
            ("ok", changed)
        );
        assert_eq!(titles(&world).await, ["1 edited", "2 restored", "3 edited"]);
    }
    let history = "select version || ' ' || title from advisoryd_v1.ticket_history
                   where id = 2 order by version";
    assert_eq!(world.texts(history).await, ["1 edited", "2 restored"]);
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    let mut problems = proof.problems.iter();
    assert!(problems.all(|one| !one.about.contains("ticket")));
}

#[tokio::test]
async fn an_older_copy_of_a_ticket_of_the_same_run_is_kept_apart() {
    let newer = ticket(1, "newer", "2026-03-10T10:00:00Z");
    let older = ticket(1, "older", "2026-03-05T10:00:00Z");
    for rows in [
        [&[newer.clone()][..], &[older.clone(), old(2)]],
        [std::slice::from_ref(&older), &[newer.clone(), old(2)]],
        [&[older.clone(), newer.clone()], &[old(2)]],
        [&[newer.clone(), older.clone()], &[old(2)]],
    ] {
        let is_later = rows[0] == [older.clone()];
        let (world, paged) = world().await;
        paged.set(TICKETS, vec![old(1)]);
        paged.shelf().fixed.insert(false, pages(2, rows));
        for _ in 0..2 {
            let report = full(&world).await;
            assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
            assert_eq!(titles(&world).await, ["1 newer", "2 old"], "{rows:?}");
            let kept = "select key || ' ' || (raw::jsonb ->> 'title')
                        from advisoryd_v1.replaced_records
                        union all
                        select id || ' ' || title from advisoryd_v1.ticket_history
                        where title = 'older' and version = 1";
            assert_eq!(world.texts(kept).await, ["1 older"], "{rows:?}");
            if is_later {
                // Each scan would store both, one after the other.
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_rows_of_a_ticket_on_one_page_count_where_upstream_counts_both() {
    let other = ticket(1, "other", "2026-01-02T10:00:00Z");
    for (count, rows, outcome) in [
        // The same twice, and one that differs.
        (4, [&[old(1), old(1), old(2)][..], &[old(3)]], "ok"),
        (4, [&[old(1), other.clone(), old(2)], &[old(3)]], "ok"),
        (3, [&[old(1), old(1), old(2)], &[old(3)]], "ok"),
        // On two pages it has moved, and hides one that is missing.
        (4, [&[old(1), old(2)], &[old(2), old(3)]], "failed"),
        // More is missing than comes twice.
        (5, [&[old(1), old(1), old(2)], &[old(3)]], "failed"),
    ] {
        let (world, paged) = world().await;
        paged.set(TICKETS, vec![old(1)]);
        paged.shelf().fixed.insert(false, pages(count, rows));
        for _ in 0..2 {
            let report = full(&world).await;
            let said = (report.outcome.name(), count, rows);
            assert_eq!(said, (outcome, count, rows), "{:?}", report.outcome);
        }
        let result = world.cli(&["sync", "tickets", "--full"]).stderr;
        let is_told = result
            .contains("different ones; 1 row had the id of another row on the same page (ids 1)");
        assert_eq!(is_told, count == 4 && outcome == "ok", "{result}");
    }
}

#[tokio::test]
async fn two_rows_of_a_ticket_count_in_a_window_too() {
    let (world, paged) = world().await;
    paged.set(TICKETS, vec![old(1)]);
    full(&world).await;
    let now = time(Utc::now() - TimeDelta::seconds(30));
    let row = |id| ticket(id, "new", &now);
    let page = json!({"count": 3, "next": null, "results": [row(11), row(11), row(12)]});
    paged.shelf().fixed.insert(true, vec![page.to_string()]);
    let report = world.sync_tickets(TicketSync::Differences).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!(titles(&world).await, ["1 old", "11 new", "12 new"]);
}

/// A value that is computed at each request is no change of the ticket.
#[tokio::test]
async fn a_value_that_no_column_has_makes_a_version_only_with_another_time() {
    let (world, paged) = world().await;
    let row = |title, generated: i32, modified: &str| {
        let mut row = ticket(1, title, modified);
        row["generated_at"] = json!(generated);
        row["status"] = json!({"id": 1, "name": "Open", "etag": generated});
        row
    };
    let undated = |generated: i32| json!({"id": 2, "title": "undated", "generated_at": generated});
    let (first, later) = ("2026-01-02T10:00:00Z", "2026-01-03T10:00:00Z");
    let history = "select id || ' ' || version || ' ' || title || ' ' || (raw ->> 'generated_at')
                   from advisoryd_v1.ticket_history order by id, version";
    for (rows, changed, expected) in [
        (vec![row("a", 1, first)], 0, &["1 1 a 1"][..]),
        (vec![row("a", 2, first)], 0, &["1 1 a 2"]),
        (vec![row("a", 3, first)], 0, &["1 1 a 3"]),
        (vec![row("b", 4, first)], 1, &["1 1 a 3", "1 2 b 4"]),
        (
            vec![row("b", 5, later)],
            1,
            &["1 1 a 3", "1 2 b 4", "1 3 b 5"],
        ),
        (
            vec![row("b", 6, later), undated(1)],
            0,
            &["1 1 a 3", "1 2 b 4", "1 3 b 6", "2 1 undated 1"],
        ),
        (
            // No time shows whether it was changed.
            vec![row("b", 6, later), undated(2)],
            1,
            &[
                "1 1 a 3",
                "1 2 b 4",
                "1 3 b 6",
                "2 1 undated 1",
                "2 2 undated 2",
            ],
        ),
    ] {
        paged.set(TICKETS, rows);
        let report = full(&world).await;
        let outcome = (report.outcome.name(), report.tally.changed);
        assert_eq!(outcome, ("ok", changed), "{expected:?}");
        assert_eq!(world.texts(history).await, expected);
    }
    let kept = "select count(*) from advisoryd_v1.replaced_records";
    assert_eq!(world.count(kept).await, 0);
    let verified = world.cli(&["verify"]).to_string();
    assert!(!verified.contains("ticket 1"), "{verified}");
}

/// Upstream's filter works, but goes by another time than the tickets show.
#[tokio::test]
async fn tickets_outside_of_the_window_keep_no_other_from_being_stored() {
    let now = Utc::now() - TimeDelta::seconds(30);
    let elsewhere = (now + TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M:%S");
    for shown in ["2026-01-02T10:00:00Z".to_owned(), elsewhere.to_string()] {
        let (world, paged) = world().await;
        paged.set(TICKETS, (1..=5).map(old).collect());
        full(&world).await;
        let mut outside = ticket(2, "moved", &shown);
        outside["_at"] = json!(now.timestamp());
        let inside = |id| ticket(id, "new", &time(now));
        let mut rows: Vec<Value> = (1..=5).filter(|id| *id != 2).map(old).collect();
        rows.extend([inside(6), outside, inside(7)]);
        paged.set(TICKETS, rows);
        for _ in 0..2 {
            let report = world.sync_tickets(TicketSync::Differences).await.remove(0);
            let outcome = (report.mode.name(), report.outcome.name());
            assert_eq!(outcome, ("incremental", "ok"), "{:?}", report.outcome);
        }
        let stored = titles(&world).await;
        for wanted in ["2 moved", "6 new", "7 new"] {
            assert!(stored.contains(&wanted.to_owned()), "{shown}: {stored:?}");
        }
    }
}

#[tokio::test]
async fn what_comes_although_the_filter_is_ignored_is_stored_and_the_run_fails() {
    let (world, paged) = world().await;
    paged.set(TICKETS, (1..=5).map(old).collect());
    full(&world).await;
    let mut rows: Vec<Value> = (1..=5).map(old).collect();
    rows.push(ticket(6, "new", &time(Utc::now() - TimeDelta::seconds(30))));
    paged.set(TICKETS, rows);
    paged.shelf().ignores_filters = true;
    let report = world.sync_tickets(TicketSync::Differences).await.remove(0);
    let error = report.outcome.error().unwrap_or_default().to_owned();
    assert_reads!(error);
    assert!(titles(&world).await.contains(&"6 new".to_owned()));
}

#[tokio::test]
async fn advisories_outside_of_the_window_keep_no_other_from_being_read() {
    let (mut world, paged) = world().await;
    world.source = "json";
    paged.set("/api/asset-lists/", vec![json!({"id": 1, "name": "one"})]);
    paged.shelf().finds_one = true;
    let now = Utc::now() - TimeDelta::minutes(5);
    let row = |number: i64, at: &str| {
        json!({"id": number, "advisory_identifier": format!("SA{number}"), "title": "t",
            "modified_date": at, "released": at, "_at": now.timestamp()})
    };
    let rows = vec![
        row(1, &time(now)),
        row(2, "2001-01-01T00:00:00Z"),
        row(3, &time(now)),
    ];
    paged.set("/api/advisories/", rows);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let wanted = "select said from advisoryd.wanted_detail order by said";
    assert_eq!(world.texts(wanted).await, ["SA1", "SA2", "SA3"]);
}
