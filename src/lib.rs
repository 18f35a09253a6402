//! `advisoryd` keeps the advisories and tickets of Software Vulnerability
//! Research (SVR, formerly Secunia) in PostgreSQL.
//!
//! The layers, of which each may use those to its left:
//! `model ← config, http ← source │ store │ sink ← job ← daemon, cli ← main`.
//! docs/architecture.md names the others.

pub(crate) mod capture;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod daemon;
pub(crate) mod files;
pub mod http;
pub(crate) mod instance;
pub mod job;
pub(crate) mod logging;
pub mod measures;
pub mod model;
mod signals;
pub mod simulate;
pub mod sink;
pub mod source;
pub mod startup;
pub mod store;
#[cfg(feature = "otlp")]
pub(crate) mod traces;
pub(crate) mod transfer;
