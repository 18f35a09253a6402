//! Upstream's data: what exists, who is in which list, and what changes.

mod change;
mod state;
mod ticket;
mod ticket_place;
mod watch_list;
mod watch_list_place;

pub use change::Step;
pub use state::{World, WorldError, sort_rows};
pub use watch_list_place::{PARTS, WatchListPlace};
