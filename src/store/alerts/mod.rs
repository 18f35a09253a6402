//! Alerts: rules, evaluation, the outbox of messages and deliveries, silences, sinks.

pub(crate) mod acknowledgement;
pub(crate) mod alert;
pub(crate) mod arrival;
pub(crate) mod assignment;
pub(crate) mod by_clock;
pub(crate) mod clock_baseline;
pub mod delivery;
pub(crate) mod details;
pub(crate) mod dismissal;
pub(crate) mod evaluation;
pub(crate) mod held;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod parts;
pub(crate) mod raised;
pub(crate) mod remote_object;
pub(crate) mod resend;
pub(crate) mod rule;
pub(crate) mod silence;
pub(crate) mod sink_state;
pub(crate) mod subject;
pub(crate) mod unacknowledged;
