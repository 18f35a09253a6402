//! Alert sinks (webhook, Alertmanager, email, hook, syslog, command, log): each delivers a
//! [`Message`] to one receiver and returns the result. Sinks do not use the database
//! or rules, and do not retry: the caller decides when to retry.

mod alertmanager;
mod command;
mod connection;
mod descendants;
mod division;
mod email;
mod facts;
mod filters;
mod gate;
mod hook;
mod log;
mod mail;
mod open;
mod outcome;
mod post;
mod rate_limiter;
mod render;
mod samples;
mod scope;
mod secrets;
mod smtp;
mod syslog;
#[cfg(test)]
mod tests;
mod tls;
mod unlinked;
mod webhook;

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};

pub use division::{Division, PartsState};
pub use open::OpenError;
pub use outcome::{ANSWER_BYTES, DeliveryReceipt, MAX_WAIT, Refused, Sent};

use crate::config::{self, SinkKind};
use crate::model::{DeliveryOrder, Message, RemoteObject};
use facts::alerts;
use rate_limiter::SinkRateLimiter;
use secrets::Secrets;

/// A sink that is ready to deliver. It is opened again when the configuration is
/// reloaded, so that new secrets and templates take effect.
#[derive(Debug)]
pub struct Sink {
    name: String,
    kind: &'static str,
    channel: Channel,
    rate_limiter: Option<SinkRateLimiter>,
    is_ordered: bool,
    /// Secrets that must not appear in anything that [`Sink::send`] returns.
    secrets: Secrets,
}

#[derive(Debug)]
enum Channel {
    Webhook(Box<webhook::WebhookSink>),
    Alertmanager(Box<alertmanager::AlertmanagerSink>),
    Email(Box<email::EmailSink>),
    Hook(Box<hook::HookSink>),
    Syslog(Box<syslog::SyslogSink>),
    Command(command::CommandSink),
    Log,
}

/// The message as an email says it, for a terminal.
///
/// # Errors
/// Why it cannot be rendered.
pub fn as_text(message: &Message) -> Result<String, String> {
    mail::text(message)
}

impl Sink {
    /// Reads the secrets and certificates of a sink and checks its template.
    /// Nothing is sent.
    ///
    /// # Errors
    /// [`OpenError`]: which file or setting, and what is wrong with it.
    pub fn open(settings: &config::SinkSettings) -> Result<Self, OpenError> {
        let config::SinkSettings {
            name,
            place: _,
            timeout,
            requests_per_minute,
            is_ordered,
            kind,
        } = settings;
        let timeout = *timeout;
        let mut secrets = Secrets::default();
        let channel = match kind {
            SinkKind::Webhook(settings) => {
                let webhook = webhook::WebhookSink::open(settings, timeout, &mut secrets)?;
                Channel::Webhook(Box::new(webhook))
            }
            SinkKind::Alertmanager(settings) => {
                let sink = alertmanager::AlertmanagerSink::open(settings, timeout, &mut secrets)?;
                Channel::Alertmanager(Box::new(sink))
            }
            SinkKind::Email(settings) => {
                let email = email::EmailSink::open(settings, timeout, &mut secrets)?;
                Channel::Email(Box::new(email))
            }
            SinkKind::Hook(settings) => {
                let hook = hook::HookSink::open(settings, timeout, &mut secrets)?;
                Channel::Hook(Box::new(hook))
            }
            SinkKind::Syslog(settings) => {
                Channel::Syslog(Box::new(syslog::SyslogSink::open(settings, timeout)?))
            }
            SinkKind::Command(settings) => {
                Channel::Command(command::CommandSink::open(settings, timeout)?)
            }
            SinkKind::Log => Channel::Log,
        };
        Ok(Self {
            name: name.clone(),
            kind: settings.kind.name(),
            channel,
            rate_limiter: requests_per_minute.map(SinkRateLimiter::of),
            is_ordered: *is_ordered,
            secrets,
        })
    }

    /// Name used by rules and commands.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of `kind` in the configuration.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Which deliveries wait for earlier ones.
    pub fn order(&self) -> DeliveryOrder {
        match &self.channel {
            _ if self.is_ordered => DeliveryOrder::Strict,
            Channel::Alertmanager(_) => DeliveryOrder::ResolvedLast,
            Channel::Hook(hook) if hook.remembers() => DeliveryOrder::PerObject,
            Channel::Hook(hook) if hook.resolves() => DeliveryOrder::ResolvedLast,
            _ => DeliveryOrder::Any,
        }
    }

