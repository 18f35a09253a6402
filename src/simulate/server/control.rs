//! Control API (`/_control`): lets another process change the data and inject faults.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::FaultRule;
use super::reply::Reply;
use super::shared::SharedState;

/// Below this path, another process can change the world and break things.
pub const PREFIX: &str = "/_control/";

/// Longest body that is read: a rule is far shorter.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// `POST /_control/<command>` with the command's fields as JSON.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// Adds a rule.
    Fault(FaultRule),
    /// Drops all rules.
    ClearFaults {},
    /// Lets go on what waits at a gate.
    Open { gate: String },
    /// Answers when something has come to the gate.
    Reached { gate: String },
    /// New advisories.
    Publish { count: u32 },
    /// A new revision of an advisory, by identifier.
    Revise {
        said: String,
        #[serde(default)]
        worse: bool,
    },
    /// Withdraws an advisory.
    Reject { said: String },
    /// Puts an advisory into a watch list, without a new revision.
    Join { said: String, list: i64 },
    /// Takes an advisory out of a watch list, without a new revision.
    Leave { said: String, list: i64 },
    /// One random step.
    Tick {},
    /// Changes a ticket.
    TouchTicket { id: u64 },
    /// New tickets.
    AddTickets { count: u32 },
    /// Removes a ticket.
    RemoveTicket { id: u64 },
    /// A new watch list with nothing in it.
    AddWatchList {},
    /// Another name for a watch list.
    RenameWatchList { id: i64, name: String },
    /// Enables a watch list or not.
    EnableWatchList { id: i64, enabled: bool },
    /// Removes a watch list.
    RemoveWatchList { id: i64 },
    /// Adds a product to a watch list, and every advisory of it.
    AddProduct { list: i64 },
    /// Takes a product out of a watch list.
    RemoveProduct { list: i64, name: String },
    /// Moves the clock away from this machine's.
    Clock { offset_seconds: i64 },
    /// Accepts another token.
    Token { token: String },
    /// The requests so far: method, target, status.
    Requests {},
}

/// Obeys, and says what came of it.
pub async fn reply(shared: &Arc<SharedState>, request: Request) -> Reply {
    let name = request.uri().path().trim_start_matches(PREFIX).to_owned();
    let Ok(body) = to_bytes(request.into_body(), MAX_BODY_BYTES).await else {
        return Reply::detail(413, "the body is too long");
    };
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let command = serde_json::from_slice::<Value>(body)
        .and_then(|body| serde_json::from_value(json!({ name: body })));
    match command {
        Ok(command) => Reply::json(200, &obey(shared, command).await),
        Err(error) => Reply::detail(400, &error.to_string()),
    }
}

async fn obey(shared: &SharedState, command: Command) -> Value {
    let now = shared.clock.now();
    match command {
        Command::Fault(rule) => shared.faults.inject(rule),
        Command::ClearFaults {} => shared.faults.clear(),
        Command::Open { gate } => shared.gates.open(&gate),
        Command::Reached { gate } => shared.gates.reached(&gate).await,
        Command::Publish { count } => return json!(shared.world().publish(count, now)),
        Command::Revise { said, worse } => {
            let mut world = shared.world();
            let entry = world.find(&said);
            return json!(entry.is_some_and(|entry| world.revise(entry.index, worse, now)));
        }
        Command::Reject { said } => {
            let mut world = shared.world();
            let entry = world.find(&said);
            return json!(entry.is_some_and(|entry| world.reject(entry.index, now)));
        }
        Command::Join { said, list } => {
            let mut world = shared.world();
            let entry = world.find(&said);
            return json!(entry.is_some_and(|entry| world.join(entry.index, list)));
        }
        Command::Leave { said, list } => {
            let mut world = shared.world();
            let entry = world.find(&said);
            return json!(entry.is_some_and(|entry| world.leave(entry.index, list)));
        }
        Command::Tick {} => return json!(shared.world().tick(now)),
        Command::TouchTicket { id } => return json!(shared.world().touch_ticket(id, now)),
        Command::AddTickets { count } => return json!(shared.world().add_tickets(count, now)),
        Command::RemoveTicket { id } => return json!(shared.world().remove_ticket(id)),
        Command::AddWatchList {} => return json!(shared.world().add_watch_list(now)),
        Command::RenameWatchList { id, name } => {
            return json!(shared.world().rename_watch_list(id, &name));
        }
        Command::EnableWatchList { id, enabled } => {
            return json!(shared.world().enable_watch_list(id, enabled));
        }
        Command::RemoveWatchList { id } => return json!(shared.world().remove_watch_list(id)),
        Command::AddProduct { list } => return json!(shared.world().add_product(list)),
        Command::RemoveProduct { list, name } => {
            return json!(shared.world().remove_product(list, &name));
        }
        Command::Clock { offset_seconds } => {
            let offset = TimeDelta::try_seconds(offset_seconds);
            shared.clock.set_offset(offset.unwrap_or_default());
        }
        Command::Token { token } => shared.set_token(&token),
        Command::Requests {} => {
            let all = shared.log.all().into_iter().map(
                |seen| json!({"method": seen.method, "target": seen.target, "status": seen.status}),
            );
            return all.collect();
        }
    }
    json!("done")
}
