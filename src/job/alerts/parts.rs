//! Parts of a message: a sink that gets one request per alert is sent one after the other,
//! and what is too large for a receiver is sent in pieces.
//! What was accepted is recorded before the next one, so that no attempt repeats it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::lease::{LEASE, within_lease};
use super::passed_over::PassedOverAlerts;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{Message, RemoteObject};
use crate::sink::{DeliveryReceipt, Division, PartsState, Refused, Sent, Sink};
use crate::store::alerts::delivery::ClaimedDelivery;
use crate::store::alerts::parts::{self, PartsProgress};
use crate::store::alerts::remote_object;
use crate::store::database;

/// An object outside, with rule and key.
pub type Learned = ((String, String), RemoteObject);

/// What became of an attempt, and the object outside that the last part belongs to, which is not
/// stored yet.
type Outcome = (Result<DeliveryReceipt, Refused>, Option<Learned>);

/// What became of a part.
enum PartOutcome {
    /// It was accepted, or is passed over. The parts behind it are sent.
    Sent {
        learned: Option<RemoteObject>,
        receipt: DeliveryReceipt,
        passed_over: Option<Refused>,
    },
    /// It was too large: fewer alerts are sent, or less of one.
    Smaller,
    /// It ends the attempt.
    Failed(Refused, Option<RemoteObject>),
}

/// The parts of a message that are left.
struct Sending<'a> {
    claim: &'a ClaimedDelivery,
    message: Cow<'a, Message>,
    division: Division,
    passed_over: PassedOverAlerts,
    /// The place of the alert that was abridged last.
    abridged: Option<usize>,
}

/// Sends the parts that are left. Returns the result of the last attempt, or of the first part
/// that ends it, and the object outside that the last part belongs to, which is not stored yet.
pub(super) async fn send(
    context: &Context,
    sink: &Sink,
    claim: &ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Outcome, Failure> {
    let mut sending = Sending::begin(sink, claim);
    loop {
        let parts = sending.division.next();
        let object = sink.object_of(&claim.message, parts.start);
        let known = known(context, sink, object.as_ref()).await?;
        let part = (&*sending.message, parts.clone());
        let outcome = sink.send_part(part, known.as_ref(), now).await;
        let (learned, progress, receipt) = match sending.judge(outcome, known) {
            PartOutcome::Sent {
                learned,
                receipt,
                passed_over,
            } => {
                let progress = sending.advance(passed_over);
                (object.zip(learned), progress, receipt)
            }
            // The lease must not end while smaller and smaller ones are tried.
            PartOutcome::Smaller => {
                if !record(context, claim, (&sending.progress(), None)).await? {
                    return Ok((Err(Refused::lost()), None));
                }
                continue;
            }
            PartOutcome::Failed(refused, learned) => {
                return Ok((Err(refused), object.zip(learned)));
            }
        };
        let is_done = sending.division.is_done();
        if is_done && sending.passed_over.is_empty() {
            return Ok((Ok(receipt), learned));
        }
        if !record(context, claim, (&progress, learned.as_ref())).await? {
            return Ok((Err(Refused::lost()), None));
        }
        if is_done {
            let refused = sending.passed_over.refused(&claim.message);
            return Ok((Err(refused.unwrap_or_else(Refused::lost)), None));
        }
    }
}

impl<'a> Sending<'a> {
    fn begin(sink: &Sink, claim: &'a ClaimedDelivery) -> Self {
        let mut passed_over = PassedOverAlerts::of(claim);
        let state = PartsState {
            done: claim.parts_done,
            passed_over: passed_over.places(),
            together: claim.parts_together,
        };
        let division = sink.division(&claim.message, &state);
        if division.parts() < claim.message.alerts.len() {
            // The sink is of another kind than before, and gets the message whole.
            passed_over = PassedOverAlerts::default();
        }
        Self {
            claim,
            message: Cow::Borrowed(&claim.message),
            division,
            passed_over,
            abridged: None,
        }
    }

    /// What becomes of the next parts.
    fn judge(&mut self, sent: Result<Sent, Refused>, known: Option<RemoteObject>) -> PartOutcome {
        let refused = match sent {
            Ok(Sent { receipt, object }) => {
                return PartOutcome::Sent {
                    learned: object,
                    receipt,
                    passed_over: None,
                };
            }
            Err(refused) => refused,
        };
        let has_others = self.claim.message.alerts.len() > 1;
        if refused.is_created {
            let learned = Some(without_id(known));
            if refused.can_repeat || !has_others {
                return PartOutcome::Failed(refused, learned);
            }
            // The other alerts do not wait for someone to find its id.
            return PartOutcome::Sent {
                learned,
                receipt: DeliveryReceipt::default(),
                passed_over: Some(refused),
            };
        }
        if refused.is_reopened {
            let learned = known.map(|known| RemoteObject {
                is_resolved: false,
                ..known
            });
            return PartOutcome::Failed(refused, learned);
        }
        if self.division.divides(&refused) || self.abridge(&refused) {
            return PartOutcome::Smaller;
        }
        if refused.is_too_large && has_others {
            // Those behind it do not wait.
            return PartOutcome::Sent {
                learned: None,
                receipt: DeliveryReceipt::default(),
                passed_over: Some(refused),
            };
        }
        PartOutcome::Failed(refused, None)
    }

    /// Abridges the next alert if it was too large alone; false if it is abridged already.
    fn abridge(&mut self, refused: &Refused) -> bool {
        let at = self.division.next().start;
        if !refused.is_too_large || self.abridged == Some(at) {
            return false;
        }
        self.abridged = Some(at);
        let alert = self.message.to_mut().alerts.get_mut(at);
        alert.is_some_and(|alert| {
            *alert = std::mem::take(alert).abridged();
            true
        })
    }

    /// The next parts were sent, or the next one is passed over.
    fn advance(&mut self, passed_over: Option<Refused>) -> PartsProgress {
        let parts = self.division.next();
        self.division.advance();
        if passed_over.is_some() || self.abridged == Some(parts.start) {
            self.division.restore();
        }
        let message = &self.claim.message;
        let (passed_over, accepted) = match passed_over {
            Some(refused) => {
                let stored = self.passed_over.add(message, (parts.start, refused));
                (stored, Vec::new())
            }
            None => (None, self.passed_over.remove(message, parts)),
        };
        PartsProgress {
            passed_over,
            accepted,
            ..self.progress()
        }
    }

    fn progress(&self) -> PartsProgress {
        PartsProgress {
            done: self.division.done(),
            together: self.division.together(),
            ..PartsProgress::default()
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

/// Records how far the message was sent; false if another process has the delivery.
async fn record(
    context: &Context,
    claim: &ClaimedDelivery,
    (progress, learned): (&PartsProgress, Option<&Learned>),
) -> Result<bool, Failure> {
    within_lease(|| record_once(context, claim, (progress, learned))).await
}

async fn record_once(
    context: &Context,
    claim: &ClaimedDelivery,
    (progress, learned): (&PartsProgress, Option<&Learned>),
) -> Result<bool, Failure> {
    let now = context.clock.now();
    let mut transaction = database::begin(&context.pool).await?;
    let ours = parts::record(&mut transaction, claim, progress, (now, LEASE)).await?;
    if let Some(((rule, key), object)) = learned {
        let (key, object) = ((rule.as_str(), key.as_str()), (object, ours));
        remote_object::remember(&mut transaction, &claim.sink, key, object, now).await?;
    }
    transaction.commit().await?;
    Ok(ours)
}
