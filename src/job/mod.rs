//! What the program does, one file per verb. Every job can be repeated.

mod advisory_window;
pub mod context;
pub mod details;
pub mod failure;
pub mod import_file;
pub mod maintain;
mod page;
pub mod prove;
pub mod pull_feed;
mod pull_json;
mod pull_stream;
pub mod reconcile;
pub mod replay;
pub mod retry;
pub mod run;
mod store_chunk;
pub mod sweep;
pub mod sync_tickets;
pub mod ticket_filter;
mod ticket_page;
mod ticket_walk;
mod ticket_window;
mod window;