    /// How many deliveries may be made at the same time; `None` = no limit of its own.
    pub fn concurrency(&self) -> Option<usize> {
        let is_slow = self
            .rate_limiter
            .as_ref()
            .is_some_and(SinkRateLimiter::is_slow);
        (is_slow || self.is_ordered).then_some(1)
    }

    /// How many parts a message has: its alerts, if they can be sent in several requests.
    pub fn parts(&self, message: &Message) -> usize {
        match &self.channel {
            // A line each, of limited length.
            Channel::Syslog(_) | Channel::Log => 1,
            _ => alerts(message).len(),
        }
    }

    /// The requests of a message that are left after former attempts.
    pub(crate) fn division(&self, message: &Message, state: &PartsState) -> Division {
        Division::new(self.parts(message), state, self.together())
    }

    /// How many parts can be sent together.
    fn together(&self) -> usize {
        match &self.channel {
            Channel::Hook(hook) => hook.together(),
            Channel::Email(_) => mail::MAX_LISTED,
            _ => usize::MAX,
        }
    }

    /// Rule and key of the object outside that a part belongs to, if one is remembered.
    pub(crate) fn object_of(&self, message: &Message, part: usize) -> Option<(String, String)> {
        match &self.channel {
            Channel::Hook(hook) if hook.remembers() => {
                let alerts = alerts(message);
                let key = alerts.get(part)?.key.clone();
                Some((message.rule.clone(), key))
            }
            _ => None,
        }
    }

    /// Makes one delivery attempt of all parts. `now` is the time of this attempt: it is
    /// part of signatures, and ends of alerts are computed from it. If the future is
    /// dropped, nothing keeps running; whether the receiver accepted the message is then
    /// unknown.
    ///
    /// # Errors
    /// [`Refused`]: the receiver rejected the message, or the result is unknown.
    pub async fn send(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<DeliveryReceipt, Refused> {
        let mut known: BTreeMap<(String, String), RemoteObject> = BTreeMap::new();
        let mut receipt = DeliveryReceipt::default();
        let mut division = self.division(message, &PartsState::default());
        while !division.is_done() {
            let parts = division.next();
            let object = self.object_of(message, parts.start);
            let before = object.as_ref().and_then(|object| known.get(object));
            match self.send_part((message, parts), before, now).await {
                Ok(sent) => {
                    known.extend(object.zip(sent.object));
                    receipt = sent.receipt;
                    division.advance();
                }
                Err(refused) if division.divides(&refused) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(receipt)
    }

    /// Makes one delivery attempt of these parts, within the sink's timeout after its turn
    /// has come. `known` is the object outside that belongs to the first of them.
    ///
    /// # Errors
    /// [`Refused`]: the receiver rejected it, or the result is unknown.
    pub async fn send_part(
        &self,
        (message, parts): (&Message, Range<usize>),
        known: Option<&RemoteObject>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Refused> {
        if let Some(rate_limiter) = &self.rate_limiter {
            rate_limiter.wait().await;
        }
        let piece = || division::piece(message, parts.clone());
        let outcome = match &self.channel {
            Channel::Webhook(webhook) => webhook.send(&piece(), now).await.map(Sent::from),
            Channel::Alertmanager(sink) => sink.send(&piece(), now).await.map(Sent::from),
            Channel::Email(email) => email.send(&piece()).await.map(Sent::from),
            Channel::Hook(hook) if hook.together() > 1 => hook.send_whole(&piece(), now).await,
            Channel::Hook(hook) => hook.send_one((message, parts.start), known, now).await,
            Channel::Syslog(syslog) => syslog.send(message).await.map(Sent::from),
            Channel::Command(command) => command.send(&piece()).await.map(Sent::from),
            Channel::Log => Ok(Sent::from(log::send(message))),
        };
        match outcome {
            Ok(Sent { receipt, object }) => Ok(Sent {
                receipt: receipt.without(&self.secrets),
                object,
            }),
            Err(refused) => Err(refused.without(&self.secrets)),
        }
    }
}
