//! Test of a sink: sends a real message that is marked as a test.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config;
use crate::model::{Alert, MESSAGE_VERSION, Message, MessagePurpose, test_id};
use crate::sink::{OpenError, Sink};

/// The result of a test.
#[derive(Debug, Clone, Serialize)]
pub struct SinkTest {
    /// Id of the message that was sent.
    pub message_id: String,
    /// How long the receiver took.
    pub seconds: f64,
    /// Status of the response.
    pub status: Option<i32>,
    /// The beginning of the response.
    pub answer: String,
    /// Why delivery failed; `None` if it succeeded.
    pub error: Option<String>,
}

/// Opens the sink and sends it a test message.
pub async fn try_sink(
    settings: &config::SinkSettings,
    now: DateTime<Utc>,
) -> Result<SinkTest, OpenError> {
    let sink = Sink::open(settings)?;
    let message = message(sink.name(), now);
    let began = tokio::time::Instant::now();
    let sent = sink.send(&message, now).await;
    let seconds = began.elapsed().as_secs_f64();
    let (status, answer, error) = match sent {
        Ok(receipt) => (receipt.status, receipt.answer, None),
        Err(refused) => (refused.status, refused.answer, Some(refused.reason)),
    };
    Ok(SinkTest {
        message_id: message.id,
        seconds,
        status,
        answer,
        error,
    })
}

fn message(sink: &str, now: DateTime<Utc>) -> Message {
    let id = test_id(sink, now).to_string();
    Message {
        schema: MESSAGE_VERSION,
        purpose: MessagePurpose::Test,
        at: now,
        rule: "advisoryd".to_owned(),
        title: "Test message from advisoryd".to_owned(),
        alerts: vec![Alert {
            id: id.clone(),
            what: "test".to_owned(),
            kind: "advisoryd".to_owned(),
            key: format!("sink {sink}"),
            at: now,
            title: "Test message from advisoryd".to_owned(),
            summary: "sent by `advisoryd alerts test`".to_owned(),
            ..Alert::default()
        }],
        id,
    }
}
