//! A run: what it reads, what it counted and how it ended.

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

/// What a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A feed's last days.
    Window,
    /// All there is.
    Full,
    /// What changed since the cursor.
    Incremental,
    /// Old time again, to see whether upstream changed it without telling.
    Reconcile,
    /// A saved document.
    Import,
    /// A watch list's advisories from the JSON API.
    Json,
    /// Details that are wanted.
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

    /// The name in the ledger and in JSON.
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

    /// Whether the run speaks for its source: moves its cursor, its last success
    /// and its last error. Reading old time again says nothing about new data, and neither does a file.
    pub fn advances_cursor(self) -> bool {
        !matches!(self, Self::Reconcile | Self::Import)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Complete.
    Ok,
    /// Not complete, and why.
    Failed(String),
    /// Stopped by us before its end, and why.
    Interrupted(String),
}

impl Outcome {
    /// The name in the ledger and in JSON.
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

/// As two fields, `outcome` and `error`, as the ledger has them.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Outcome", 2)?;
        fields.serialize_field("outcome", self.name())?;
        fields.serialize_field("error", &self.error())?;
        fields.end()
    }
}

/// What a run counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Records upstream said there are.
    pub claimed: Option<u64>,
    /// Records received and understood.
    pub seen: u64,
    /// New ones.
    pub added: u64,
    /// New versions.
    pub changed: u64,
    /// Those that said nothing new.
    pub unchanged: u64,
    /// Records received and not understood.
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
