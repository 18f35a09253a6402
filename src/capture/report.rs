//! Capture report: which statements of the contract are true for this account.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::claim::{ClaimVerdict, ContractClaim};
use super::claims;
use super::response::CapturedResponse;
use crate::source::xml::ParserRules;

/// A request, without its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapturedRequest {
    /// Base name of its files.
    pub name: String,
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// `None` if there was no response.
    pub status: Option<u16>,
    /// Bytes read of the body, decompressed.
    pub bytes: usize,
    /// Whether the body was cut at the size limit.
    pub cut: bool,
    /// Why there is no response, or no complete one.
    pub error: Option<String>,
}

/// Report of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureReport {
    /// Program and version.
    pub program: &'static str,
    /// Time, by upstream's clock.
    pub at: Option<DateTime<Utc>>,
    /// Claims, in the order of the contract.
    pub claims: Vec<ContractClaim>,
    /// Requests, in the order in which they were sent.
    pub calls: Vec<CapturedRequest>,
}

/// Checks the statements against the responses.
pub(super) fn report(response: &[CapturedResponse], rules: &Arc<ParserRules>) -> CaptureReport {
    CaptureReport {
        program: concat!("advisoryd ", env!("CARGO_PKG_VERSION")),
        at: response.iter().find_map(|response| response.date),
        claims: claims::all(response, rules),
        calls: response.iter().map(call).collect(),
    }
}

fn call(response: &CapturedResponse) -> CapturedRequest {
    CapturedRequest {
        name: response.name.clone(),
        method: response.method,
        target: response.target.clone(),
        status: response.status,
        bytes: response.bytes.len(),
        cut: response.is_cut,
        error: response.error.clone(),
    }
}

impl CaptureReport {
    /// Maps every text from upstream.
    pub(super) fn change_texts(&mut self, mut change: impl FnMut(&str) -> String) {
        for claim in &mut self.claims {
            claim.seen = change(&claim.seen);
        }
        for call in &mut self.calls {
            call.target = change(&call.target);
            call.error = call.error.as_deref().map(&mut change);
        }
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# What upstream really sends\n\nBy {}", self.program);
        if let Some(at) = self.at {
            let _ = write!(text, ", {}", at.format("%Y-%m-%d"));
        }
        text += ".\n\n## Statements of docs/upstream.md\n\n| § | source | statement | confirmed | observed |\n|---|---|---|---|---|\n";
        for claim in &self.claims {
            let verdict = match claim.verdict {
                ClaimVerdict::Held => "yes",
                ClaimVerdict::NotHeld => "**no**",
                ClaimVerdict::Open => "unknown",
            };
            let ContractClaim {
                section,
                known,
                statement,
                seen,
                ..
            } = claim;
            let seen = seen.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(
                text,
                "| {section} | {known} | {statement} | {verdict} | {seen} |"
            );
        }
        text += "\n## Requests\n\n| name | request | status | bytes |\n|---|---|---|---|\n";
        for call in &self.calls {
            let status = call
                .status
                .map_or_else(|| "-".to_owned(), |status| status.to_string());
            let cut = if call.cut { ", cut" } else { "" };
            let error = call
                .error
                .as_deref()
                .unwrap_or_default()
                .replace('|', "\\|");
            let note = if error.is_empty() {
                String::new()
            } else {
                format!(" ({error})")
            };
            let _ = writeln!(
                text,
                "| {} | `{} {}` | {status}{note} | {}{cut} |",
                call.name, call.method, call.target, call.bytes
            );
        }
        text
    }
}
