//! Alerts: evaluate rules, deliver messages, explain.

pub mod attempt;
pub mod back_test;
pub mod baseline;
pub mod circuit_breaker;
pub mod deliver;
pub mod evaluate;
pub mod explain;
pub mod pass;
pub mod test_sink;
