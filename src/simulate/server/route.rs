//! Router: responds in Django's order of checks (slash, route, token, limit, method, content).

use std::sync::Arc;

use axum::http::header;
use serde_json::{Value, json};

use crate::simulate::feed::{Damage, SimulatedFeed};
use crate::simulate::world::{PARTS, WatchListPlace, World, sort_rows};

use super::accept::{self, Choice};
use super::asked::SimulatedRequest;
use super::body;
use super::collection::{page, refuse, reply as page_reply};
use super::fault::AnswerFault;
use super::published;
use super::query::{BadValue, Query};
use super::reply::{Content, Reply};
use super::shared::SharedState;
use super::throttled::throttled;

/// Answers as upstream would, in Django's order: slash, route, token, limit, method, content.
pub fn reply(shared: &Arc<SharedState>, asked: &SimulatedRequest) -> Reply {
    if let Some(reply) = published::reply(shared, asked) {
        return reply;
    }
    let Some(path) = asked.path.strip_prefix("/api/") else {
        return Reply::html(404);
    };
    let Some(path) = path.strip_prefix("v1/").unwrap_or(path).strip_suffix('/') else {
        let query = asked.query.with("", None);
        let mark = if query.is_empty() { "" } else { "?" };
        let to = format!("{}/{mark}{query}", asked.path);
        return Reply::new(301, "text/html; charset=utf-8", "").with(header::LOCATION, to);
    };
    let parts: Vec<&str> = path.split('/').collect();
    if !is_known(&parts) {
        return Reply::html(404);
    }
    if let Some(refusal) = refusal(shared, asked) {
        return refusal;
    }
    let admitted = shared.admit().and_then(|()| match parts[..] {
        ["advisories", _] => shared.admit_advisory(),
        _ => Ok(()),
    });
    if let Err(seconds) = admitted {
        return throttled(shared, shared.options.limits.form, seconds);
    }
    let native: &[&str] = match parts[0] {
        "xml-feed" => &["application/xml", "text/xml"],
        _ => &["application/json"],
    };
    match accept::choose(asked.header(header::ACCEPT), native) {
        Choice::Nothing => Reply::detail(406, "Could not satisfy the request Accept header."),
        _ if asked.method == "OPTIONS" => Reply::json(200, &metadata(parts[0])),
        _ if asked.method != "GET" => {
            Reply::detail(405, &format!("Method \"{}\" not allowed.", asked.method))
        }
        Choice::Html => Reply::html(200),
        Choice::Native => resource(shared, asked, &parts),
    }
}

fn is_known(parts: &[&str]) -> bool {
    match parts {
        ["xml-feed" | "approve-advisories" | "advisories" | "tickets" | "asset-lists"]
        | ["advisories" | "tickets" | "asset-lists", _] => true,
        ["asset-lists", _, part] => PARTS.contains(part),
        _ => false,
    }
}

/// 401, or 403 where the options say so, unless the token is right.
fn refusal(shared: &SharedState, asked: &SimulatedRequest) -> Option<Reply> {
    let detail = match asked.header(header::AUTHORIZATION) {
        None => "Authentication credentials were not provided.",
        Some(text) => match text.strip_prefix("Token ") {
            Some(token) if token == shared.token() => return None,
            Some(_) => "Invalid token.",
            // Another scheme than `Token` is as good as none.
            None => "Authentication credentials were not provided.",
        },
    };
    let reply = Reply::detail(shared.options.refusal_status, detail);
    Some(reply.with(header::WWW_AUTHENTICATE, "Token"))
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "description": "", "renders": ["application/json", "text/html"],
        "parses": ["application/json"], "actions": {"POST": {
            "id": {"type": "integer", "required": false, "read_only": true, "label": "ID"},
            "title": {"type": "string", "required": true, "read_only": false, "label": "Title"}}}})
}

fn resource(shared: &Arc<SharedState>, asked: &SimulatedRequest, parts: &[&str]) -> Reply {
    let found = match parts {
        ["xml-feed"] => Ok(feed(shared, asked)),
        ["advisories"] => advisories(shared, asked),
        ["tickets"] => tickets(shared, asked),
        ["approve-advisories"] => Ok(approvals(shared, asked)),
        ["asset-lists"] => Ok(watch_lists(shared, asked)),
        ["asset-lists", id, part] => Ok(watch_list_part(shared, asked, id, part)),
        [kind, name] => Ok(match one(&shared.world(), kind, name) {
            Some(value) => Reply::json(200, &value),
            None => Reply::detail(404, "Not found."),
        }),
        _ => Ok(Reply::detail(404, "Not found.")),
    };
    found.unwrap_or_else(|bad| refuse(&bad))
}

fn one(world: &World, kind: &str, name: &str) -> Option<Value> {
    match kind {
        "advisories" => world.advisory_detail(world.find(name)?),
        "tickets" => world.ticket_json(name.parse().ok()?),
        _ => Some(world.watch_list(name.parse().ok()?)?.json()),
    }
}

