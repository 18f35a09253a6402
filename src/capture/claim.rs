//! Capture report: a statement of the contract and its result.

use serde::Serialize;

/// Result of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimVerdict {
    /// True.
    Held,
    /// False.
    NotHeld,
    /// Unknown: the responses do not show it.
    Open,
}

/// A statement of the contract and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractClaim {
    /// Section of the contract.
    pub section: &'static str,
    /// `DOC`, `REAL`, `INFER` or `UNKNOWN`, as it was known before.
    pub known: &'static str,
    /// The statement.
    pub statement: &'static str,
    /// The result.
    pub verdict: ClaimVerdict,
    /// The observed values.
    pub seen: String,
}
