//! Objects outside (issues, incidents, records) that alerts created, and the order of
//! deliveries that they need.

use uuid::Uuid;

use super::fact::NAMESPACE;

/// An object in another system that belongs to one rule and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteObject {
    /// Its id there; `None` if it was created and the response had no id: another one is
    /// not created.
    pub id: Option<String>,
    /// Whether the last alert that it was notified of is resolved.
    pub is_resolved: bool,
}

/// Which deliveries to a sink wait for earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// None.
    Any,
    /// A resolved alert waits for the alerts that it resolves.
    ResolvedLast,
    /// An alert waits for earlier alerts of the same rule and key.
    PerObject,
    /// Each message waits for all earlier ones.
    Strict,
}

impl DeliveryOrder {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ResolvedLast => "resolved_last",
            Self::PerObject => "per_object",
            Self::Strict => "strict",
        }
    }
}

/// An id of rule and key that is the same in all messages, for receivers that recognise
/// objects by an id of the sender.
pub fn object_id(rule: &str, key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("object\n{rule}\n{key}").as_bytes())
}
