//! Alerts: evaluate rules, deliver messages, explain.

mod arrivals;
pub mod attempt;
pub(crate) mod back_test;
pub(crate) mod baseline;
pub mod by_clock;
pub(crate) mod circuit_breaker;
mod clock_baseline;
pub mod deliver;
pub(crate) mod difference;
pub mod evaluate;
pub(crate) mod explain;
mod joint;
mod lease;
mod line;
mod not_due;
mod parts;
pub mod pass;
mod passed_over;
pub(crate) mod published;
pub(crate) mod rehearsal;
mod rules;
pub(crate) mod silenced;
pub(crate) mod test_sink;
mod timing;
pub(crate) mod try_one;
pub(crate) mod unknown;
mod would;
