//! Which budget a process shares, and with which limits.

use crate::model::BudgetKind;

/// Who shares a budget.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// The account, see `http::account`.
    pub account: String,
    /// What this process is.
    pub kind: BudgetKind,
    /// `requests_per_minute`.
    pub per_minute: u32,
    /// `requests_per_day`; 0 is no limit.
    pub per_day: u32,
}
