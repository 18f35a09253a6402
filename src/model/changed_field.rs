//! A field that a version changed, as shown in alerts.

use serde::{Deserialize, Serialize};

/// A field that the version of an alert changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangedField {
    /// As in `advisoryd_v1.field_changes`; `severity` by its name.
    pub field: String,
    /// Old value; `None` if there was none, or it is too long to be shown.
    pub old: Option<String>,
    /// New value; likewise.
    pub new: Option<String>,
}

impl ChangedField {
    /// The texts in it.
    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut String> {
        let optional = [&mut self.old, &mut self.new].into_iter().flatten();
        std::iter::once(&mut self.field).chain(optional)
    }
}
