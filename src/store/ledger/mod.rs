//! Run log: sources, runs, cursors, locks, quarantine and the hash chain.

pub mod activity;
pub mod chain;
pub mod cursor;
pub mod lock;
pub mod quarantine;
pub mod run;
pub mod source;
