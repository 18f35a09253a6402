//! What the program does, one file per verb. Every job can be repeated.

pub mod alerts;
pub mod collection;
pub mod context;
pub mod details;
pub mod failure;
pub mod feeds;
pub mod health;
pub mod lists;
pub mod run;
pub mod tickets;
mod transaction;
pub mod trust;
