//! Runs: mode, outcome and counts of one attempt to read a source.

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

/// The mode of a run: what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The last days of a feed.
    Window,
    /// Everything.
    Full,
    /// Changes since the cursor.
    Incremental,
    /// A covered period again, to detect changes without a new modification date.
    Reconcile,
    /// A saved feed document.
    Import,
    /// A watch list's advisories from the JSON API.
    Json,
    /// Pending details.
    Details,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Window,
        Self::Full,
        Self::Incremental,
        Self::Reconcile,
        Self::Import,
        Self::Json,
        Self::Details,
    ];

    /// The name in the run log and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Reconcile => "reconcile",
            Self::Import => "import",
            Self::Json => "json",
            Self::Details => "details",
        }
    }

    /// Whether the run updates its source: cursor, last success and last error.
    /// Reading a covered period again or importing a file says nothing about new data.
    pub fn advances_cursor(self) -> bool {
        !matches!(self, Self::Reconcile | Self::Import)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Complete.
    Ok,
    /// Failed, with the reason.
    Failed(String),
    /// Stopped by advisoryd before its end, with the reason.
    Interrupted(String),
}

impl Outcome {
    /// The name in the run log and in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// Why the run is not complete.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Failed(error) | Self::Interrupted(error) => Some(error),
        }
    }
}

/// Two fields, `outcome` and `error`, as in the run log.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Outcome", 2)?;
        fields.serialize_field("outcome", self.name())?;
        fields.serialize_field("error", &self.error())?;
        fields.end()
    }
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Number of records according to upstream.
    pub claimed: Option<u64>,
    /// Records received and parsed.
    pub seen: u64,
    /// New records.
    pub added: u64,
    /// New versions.
    pub changed: u64,
    /// Unchanged records.
    pub unchanged: u64,
    /// Records received that could not be parsed.
    pub quarantined: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mode, Outcome};

    #[test]
    fn names_are_the_same_in_the_ledger_and_in_json() {
        for mode in Mode::ALL {
            assert_eq!(json!(mode), json!(mode.name()));
        }
        let failed = Outcome::Failed("no route".to_owned());
        assert_eq!(
            json!(Outcome::Ok),
            json!({ "outcome": "ok", "error": null })
        );
        assert_eq!(
            json!(failed),
            json!({ "outcome": "failed", "error": "no route" })
        );
    }
}
