//! One line of `advisoryd check`.

use console::Style;
use serde::Serialize;

use super::output::{is_quiet, print_json, print_styled};
use crate::model::legible;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// It works, but is probably not intended.
    Warning,
    /// Something else has to be put right first.
    Skipped,
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckResult {
    check: String,
    status: State,
    message: String,
}

impl CheckResult {
    fn new(check: impl Into<String>, status: State, message: impl Into<String>) -> Self {
        let (check, message) = (check.into(), message.into());
        Self {
            check,
            status,
            message,
        }
    }

    pub(super) fn good(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, State::Ok, message)
    }

    pub(super) fn warning(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, State::Warning, message)
    }

    pub(super) fn skipped(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, State::Skipped, message)
    }

    pub(super) fn bad(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, State::Failed, message)
    }
}

/// Prints findings as they come; as JSON all at the end, in one array.
pub(super) struct Reporter {
    json: bool,
    good: bool,
    findings: Vec<CheckResult>,
}

impl Reporter {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            good: true,
            findings: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, finding: CheckResult) {
        self.good &= finding.status != State::Failed;
        if !self.json {
            let CheckResult {
                check,
                status,
                message,
            } = &finding;
            let line = |word: &str, style: Style| {
                let word = style.apply_to(format!("{word:<4}"));
                format!("{word}  {}", legible(&format!("{check}: {message}")))
            };
            match status {
                State::Ok if is_quiet() => {}
                State::Ok => print_styled(&line("ok", Style::new().green())),
                State::Skipped => print_styled(&line("skip", Style::new().dim())),
                State::Failed => print_styled(&line("FAIL", Style::new().red().bold())),
                State::Warning => print_styled(&line("warn", Style::new().yellow())),
            }
        }
        self.findings.push(finding);
    }

    /// Whether nothing is wrong.
    pub(super) fn end(self) -> anyhow::Result<bool> {
        if self.json {
            print_json(&self.findings)?;
        }
        Ok(self.good)
    }
}
