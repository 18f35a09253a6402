//! Alerts: rules, evaluation, the outbox of messages and deliveries, silences, sinks.

pub mod alert;
pub mod delivery;
pub mod evaluation;
pub mod message;
pub mod outcome;
pub mod raised;
pub mod resend;
pub mod rule;
pub mod silence;
pub mod sink_state;
pub mod subject;
