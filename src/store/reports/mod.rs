//! Reports: what commands ask for.

pub mod question;
pub mod report;
