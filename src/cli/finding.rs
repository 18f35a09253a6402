//! One line of `advisoryd check`.

use serde::Serialize;

use super::output::{print_json, print_line};

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub what: String,
    pub ok: bool,
    pub says: String,
}

impl Finding {
    pub(super) fn good(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ok: true,
            says: says.into(),
        }
    }

    pub(super) fn bad(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ok: false,
            says: says.into(),
        }
    }
}

/// Tells findings as they come.
pub(super) struct Reporter {
    pub(super) json: bool,
    pub(super) good: bool,
}

impl Reporter {
    pub(super) fn report(&mut self, finding: Finding) -> anyhow::Result<()> {
        self.good &= finding.ok;
        if self.json {
            return print_json(&finding);
        }
        let Finding { what, ok, says } = finding;
        print_line(&format!(
            "{}  {what}: {says}",
            if ok { "ok  " } else { "FAIL" }
        ));
        Ok(())
    }
}
