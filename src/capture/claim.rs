//! A statement of the contract and whether it held.

use serde::Serialize;

/// What the answers say of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is so.
    Held,
    /// It is not so.
    NotHeld,
    /// These answers do not tell.
    Open,
}

/// A statement of the contract, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Where it stands in the contract.
    pub section: &'static str,
    /// `DOC`, `REAL`, `INFER` or `UNKNOWN`, as it was known before.
    pub known: &'static str,
    /// What it says.
    pub statement: &'static str,
    /// What the answers say of it.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}
