//! HTTP server of the simulator.

mod accept;
mod answer;
mod asked;
mod body;
mod collection;
mod connection;
mod control;
mod fault;
mod gate;
mod lock;
mod published;
mod query;
mod reply;
mod route;
mod seen;
mod shared;
mod throttle;
mod throttled;

pub use answer::router;
pub use connection::{ConnectionControl, Listening};
pub use fault::{AnswerFault, FaultRule};
pub(super) use reply::Pieces;
pub use seen::SeenRequest;
pub use shared::SharedState;
