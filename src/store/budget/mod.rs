//! Request budget of an account, shared by processes.

pub mod member;
pub mod reservation;
