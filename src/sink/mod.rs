//! Alert sinks (webhook, Alertmanager, email, chat, command, log): each delivers a
//! [`Message`] to one receiver and returns the result. Sinks do not use the database
//! or rules, and do not retry: the caller decides when to retry.

mod alertmanager;
mod command;
mod connection;
mod descendants;
mod email;
mod facts;
mod gate;
mod hook;
mod log;
mod mail;
mod open;
mod outcome;
mod post;
mod render;
mod secrets;
mod smtp;
#[cfg(test)]
mod tests;
mod webhook;

use chrono::{DateTime, Utc};

pub use open::OpenError;
pub use outcome::{ANSWER_BYTES, MAX_WAIT, Receipt, Refused};

use crate::config::{self, SinkKind};
use crate::model::Message;
use secrets::Secrets;

/// A sink that is ready to deliver. It is opened again when the configuration is
/// reloaded, so that new secrets and templates take effect.
#[derive(Debug)]
pub struct Sink {
    name: String,
    kind: &'static str,
    channel: Channel,
    /// Secrets that must not appear in anything that [`Sink::send`] returns.
    secrets: Secrets,
}

#[derive(Debug)]
enum Channel {
    Webhook(Box<webhook::Webhook>),
    Alertmanager(Box<alertmanager::Alertmanager>),
    Email(Box<email::Email>),
    Hook(Box<hook::Hook>),
    Command(command::Command),
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
    pub fn open(settings: &config::Sink) -> Result<Self, OpenError> {
        let config::Sink {
            name,
            timeout,
            kind,
        } = settings;
        let timeout = *timeout;
        let mut secrets = Secrets::default();
        let channel = match kind {
            SinkKind::Webhook(settings) => {
                let webhook = webhook::Webhook::open(settings, timeout, &mut secrets)?;
                Channel::Webhook(Box::new(webhook))
            }
            SinkKind::Alertmanager(settings) => {
                let sink = alertmanager::Alertmanager::open(settings, timeout, &mut secrets)?;
                Channel::Alertmanager(Box::new(sink))
            }
            SinkKind::Email(settings) => {
                let email = email::Email::open(settings, timeout, &mut secrets)?;
                Channel::Email(Box::new(email))
            }
            SinkKind::Hook(settings) => {
                let hook = hook::Hook::open(settings, timeout, &mut secrets)?;
                Channel::Hook(Box::new(hook))
            }
            SinkKind::Command(settings) => {
                Channel::Command(command::Command::open(settings, timeout)?)
            }
            SinkKind::Log => Channel::Log,
        };
        Ok(Self {
            name: name.clone(),
            kind: settings.kind.name(),
            channel,
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

    /// Whether it keeps an alert active until it is notified that it is resolved.
    pub fn keeps(&self) -> bool {
        matches!(self.channel, Channel::Alertmanager(_))
    }

    /// Makes one delivery attempt within the sink's timeout. `now` is the time of
    /// this attempt: it is part of signatures, and ends of alerts are computed from
    /// it. If the future is dropped, nothing keeps running; whether the receiver
    /// accepted the message is then unknown.
    ///
    /// # Errors
    /// [`Refused`]: the receiver rejected the message, or the result is unknown.
    pub async fn send(&self, message: &Message, now: DateTime<Utc>) -> Result<Receipt, Refused> {
        let outcome = match &self.channel {
            Channel::Webhook(webhook) => webhook.send(message, now).await,
            Channel::Alertmanager(alertmanager) => alertmanager.send(message, now).await,
            Channel::Email(email) => email.send(message).await,
            Channel::Hook(hook) => hook.send(message, now).await,
            Channel::Command(command) => command.send(message).await,
            Channel::Log => Ok(log::send(message)),
        };
        match outcome {
            Ok(receipt) => Ok(receipt.without(&self.secrets)),
            Err(refused) => Err(refused.without(&self.secrets)),
        }
    }
}