fn feed(shared: &SharedState, asked: &SimulatedRequest) -> Reply {
    let world = shared.world();
    let list = match asked.query.get("feed_type") {
        Some("all") => None,
        Some("asset_list") => {
            let id = asked
                .query
                .get("asset_list_id")
                .and_then(|id| id.parse().ok());
            match id.and_then(|id| world.watch_list(id)) {
                Some(list) => Some(list.id),
                None => return Reply::detail(404, "Not found."),
            }
        }
        _ => return Reply::json(400, &json!({"feed_type": ["This is not a valid choice."]})),
    };
    let days = match asked.query.get("days").map(str::parse::<u32>) {
        None => 1,
        Some(Ok(days)) if days > 0 => days,
        Some(_) => return Reply::json(400, &json!({"days": ["Enter a whole number."]})),
    };
    let mut entries = world.feed(list, Some(days), shared.clock.now());
    let damage = match asked.fault {
        Some(AnswerFault::Damaged(damage)) => Some(damage),
        _ => None,
    };
    if entries.is_empty() && damage.is_some_and(|damage| damage != Damage::Empty) {
        // A fault that was asked for strikes, even where there would be nothing; it
        // makes no members of a list that are none.
        entries = world.feed(list, None, shared.clock.now());
    }
    let mut document = SimulatedFeed::new(&shared.options, list, entries);
    if let Some(damage) = damage {
        document = document.damaged(damage);
    }
    Reply {
        content_type: document.content_type(),
        content: Content::Pieces(body::feed(document)),
        ..Reply::new(200, "", "")
    }
}

fn advisories(shared: &SharedState, asked: &SimulatedRequest) -> Result<Reply, BadValue> {
    let query = filters(asked);
    let modified = query.window("modified")?;
    let released = query.window("released")?;
    let created = query.window("created")?;
    let mut world = shared.world();
    let mut rows = world.advisories().to_vec();
    rows.retain(|entry| {
        modified(entry.modified_at) && released(entry.released_at) && created(entry.released_at)
    });
    sort_rows(&mut rows, shared.options.ticket.order, |entry| {
        (entry.id(), entry.modified_at)
    });
    let page = page(&shared.options, asked, &rows, |entry| {
        world.record(*entry).list_element()
    });
    if let (Some(AnswerFault::RowsMove { rows }), Some(page)) = (&asked.fault, &page) {
        let shown = page["results"].as_array().into_iter().flatten();
        let saids = shown.filter_map(|row| row["advisory_identifier"].as_str());
        for entry in saids
            .take(*rows)
            .filter_map(|said| world.find(said))
            .collect::<Vec<_>>()
        {
            world.revise(entry.index, false, shared.clock.now());
        }
        world.publish(1, shared.clock.now());
    }
    Ok(page_reply(page))
}

/// The query as the filters see it.
fn filters(asked: &SimulatedRequest) -> Query {
    match asked.fault {
        Some(AnswerFault::IgnoredFilter) => Query::default(),
        Some(AnswerFault::FilterInMilliseconds) => asked.query.in_milliseconds(),
        _ => asked.query.clone(),
    }
}

fn tickets(shared: &SharedState, asked: &SimulatedRequest) -> Result<Reply, BadValue> {
    let query = filters(asked);
    let modified = query.window("modified")?;
    let created = query.window("created")?;
    let works = shared.options.ticket.filters;
    let mut world = shared.world();
    let mut rows: Vec<_> = world.tickets().copied().collect();
    rows.retain(|ticket| {
        (!works.modified || modified(ticket.modified_at))
            && (!works.created || created(ticket.created_at))
    });
    sort_rows(&mut rows, shared.options.ticket.order, |ticket| {
        (ticket.id, ticket.modified_at)
    });
    let page = page(&shared.options, asked, &rows, |ticket| {
        world.ticket_json(ticket.id).unwrap_or(Value::Null)
    });
    if let (Some(AnswerFault::RowsMove { rows }), Some(page)) = (&asked.fault, &page) {
        let shown = page["results"].as_array().into_iter().flatten();
        for id in shown.filter_map(|ticket| ticket["id"].as_u64()).take(*rows) {
            world.touch_ticket(id, shared.clock.now());
        }
    }
    Ok(page_reply(page))
}

fn watch_lists(shared: &SharedState, asked: &SimulatedRequest) -> Reply {
    let world = shared.world();
    let mut rows = world.watch_lists().to_vec();
    if let Some(name) = asked.query.get("name") {
        rows.retain(|list| list.name == name);
    }
    if let Some(enabled) = asked.query.get("enabled") {
        let wanted = !enabled.eq_ignore_ascii_case("false");
        rows.retain(|list| list.enabled == wanted);
    }
    for name in ["created_gte", "created__gte"] {
        let since = asked
            .query
            .get(name)
            .and_then(|text| text.parse::<i64>().ok());
        rows.retain(|list| since.is_none_or(|since| list.created_at.timestamp() >= since));
    }
    page_reply(page(&shared.options, asked, &rows, WatchListPlace::json))
}

fn watch_list_part(shared: &SharedState, asked: &SimulatedRequest, id: &str, part: &str) -> Reply {
    let world = shared.world();
    let list = id.parse().ok().and_then(|id| world.watch_list(id));
    match list.and_then(|list| list.part(part)) {
        Some(rows) => page_reply(page(&shared.options, asked, &rows, Value::clone)),
        None => Reply::detail(404, "Not found."),
    }
}

fn approvals(shared: &SharedState, asked: &SimulatedRequest) -> Reply {
    let world = shared.world();
    let rows = world.awaiting_approval();
    page_reply(page(&shared.options, asked, &rows, |(entry, list)| {
        json!({"id": entry.index * 64 + list.id.unsigned_abs(), "asset_list": {"id": list.id, "name": list.name},
               "advisory": world.record(*entry).list_element()})
    }))
}
