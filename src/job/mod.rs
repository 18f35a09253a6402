//! What the program does, one file per verb. Every job can be repeated.

pub mod alert_pass;
pub mod baseline;
mod brake;
pub mod context;
pub mod deliver;
pub mod evaluate;
pub mod failure;
pub mod import_file;
pub mod maintain;
pub mod prove;
pub mod pull_feed;
mod pull_stream;
pub mod reconcile;
pub mod replay;
pub mod retry;
pub mod run;
mod store_chunk;
pub mod sync_tickets;
pub mod ticket_filter;
mod ticket_page;
mod ticket_walk;
mod ticket_window;
