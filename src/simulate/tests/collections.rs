use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{get, simulator};
use crate::simulate::{AnswerFault, FaultRule, ListOrder, Simulator, TicketFilters, TicketShape};

/// Follows `next` from `target`; the rows' numbers in the order of their coming, and the pages.
async fn read_all(simulator: &Simulator, target: &str) -> (Vec<u64>, Vec<Value>) {
    let (mut ids, mut pages) = (Vec::new(), Vec::new());
    let mut target = target.to_owned();
    loop {
        let page = get(simulator, &target).await.json();
        ids.extend(
            page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].as_u64().unwrap()),
        );
        let next = page["next"].as_str().map(str::to_owned);
        pages.push(page);
        match next {
            None => return (ids, pages),
            Some(next) => next
                .strip_prefix(&simulator.base_url())
                .unwrap()
                .clone_into(&mut target),
        }
    }
}

#[tokio::test]
async fn pages_contain_twenty_rows_or_as_many_as_asked_up_to_a_hundred() {
    let simulator = simulator(|_| {}).await;
    let (ids, pages) = read_all(&simulator, "/api/tickets/").await;
    assert_eq!(ids, (1..=130).collect::<Vec<u64>>());
    assert_eq!(pages.len(), 7);
    assert!(pages.iter().all(|page| page["count"] == 130));
    let next = pages[0]["next"].as_str().unwrap();
    assert_eq!(
        next,
        format!("{}/api/v1/tickets/?page=2", simulator.base_url())
    );
    assert_eq!(pages[0]["previous"], Value::Null);
    let first = format!("{}/api/v1/tickets/", simulator.base_url());
    assert_eq!(pages[1]["previous"], json!(first));
    let (_, pages) = read_all(&simulator, "/api/tickets/?page_size=5000").await;
    assert_eq!(pages[0]["results"].as_array().unwrap().len(), 100);
    assert_eq!(pages.len(), 2);
}

#[tokio::test]
async fn a_page_past_the_end_is_404_and_an_empty_collection_has_a_first_page() {
    let simulator = simulator(|_| {}).await;
    for page in ["8", "0", "x", "99999999999999999999"] {
        let answer = get(&simulator, &format!("/api/tickets/?page={page}")).await;
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({"detail": "Invalid page."}))
        );
    }
    let empty = get(&simulator, "/api/tickets/?created__gte=99999999999")
        .await
        .json();
    assert_eq!(
        empty,
        json!({"count": 0, "next": null, "previous": null, "results": []})
    );
}

