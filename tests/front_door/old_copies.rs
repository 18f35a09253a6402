//! Answers that are copies of some age: what they lack may have come since.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::lists::discover;
use advisoryd::job::tickets::sync::TicketSync;
use axum::http::HeaderName;
use axum::http::header::{AGE, DATE, WARNING};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::settings::Discovery;
use crate::support::{Documents, World, world_of_documents};

const LEFT: &str = "select said from advisoryd_v1.advisory_watch_lists
                    where left_at is not null order by said";
const GONE: &str =
    "select id::text from advisoryd_v1.tickets where deleted_at is not null order by id";

fn ago(hours: i64) -> DateTime<Utc> {
    advisoryd::clock::machine_now() - TimeDelta::hours(hours)
}

fn http_date(at: DateTime<Utc>) -> String {
    httpdate::fmt_http_date(at.into())
}

/// A record for each of these days ago.
fn feed(days: impl IntoIterator<Item = i64>) -> String {
    let records = days.into_iter().map(|days| {
        // Not the whole number of days: one of today is an hour old.
        let at = ago(days * 24 + 1).to_rfc3339();
        format!(
            "<advisory><advisory_identifier>SA{}</advisory_identifier><title>t</title>\
             <criticality>2</criticality><released>{at}</released>\
             <modified_date>{at}</modified_date></advisory>",
            100 + days
        )
    });
    let records: Vec<String> = records.collect();
    format!("<advisories>{}</advisories>", records.concat())
}

/// Lets everything have been received for the last time a week ago.
async fn a_week_passes(world: &World) {
    let sql = "with a as (
                   update advisoryd.sighting
                   set first_seen_at = first_seen_at - interval '7 days',
                       last_seen_at = last_seen_at - interval '7 days'),
               b as (
                   update advisoryd.source
                   set seen_at = seen_at - interval '7 days',
                       full_seen_at = full_seen_at - interval '7 days'),
               c as (
                   update advisoryd.ticket_reading
                   set full_walk_at = full_walk_at - interval '7 days')
               update advisoryd.ticket
               set first_seen_at = first_seen_at - interval '7 days',
                   changed_at = changed_at - interval '7 days'";
    sqlx::query(sql).execute(world.pool()).await.unwrap();
}

/// A world of one list with advisories of today and the 11 days before.
async fn loaded() -> (World, Documents) {
    let (world, documents) = world_of_documents().await;
    documents.set(1, feed(0..12));
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    (world, documents)
}

#[tokio::test]
async fn a_copy_says_nothing_about_what_came_after_it_was_made() {
    for (name, value) in [
        (AGE, "7200".to_owned()),
        (DATE, http_date(ago(10))),
        (WARNING, "110 cache \"Response is Stale\"".to_owned()),
    ] {
        let (world, documents) = loaded().await;
        documents.set_header(name.clone(), &value);
        // One of today, and one that was received a moment ago.
        documents.set(1, feed((1..12).filter(|day| *day != 5)));
        let report = world.pull_back(LookBack::Full).await.remove(0);
        let is_stale = name == WARNING;
        assert_eq!(report.outcome.error().is_some(), is_stale, "{name}");
        assert_eq!(world.texts(LEFT).await, [""; 0], "{name}: {value}");
        // One of today was released after the copy was made, the other one was there before.
        a_week_passes(&world).await;
        world.pull_back(LookBack::Full).await;
        let left = world.texts(LEFT).await;
        let expected: &[&str] = if is_stale { &[] } else { &["SA105"] };
        assert_eq!(left, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn what_a_response_that_is_no_copy_lacks_has_left() {
    let (world, documents) = loaded().await;
    documents.set_header(AGE, "3");
    documents.set(1, feed((1..12).filter(|day| *day != 5)));
    world.pull_back(LookBack::Full).await;
    assert_eq!(world.texts(LEFT).await, ["SA100", "SA105"]);
}

#[tokio::test]
async fn members_older_than_all_that_came_have_not_left_however_few_they_are() {
    let (world, documents) = loaded().await;
    for last in [11, 10] {
        documents.set(1, feed(0..last));
        let report = world.pull_back(LookBack::Full).await.remove(0);
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        assert_eq!(world.texts(LEFT).await, [""; 0], "{last}");
    }
    let report = world.pull_back(LookBack::FullAccepted).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!(world.texts(LEFT).await, ["SA110", "SA111"]);
}

fn page(rows: &[Value]) -> Value {
    json!({"count": rows.len(), "next": null, "previous": null, "results": rows})
}

fn tickets(ids: impl IntoIterator<Item = i64>) -> Value {
    let rows = ids.into_iter().map(|id| {
        let at = ago(if id == 8 { 1 } else { 24 * 9 }).to_rfc3339();
        json!({"id": id, "title": "t", "created": at, "modified": at})
    });
    page(&rows.collect::<Vec<_>>())
}

async fn scan(world: &World) -> Vec<String> {
    let ask = TicketSync::Full {
        accept_removals: false,
    };
    for report in world.sync_tickets(ask).await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
    world.texts(GONE).await
}

const FRESH: (HeaderName, &str) = (AGE, "0");
const OLD: (HeaderName, &str) = (AGE, "7200");
const TICKETS: &str = "/api/tickets/";

fn no_ticket(documents: &Documents, id: i64, age: (HeaderName, &str)) {
    let path = format!("{TICKETS}{id}/");
    documents.set_answer(&path, 404, age, &json!({"detail": "Not found."}));
}

#[tokio::test]
async fn a_copy_does_not_show_that_a_ticket_is_gone() {
    let (world, documents) = world_of_documents().await;
    let set = |ids: &[i64], age| {
        documents.set_answer(TICKETS, 200, age, &tickets(ids.iter().copied()));
    };
    set(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], FRESH);
    scan(&world).await;
    for id in [5, 8] {
        no_ticket(&documents, id, FRESH);
    }
    let fewer = [1, 2, 3, 4, 6, 7, 9, 10];
    set(&fewer, OLD);
    assert_eq!(scan(&world).await, [""; 0], "older than the last scan");
    a_week_passes(&world).await;
    assert_eq!(scan(&world).await, ["5"], "8 is newer than the copy");
    set(&fewer, FRESH);
    no_ticket(&documents, 8, (AGE, "0, 7200"));
    assert_eq!(scan(&world).await, ["5"], "the answer about 8 is a copy");
    no_ticket(&documents, 8, FRESH);
    assert_eq!(scan(&world).await, ["5", "8"]);
}

#[tokio::test]
async fn a_copy_does_not_show_that_a_watch_list_is_gone() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(Vec::new());
    world.settings.discovery = Some(Discovery {
        watch_lists: true,
        schedule: "0 0 1 1 *",
    });
    let set = |lists: std::ops::Range<i64>, age| {
        let rows = lists.map(|id| json!({"id": id, "name": format!("L{id}"), "enabled": true}));
        let rows: Vec<Value> = rows.collect();
        documents.set_answer("/api/asset-lists/", 200, age, &page(&rows));
    };
    let discover = async || {
        let context = world.context().await;
        let found = discover::discover(&context).await.unwrap().unwrap();
        (found.outcome.name(), found.followed)
    };
    set(1..8, FRESH);
    assert_eq!(discover().await, ("ok", 7));
    set(1..7, OLD);
    assert_eq!(discover().await, ("ok", 7));
    set(1..7, FRESH);
    assert_eq!(discover().await, ("ok", 6));
}
