//! What templates see besides the message: secrets, variables, the object outside.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Value;
use minijinja::value::{Serde, merge_maps};
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
    /// All that a template sees.
    pub(super) fn context(&self, scene: Scene<'_>) -> Value {
        scene.about(&self.whole(scene.message))
    }

    /// The message in its JSON form, and what it says in addition: what is the same for all
    /// of its alerts.
    pub(super) fn whole(&self, message: &Message) -> Value {
        let mut json = serde_json::to_value(message).unwrap_or_default();
        let alerts = json.get_mut("alerts").and_then(Json::as_array_mut);
        for (json, alert) in alerts.into_iter().flatten().zip(&message.alerts) {
            *json = extended(message, alert);
        }
        json["vars"] = json!(self.vars);
        json["secrets"] = json!(self.secrets);
        Value::from(Serde(json))
    }
}

impl Scene<'_> {
    /// What is the same for the whole message, and what is about the alert.
    pub(super) fn about(&self, whole: &Value) -> Value {
        let Some(alert) = self.alert else {
            return whole.clone();
        };
        let id = self.object.and_then(|object| object.id.as_deref());
        let about = json!({
            "alert": extended(self.message, alert),
            "remembered": id.unwrap_or_default(),
            "was_resolved": self.object.is_some_and(|one| one.is_resolved),
        });
        merge_maps([Value::from(Serde(about)), whole.clone()])
    }
}

/// An alert with `called`, `facts` and `object_id`.
fn extended(message: &Message, alert: &Alert) -> Json {
    let mut json = serde_json::to_value(alert).unwrap_or_default();
    json["called"] = alert.called().into();
    json["facts"] = facts(alert).into();
    json["object_id"] = object_id(&message.rule, &alert.key).to_string().into();
    json
}
