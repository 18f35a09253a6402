//! Objects outside: created by the first alert about a key, then updated and resolved.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::super::outcome::{DeliveryReceipt, Refused, Sent};
use super::super::post::PostAnswer;
use super::super::scope::Scene;
use super::HookSink;
use super::request::CompiledRequest;
use crate::config::scalar_text;
use crate::model::{Alert, Message, RemoteObject, contains_secret, is_unsafe};

/// Maximum length of the id of an object outside, in characters.
const MAX_ID_CHARS: usize = 256;

impl HookSink {
    /// Sends a message of one alert.
    pub(super) async fn send_alert(
        &self,
        message: &Message,
        alert: &Alert,
        known: Option<RemoteObject>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Refused> {
        let new = Scene {
            message,
            alert: Some(alert),
            object: None,
        };
        let Some(remember) = &self.remember else {
            let resolve = self.resolve.as_ref().filter(|_| alert.resolved);
            let answer = self.call(resolve.unwrap_or(&self.create), new, now).await?;
            return Ok(Sent::from(answer.receipt()));
        };
        match self.find(new, known, now).await? {
            Some(object) if object.id.is_none() => return self.say_nothing(alert, object),
            Some(object) => {
                if let Some(sent) = self.follow_up(new, object, now).await? {
                    return Ok(sent);
                }
            }
            None => {}
        }
        if alert.resolved {
            return Ok(Sent::from(without_request("there is no object to resolve")));
        }
        let answer = self.call(&self.create, new, now).await?;
        match id_at(&answer.text, remember) {
            Ok(id) => Ok(Sent {
                object: Some(RemoteObject {
                    id: Some(id),
                    is_resolved: false,
                }),
                receipt: answer.receipt(),
            }),
            Err(why) => Err(Refused {
                status: Some(i32::from(answer.status.as_u16())),
                answer: answer.text,
                ..self.nameless(&format!("the object was created, but {why}"))
            }),
        }
    }

    /// The object that belongs to an alert. One whose id is not known is looked up.
    async fn find(
        &self,
        scene: Scene<'_>,
        known: Option<RemoteObject>,
        now: DateTime<Utc>,
    ) -> Result<Option<RemoteObject>, Refused> {
        if known.as_ref().is_some_and(|known| known.id.is_some()) {
            return Ok(known);
        }
        let is_resolved = known.as_ref().is_some_and(|known| known.is_resolved);
        let found = self.find_object(scene, now).await?;
        let found = found.map(|id| RemoteObject {
            id: Some(id),
            is_resolved,
        });
        Ok(found.or(known))
    }

    /// What becomes of an alert about an object whose id is not known: nothing can be said to
    /// the object, and a second one must not be created.
    fn say_nothing(&self, alert: &Alert, object: RemoteObject) -> Result<Sent, Refused> {
        let resolve = self.resolve.as_ref().filter(|_| alert.resolved);
        if resolve.or(self.update.as_ref()).is_some() {
            return Err(
                self.nameless("the object of an earlier alert exists, but its id is not known")
            );
        }
        Ok(Sent {
            receipt: without_request("the object exists; `update` is not set"),
            object: Some(object),
        })
    }

    /// An object exists, and its id is not known. A search may find it a little later.
    fn nameless(&self, what: &str) -> Refused {
        let (can_repeat, advice) = match &self.lookup {
            Some(_) => (true, "it is looked up in the next attempt"),
            None => (
                false,
                "no second one is created; correct `remember` or set `lookup`, or see `advisoryd alerts resend --new-object`",
            ),
        };
        Refused {
            can_repeat,
            is_created: true,
            ..Refused::permanent(format!("{what}; {advice}"))
        }
    }

    /// Updates the object with another alert. `None`: it does not exist any more.
    async fn follow_up(
        &self,
        scene: Scene<'_>,
        object: RemoteObject,
        now: DateTime<Utc>,
    ) -> Result<Option<Sent>, Refused> {
        let is_resolved = scene.alert.is_some_and(|alert| alert.resolved);
        let scene = Scene {
            object: Some(&object),
            ..scene
        };
        let reopen = self.reopen.as_ref();
        let reopen = reopen.filter(|_| object.is_resolved && !is_resolved);
        let is_tried = reopen.is_some();
        let reopened = match reopen {
            Some(request) => match self.call(request, scene, now).await {
                Ok(answer) => Some(answer),
                Err(refused) if is_gone(&refused) => return Ok(None),
                // It is open already: somebody reopened it, or an earlier attempt did.
                Err(refused) if matches!(refused.status, Some(400 | 409 | 422)) => None,
                Err(refused) => return Err(refused),
            },
            None => None,
        };
        let resolve = self.resolve.as_ref().filter(|_| is_resolved);
        let Some(request) = resolve.or(self.update.as_ref()) else {
            let nothing =
                || without_request(&format!("{} exists; `update` is not set", shown(&object)));
            return Ok(Some(Sent {
                object: Some(RemoteObject {
                    id: object.id.clone(),
                    is_resolved: object.is_resolved && !is_tried,
                }),
                receipt: reopened.map_or_else(nothing, PostAnswer::receipt),
            }));
        };
        if is_resolved && object.is_resolved {
            let receipt = without_request(&format!("{} is resolved already", shown(&object)));
            let object = Some(object);
            return Ok(Some(Sent { receipt, object }));
        }
        let outcome = self.call(request, scene, now).await;
        match outcome {
            Ok(answer) => Ok(Some(Sent {
                receipt: answer.receipt(),
                object: Some(RemoteObject {
                    id: object.id.clone(),
                    is_resolved,
                }),
            })),
            Err(refused) if is_gone(&refused) => Ok(None),
            // The next attempt does not reopen it again: that may be refused then.
            Err(refused) => Err(Refused {
                is_reopened: reopened.is_some(),
                ..refused
            }),
        }
    }

    async fn send_lookup(
        &self,
        request: &CompiledRequest,
        scene: Scene<'_>,
        now: DateTime<Utc>,
    ) -> Result<PostAnswer, Refused> {
        let call = self.prepare(request, scene).await?;
        self.call_once_or_twice(call, now).await
    }

    /// The id of the object that an attempt created whose answer was lost, or had no id.
    async fn find_object(
        &self,
        scene: Scene<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Refused> {
        let Some((request, pointer)) = &self.lookup else {
            return Ok(None);
        };
        let text = match self.send_lookup(request, scene, now).await {
            Ok(answer) => answer.text,
            Err(refused) if refused.status == Some(404) => return Ok(None),
            Err(refused) => return Err(refused),
        };
        let json: Json = serde_json::from_str(&text)
            .map_err(|error| Refused::repeatable(format!("lookup: not valid JSON: {error}")))?;
        if json.pointer(pointer).is_none_or(Json::is_null) {
            return Ok(None);
        }
        let id = id_at(&text, pointer)
            .map_err(|why| Refused::permanent(format!("lookup: found an object, but {why}")))?;
        Ok(Some(id))
    }
}

/// Whether the object does not exist any more.
fn is_gone(refused: &Refused) -> bool {
    matches!(refused.status, Some(404 | 410))
}

/// A receipt without a request.
fn without_request(text: &str) -> DeliveryReceipt {
    DeliveryReceipt {
        status: None,
        answer: text.to_owned(),
    }
}

fn shown(object: &RemoteObject) -> &str {
    object.id.as_deref().unwrap_or("the object")
}

/// The id of an object in a response.
fn id_at(text: &str, pointer: &str) -> Result<String, String> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| format!("the response is not valid JSON: {error}"))?;
    let id = json.pointer(pointer).and_then(scalar_text);
    let id = id.map(|id| id.trim().to_owned());
    let id = id
        .filter(|id| !id.is_empty() && id.chars().count() <= MAX_ID_CHARS)
        .ok_or_else(|| format!("the response has no id at {pointer}"))?;
    // It is stored, shown, and sent in later requests.
    if contains_secret(&id) {
        return Err(format!("the id at {pointer} contains a secret"));
    }
    if id.chars().any(is_unsafe) {
        return Err(format!("the id at {pointer} contains control characters"));
    }
    Ok(id)
}
