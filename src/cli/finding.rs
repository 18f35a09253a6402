//! One line of `advisoryd check`.

use serde::Serialize;

use super::output::{tell, tell_json};

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
pub(super) struct Teller {
    pub(super) json: bool,
    pub(super) good: bool,
}

impl Teller {
    pub(super) fn tell(&mut self, finding: Finding) -> anyhow::Result<()> {
        self.good &= finding.ok;
        if self.json {
            return tell_json(&finding);
        }
        let Finding { what, ok, says } = finding;
        tell(&format!(
            "{}  {what}: {says}",
            if ok { "ok  " } else { "FAIL" }
        ));
        Ok(())
    }
}
