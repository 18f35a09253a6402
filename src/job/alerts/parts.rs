//! Parts of a message: a sink that gets one request per alert is sent one after the other,
//! and what is too large for a receiver is sent in pieces.
//! What was accepted is recorded before the next one, so that no attempt repeats it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::lease::{LEASE, within_lease};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{Message, RemoteObject};
use crate::sink::{DeliveryReceipt, Refused, Sent, Sink};
use crate::store::alerts::delivery::{self, ClaimedDelivery};
use crate::store::alerts::remote_object;
use crate::store::database;

/// An object outside, with rule and key.
pub type Learned = ((String, String), RemoteObject);

/// Sends the parts that are left. Returns the result of the last attempt, or of the first part
/// that the receiver does not take, and the object outside that the last part belongs to,
/// which is not stored yet.
pub(super) async fn send(
    context: &Context,
    sink: &Sink,
    claim: &ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<(Result<DeliveryReceipt, Refused>, Option<Learned>), Failure> {
    let mut division = sink.division(&claim.message, claim.parts_done);
    let mut passed_over = None;
    // What is too large is not recorded as accepted, nor what comes behind it: if a later part
    // fails, it must not be taken for sent. Parts that come again have the same id.
    let mut accepted = None;
    let mut message = Cow::Borrowed(&claim.message);
    let mut abridged = None;
    loop {
        let parts = division.next();
        let object = sink.object_of(&claim.message, parts.start);
        let known = known(context, sink, object.as_ref()).await?;
        let part = (&*message, parts.clone());
        let (learned, receipt) = match sink.send_part(part, known.as_ref(), now).await {
            Ok(Sent { receipt, object }) => (object, receipt),
            Err(refused) if refused.is_created => {
                let learned = without_id(known);
                if refused.can_repeat {
                    return Ok((Err(refused), object.zip(Some(learned))));
                }
                // The other alerts do not wait for someone to find its id.
                passed_over = passed_over.or(Some(refused));
                (Some(learned), DeliveryReceipt::default())
            }
            Err(refused) if refused.is_reopened => {
                let learned = known.map(|known| RemoteObject {
                    is_resolved: false,
                    ..known
                });
                return Ok((Err(refused), object.zip(learned)));
            }
            // Fewer alerts are sent, or less of one.
            Err(refused)
                if division.divides(&refused)
                    || abridge(&refused, &mut message, (&mut abridged, parts.start)) =>
            {
                // The lease must not end while smaller and smaller ones are tried.
                let done = accepted.unwrap_or_else(|| division.accepted());
                if !record(context, claim, (done, None)).await? {
                    return Ok((Err(Refused::lost()), None));
                }
                continue;
            }
            // Those behind it do not wait.
            Err(refused) if refused.is_too_large && claim.message.alerts.len() > 1 => {
                let place = (parts.end, claim.message.alerts.len());
                accepted = accepted.or(Some(division.accepted()));
                passed_over = passed_over.or(Some(placed(refused, place)));
                (None, DeliveryReceipt::default())
            }
            Err(refused) => return Ok((Err(refused), None)),
        };
        let learned = object.zip(learned);
        division.advance();
        if division.is_done() {
            return Ok((passed_over.map_or(Ok(receipt), Err), learned));
        }
        let done = accepted.unwrap_or_else(|| division.accepted());
        if !record(context, claim, (done, learned.as_ref())).await? {
            let lost = Refused::lost();
            return Ok((Err(lost), None));
        }
    }
}

/// What is known of an object outside whose id the receiver did not send.
fn without_id(known: Option<RemoteObject>) -> RemoteObject {
    RemoteObject {
        id: None,
        is_resolved: known.is_some_and(|known| known.is_resolved),
    }
}

/// The object outside that is known of a rule and key.
async fn known(
    context: &Context,
    sink: &Sink,
    object: Option<&(String, String)>,
) -> Result<Option<RemoteObject>, Failure> {
    let Some((rule, key)) = object else {
        return Ok(None);
    };
    let mut connection = context.pool.acquire().await?;
    Ok(remote_object::find(&mut connection, sink.name(), (rule, key)).await?)
}

/// Abridges the alert at that place if it was too large alone; false if it is abridged
/// already.
fn abridge(
    refused: &Refused,
    message: &mut Cow<'_, Message>,
    (abridged, at): (&mut Option<usize>, usize),
) -> bool {
    if !refused.is_too_large || *abridged == Some(at) {
        return false;
    }
    *abridged = Some(at);
    let alert = message.to_mut().alerts.get_mut(at);
    alert.is_some_and(|alert| {
        *alert = std::mem::take(alert).abridged();
        true
    })
}

/// Records that so many parts are accepted; false if another process has the delivery.
async fn record(
    context: &Context,
    claim: &ClaimedDelivery,
    (part, learned): (usize, Option<&Learned>),
) -> Result<bool, Failure> {
    within_lease(|| record_once(context, claim, (part, learned))).await
}

async fn record_once(
    context: &Context,
    claim: &ClaimedDelivery,
    (part, learned): (usize, Option<&Learned>),
) -> Result<bool, Failure> {
    let now = context.clock.now();
    let mut transaction = database::begin(&context.pool).await?;
    let ours = delivery::record_parts(&mut transaction, claim, part, LEASE).await?;
    if let Some(((rule, key), object)) = learned {
        let (key, object) = ((rule.as_str(), key.as_str()), (object, ours));
        remote_object::remember(&mut transaction, &claim.sink, key, object, now).await?;
    }
    transaction.commit().await?;
    Ok(ours)
}

/// Says which alert of the message is too large: those behind it are sent.
fn placed(refused: Refused, (at, all): (usize, usize)) -> Refused {
    let reason = format!(
        "{} (alert {at} of {all} is too large, also abridged)",
        refused.reason
    );
    Refused { reason, ..refused }
}
