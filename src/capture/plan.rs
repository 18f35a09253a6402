//! Capture plan: the requests and their order.

use chrono::TimeDelta;
use serde_json::Value;

use super::ask::{Asker, get, raw};
use super::response::{CapturedResponse, DataOwner};
use super::time::time;
use crate::config::ApiToken;
use crate::http::{BodyType, RawRequest, Request, Verb, is_about_the_token};

const LISTS: &str = "/api/asset-lists/";
const TICKETS: &str = "/api/tickets/";
const ADVISORIES: &str = "/api/advisories/";
const FEED: &str = "/api/xml-feed/";
/// Rows per page: fewer than upstream's default of 20, to show whether it is respected.
const PAGE_SIZE: &str = "5";
/// 2100-01-01: there is no data after this time.
const FAR_FUTURE: &str = "4102444800";
/// Past the end of every collection.
const FAR_PAGE: &str = "1000000";
/// No watch list has this id.
const NO_ID: &str = "999999999";
/// An invalid token that is easily recognised as such.
const WRONG_TOKEN: &str = "0000000000000000000000000000000000000000";
/// How far back modified advisories are requested.
const CHANGED_DAYS: i64 = 30;
/// Days of a feed whose last day is empty.
const MANY_DAYS: &str = "365";
/// Number of lists whose feeds are captured by default: enough to compare them.
const UNNAMED_LISTS: usize = 5;
/// Requests other than feeds.
const FIXED_CALLS: usize = 15;
/// Maximum number of requests of a capture, unless upstream throttles.
pub fn most_calls(lists: usize) -> usize {
    let lists = if lists == 0 { UNNAMED_LISTS } else { lists };
    FIXED_CALLS + 2 * lists
}

impl Asker {
    /// Sends all requests. Stops early if the token is rejected: more requests would
    /// have the same result and look like an attack.
    pub async fn take(mut self) -> Vec<CapturedResponse> {
        let page = get(LISTS).with("page_size", PAGE_SIZE);
        let lists = self.ask("asset-lists", page, DataOwner::WatchLists).await;
        if is_refused(&lists) {
            return self.response;
        }
        let first = lists.rows().first().and_then(id);
        if let Some(first) = first {
            let request = get(&format!("{LISTS}{first}/"));
            self.ask("asset-list", request, DataOwner::WatchLists).await;
        }
        self.tickets().await;
        self.advisories().await;
        self.refusals().await;
        let mut ids = self.wanted.lists.clone();
        if ids.is_empty() {
            let rows = lists.rows();
            let enabled = rows.iter().filter(|row| row["enabled"] != false);
            ids = enabled.filter_map(id).take(UNNAMED_LISTS).collect();
        }
        for id in ids {
            self.feed(id).await;
        }
        self.response
    }

    async fn tickets(&mut self) {
        let page = get(TICKETS).with("page_size", PAGE_SIZE);
        let tickets = self.ask("tickets", page, DataOwner::Account).await;
        if let Some(id) = tickets.rows().first().and_then(id) {
            let request = get(&format!("{TICKETS}{id}/"));
            self.ask("ticket", request, DataOwner::Account).await;
        }
        let raw_request = RawRequest {
            verb: Verb::Options,
            ..raw(get(TICKETS))
        };
        self.take_raw("tickets-options", raw_request, DataOwner::Choices)
            .await;
        for (name, filter) in [
            ("tickets-modified-in-2100", "modified__gte"),
            ("tickets-created-in-2100", "created__gte"),
            (
                "tickets-unknown-filter",
                "advisoryd_knows_no_such_filter__gte",
            ),
        ] {
            let request = get(TICKETS).with(filter, FAR_FUTURE).with("page_size", "1");
            self.ask(name, request, DataOwner::Account).await;
        }
        let request = get(TICKETS)
            .with("page", FAR_PAGE)
            .with("page_size", PAGE_SIZE);
        self.ask("tickets-past-the-end", request, DataOwner::Account)
            .await;
    }

    async fn advisories(&mut self) {
        let now = self.client.upstream_now();
        let from = now - TimeDelta::days(CHANGED_DAYS);
        let page = get(ADVISORIES)
            .with("modified__gte", from.timestamp().to_string())
            .with("modified__lt", now.timestamp().to_string())
            .with("page_size", PAGE_SIZE);
        let page = self.ask("advisories", page, DataOwner::Vendor).await;
        let rows = page.rows();
        // An old advisory that was modified recently shows the most.
        let is_old = |row: &&Value| time(&row["released"]).is_some_and(|at| at < from);
        let row = rows.iter().find(is_old).or(rows.first());
        if let Some(key) = row.and_then(key) {
            let request = get(&format!("{ADVISORIES}{key}/"));
            self.ask_aside("advisory", request, DataOwner::Vendor).await;
        }
        let request = get(ADVISORIES)
            .with("modified__gte", FAR_FUTURE)
            .with("page_size", "1");
        self.ask("advisories-in-2100", request, DataOwner::Vendor)
            .await;
    }

    async fn refusals(&mut self) {
        let request = get(&format!("{LISTS}{NO_ID}/"));
        self.ask("unknown-id", request, DataOwner::Vendor).await;
        let without_slash = RawRequest {
            follows: false,
            ..raw(get(LISTS.trim_end_matches('/')))
        };
        self.take_raw("without-slash", without_slash, DataOwner::WatchLists)
            .await;
        if let Ok(token) = ApiToken::parse(WRONG_TOKEN) {
            let wrong = RawRequest {
                token: Some(token),
                ..raw(get(LISTS).with("page_size", "1"))
            };
            self.take_raw("wrong-token", wrong, DataOwner::WatchLists)
                .await;
        }
    }

    async fn feed(&mut self, id: i64) {
        let request = |days: &str| {
            Request::new(FEED, BodyType::Xml)
                .with("feed_type", "asset_list")
                .with("asset_list_id", id.to_string())
                .with("days", days)
        };
        let name = format!("feed-{id}-days-1");
        let day = self.ask(&name, request("1"), DataOwner::Vendor).await;
        let is_empty = day.status == Some(200) && !crate::capture::claims::has_records(&day);
        if is_empty {
            let name = format!("feed-{id}-days-{MANY_DAYS}");
            self.ask(&name, request(MANY_DAYS), DataOwner::Vendor).await;
        }
    }
}

fn is_refused(response: &CapturedResponse) -> bool {
    match response.status {
        Some(401) => true,
        Some(403) => response
            .detail()
            .is_some_and(|detail| is_about_the_token(&detail)),
        _ => false,
    }
}

fn id(row: &Value) -> Option<i64> {
    row["id"]
        .as_i64()
        .or_else(|| row["id"].as_str()?.parse().ok())
}

/// The identifier that an advisory is requested by; external, so it must be a single path segment.
fn key(row: &Value) -> Option<String> {
    let said = row["advisory_identifier"].as_str().unwrap_or_default();
    let is_plain = said
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !said.is_empty() && said.len() < 40 && is_plain {
        return Some(said.to_owned());
    }
    id(row).map(|id| id.to_string())
}
