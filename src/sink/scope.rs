//! What templates see besides the message: secrets, variables, the object outside.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};

use super::facts::facts;
use crate::model::{Alert, Message, RemoteObject, object_id};

/// Secrets and variables of a sink.
#[derive(Default, Clone)]
pub(super) struct Scope {
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
}

/// What one rendering is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) message: &'a Message,
    /// The alert, if a request is about one.
    pub(super) alert: Option<&'a Alert>,
    /// The object outside that belongs to it.
    pub(super) object: Option<&'a RemoteObject>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scope({} secrets)", self.secrets.len())
    }
}

impl Scope {
    /// The message in its JSON form, and what it says in addition.
    pub(super) fn context(&self, scene: Scene<'_>) -> Json {
        let message = scene.message;
        let mut json = serde_json::to_value(message).unwrap_or_default();
        let alerts = json.get_mut("alerts").and_then(Json::as_array_mut);
        for (json, alert) in alerts.into_iter().flatten().zip(&message.alerts) {
            *json = extended(message, alert);
        }
        if let Some(alert) = scene.alert {
            json["alert"] = extended(message, alert);
            json["remembered"] = scene
                .object
                .and_then(|object| object.id.as_deref())
                .unwrap_or_default()
                .into();
            json["was_resolved"] = scene.object.is_some_and(|one| one.is_resolved).into();
        }
        json["vars"] = json!(self.vars);
        json["secrets"] = json!(self.secrets);
        json
    }
}

/// An alert with `facts` and `object_id`.
fn extended(message: &Message, alert: &Alert) -> Json {
    let mut json = serde_json::to_value(alert).unwrap_or_default();
    json["facts"] = facts(alert).into();
    json["object_id"] = object_id(&message.rule, &alert.key).to_string().into();
    json
}
