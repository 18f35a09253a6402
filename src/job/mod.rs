//! What the program does, one file per verb. Every job can be repeated.

pub mod alert_pass;
pub mod back_test;
pub mod baseline;
pub mod capture;
pub mod context;
pub mod deliver;
pub mod discover;
pub mod evaluate;
pub mod explain;
pub mod failure;
pub mod import_file;
mod list_walk;
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
pub mod try_sink;
