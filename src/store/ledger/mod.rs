//! Run log: sources, runs, cursors, locks, quarantine and the hash chain.

pub mod account;
pub(crate) mod activity;
pub(crate) mod chain;
pub(crate) mod configured;
pub(crate) mod cursor;
pub mod daemon;
mod given_back;
pub mod lease;
pub mod lock;
pub(crate) mod quarantine;
mod quarantined;
pub(crate) mod room;
pub mod run;
pub(crate) mod source;
pub(crate) mod unknown_field;