#[tokio::test]
async fn filters_count_in_seconds_and_unknown_ones_are_ignored() {
    let simulator = simulator(|_| {}).await;
    let middle = (simulator.now() - TimeDelta::days(100)).timestamp();
    let count = async |query: String| {
        let page = get(&simulator, &format!("/api/advisories/?page_size=1&{query}"))
            .await
            .json();
        page["count"].as_u64().unwrap()
    };
    for field in ["modified", "released", "created"] {
        let later = count(format!("{field}__gte={middle}")).await;
        let earlier = count(format!("{field}__lt={middle}")).await;
        assert_eq!(later + earlier, 150, "{field}");
        assert!(later > 20 && earlier > 20, "{field}: {later} and {earlier}");
        assert_eq!(count(format!("{field}__gte={}", middle * 1000)).await, 0);
    }
    assert_eq!(
        count(format!("modified_date__gte={}", middle * 1000)).await,
        150
    );
    let answer = get(&simulator, "/api/advisories/?modified__gte=2026-01-01").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_ticket_filter_that_does_not_work_returns_everything() {
    let simulator = simulator(|options| {
        options.ticket.filters = TicketFilters {
            modified: false,
            created: true,
        };
    })
    .await;
    let far = "=99999999999&page_size=1";
    let ignored = get(&simulator, &format!("/api/tickets/?modified__gte{far}")).await;
    assert_eq!(ignored.json()["count"], 130);
    let works = get(&simulator, &format!("/api/tickets/?created__gte{far}")).await;
    assert_eq!(works.json()["count"], 0);
    simulator.inject(FaultRule::new(AnswerFault::IgnoredFilter));
    let once = get(&simulator, &format!("/api/tickets/?created__gte{far}")).await;
    assert_eq!(once.json()["count"], 130);
    assert_eq!(simulator.faults_left(), 0);
}

#[tokio::test]
async fn scores_are_numbers_in_the_list_and_strings_in_the_detail() {
    let simulator = simulator(|_| {}).await;
    let page = get(&simulator, "/api/advisories/?page_size=100")
        .await
        .json();
    for row in page["results"].as_array().unwrap() {
        assert_eq!(row.as_object().unwrap().len(), 18);
        assert!(row["cvss_score"].is_number() && row["cvss3_score"].is_number());
    }
    let said = page["results"][7]["advisory_identifier"].as_str().unwrap();
    let by_said = get(&simulator, &format!("/api/advisories/{said}/"))
        .await
        .json();
    let by_id = get(
        &simulator,
        &format!("/api/v1/advisories/{}/", by_said["id"]),
    )
    .await
    .json();
    assert_eq!(by_said, by_id);
    assert!(by_said["cvss_score"].is_string() && by_said["products"][0]["id"].is_string());
    assert_eq!(by_said["revisions"][0]["number"], "1.0");
    assert!(by_said["description"].as_str().unwrap().contains("\r\n"));
    let lists = by_said["custom_info"]["affected_asset_lists"]
        .as_array()
        .unwrap();
    assert!(!lists.is_empty());
    assert_eq!(
        get(&simulator, "/api/advisories/SA1/").await.json(),
        json!({"detail": "Not found."})
    );
}

#[tokio::test]
async fn watch_lists_and_what_is_below_them_are_collections() {
    let simulator = simulator(|options| options.watch_lists = 6).await;
    let (ids, pages) = read_all(&simulator, "/api/asset-lists/?page_size=4").await;
    assert_eq!((ids, pages.len()), (vec![1, 2, 3, 4, 5, 6], 2));
    assert_eq!(get(&simulator, "/api/asset-lists/4/").await.json()["id"], 4);
    for part in ["vendors", "products", "product-releases"] {
        let page = get(&simulator, &format!("/api/asset-lists/4/{part}/"))
            .await
            .json();
        assert!(page["count"].as_u64().unwrap() > 3, "{part}");
    }
    let waiting = get(&simulator, "/api/approve-advisories/").await.json();
    assert_eq!(waiting["results"][0]["asset_list"]["id"], 3);
    assert_eq!(get(&simulator, "/api/asset-lists/99/").await.status, 404);
}

#[tokio::test]
async fn tickets_come_in_every_shape_the_contract_names() {
    let first = async |shape| {
        let simulator = simulator(|options| options.ticket.shape = shape).await;
        let page = get(&simulator, "/api/tickets/").await.json();
        page["results"][0]["status"].clone()
    };
    assert!(first(TicketShape::Objects).await["name"].is_string());
    assert!(first(TicketShape::Ids).await.is_number());
    assert!(first(TicketShape::Names).await.is_string());
    assert!(first(TicketShape::Nulls).await.is_null());
}

#[tokio::test]
async fn a_scan_over_moving_rows_skips_some() {
    let simulator = simulator(|_| {}).await;
    let end = simulator.now().timestamp() + 1;
    simulator.set_clock(TimeDelta::hours(1));
    simulator.inject(FaultRule::new(AnswerFault::RowsMove { rows: 10 }).on("/tickets/"));
    let target = format!("/api/tickets/?page_size=50&modified__lt={end}");
    let (ids, pages) = read_all(&simulator, &target).await;
    assert_eq!(
        (&pages[0]["count"], &pages[1]["count"]),
        (&json!(130), &json!(120))
    );
    assert_eq!(
        ids.len(),
        120,
        "ten touched rows left the window, ten others moved over the page's edge"
    );
    assert!(ids.contains(&50) && !ids.contains(&51) && ids.contains(&61));
}

#[tokio::test]
async fn the_last_changed_can_come_first() {
    let simulator = simulator(|options| options.ticket.order = ListOrder::ModifiedDescending).await;
    simulator.set_clock(TimeDelta::hours(1));
    simulator.touch_ticket(77);
    let (ids, _) = read_all(&simulator, "/api/tickets/?page_size=100").await;
    assert_eq!((ids[0], ids.len()), (77, 130));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 130);
}
