//! `advisoryd` keeps the advisories and tickets of Software Vulnerability
//! Research (SVR, formerly Secunia) in PostgreSQL.
//!
//! The layers, left to right; right may use left and nothing else may:
//! `model ← config, http ← source │ store │ sink ← job ← daemon, web, cli, demo ← main`.

pub mod config;
pub mod http;
pub mod model;
