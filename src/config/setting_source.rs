//! A setting in effect, and where it comes from.

use serde::Serialize;
use serde_json::Value;

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    /// It is not set.
    #[default]
    Default,
    /// The configuration file, or of the token a file of its own.
    File,
    /// An environment variable.
    Environment,
    /// A credential that systemd passes.
    Credential,
}

/// A setting in effect.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EffectiveSetting {
    /// Its key, entries of lists counted from 1.
    pub key: String,
    /// Its value; null if it is secret or may be.
    pub value: Value,
    /// Where it comes from.
    pub source: SettingSource,
    /// The file with line and column, or the variable; none of a default.
    pub origin: Option<String>,
}
