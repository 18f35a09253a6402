//! The simulated data: advisories, watch lists and tickets, and how they change.

mod change;
mod state;
mod ticket;
mod ticket_place;
mod watch_list;
mod watch_list_place;

pub use change::WorldStep;
pub use state::{World, WorldError, sort_rows};
pub use watch_list_place::{PARTS, WatchListPlace};
