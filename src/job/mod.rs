//! The jobs: pull, sync, fetch, evaluate, deliver, verify. Every job is idempotent.

pub mod account;
pub mod alerts;
pub(crate) mod budget;
pub mod bundle;
pub(crate) mod caught;
pub(crate) mod collection;
pub mod context;
pub mod coverage;
pub mod details;
pub mod enrichment;
pub mod failure;
pub mod feeds;
pub mod health;
pub mod lists;
pub(crate) mod outage;
pub mod pauses;
pub mod problems;
pub mod run;
pub mod tickets;
mod transaction;
pub mod trust;
