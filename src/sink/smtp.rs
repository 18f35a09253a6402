//! SMTP client: delivers one email to a mail server.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use tokio::time::{Instant, timeout_at};

use super::outcome::{Receipt, Refused};
use crate::model::FailureReason;

/// Authentication mechanisms in order of preference; the connection is encrypted, or `allow_plaintext` is set.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Timeout for the reply to QUIT.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// A mail server and its connection settings.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) way: TlsMode,
    pub(super) credentials: Option<Credentials>,
    /// The name in EHLO: the host name of this machine.
    pub(super) hello: ClientId,
}

/// Encryption of the connection.
pub(super) enum TlsMode {
    Plain,
    StartTls(TlsParameters),
    Tls(TlsParameters),
}

/// An email to be delivered.
pub(super) struct Envelope {
    pub(super) from: Address,
    /// Recipients; at least one.
    pub(super) to: Vec<Address>,
    /// Headers and body.
    pub(super) bytes: Vec<u8>,
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "mail server {}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Server {
    /// Delivers an email within `timeout`. A recipient that is permanently rejected
    /// does not affect the others: the reply names it. A recipient that is
    /// temporarily rejected delays the email for all, so that nobody receives it
    /// twice.
    pub(super) async fn send(
        &self,
        envelope: &Envelope,
        timeout: Duration,
    ) -> Result<Receipt, Refused> {
        let late = |_| Refused::late(&self.to_string(), timeout);
        let deadline = Instant::now() + timeout;
        let mut connection = timeout_at(deadline, self.connect(timeout))
            .await
            .map_err(late)?
            // Not caused by the email, which has not been sent yet.
            .map_err(|error| self.refused(&error, true))?;
        let sent = timeout_at(deadline, self.hand_over(&mut connection, envelope))
            .await
            .map_err(late)?;
        // The email was accepted; the result of QUIT does not matter.
        let _ = tokio::time::timeout(FAREWELL_PATIENCE, connection.abort()).await;
        sent
    }

    async fn connect(&self, timeout: Duration) -> Result<AsyncSmtpConnection, Error> {
        let at_once = match &self.way {
            TlsMode::Tls(parameters) => Some(parameters.clone()),
            TlsMode::Plain | TlsMode::StartTls(_) => None,
        };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(timeout), &self.hello, at_once, None)
                .await?;
        if let TlsMode::StartTls(parameters) = &self.way {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
    ) -> Result<Receipt, Refused> {
        let Envelope { from, to, bytes } = envelope;
        let can_repeat = |error: &Error| !error.is_permanent();
        let parameters = parameters(connection, envelope)?;
        connection
            .command(Mail::new(Some(from.clone()), parameters))
            .await
            .map_err(|error| self.refused(&error, can_repeat(&error)))?;
        let mut without = Vec::new();
        for address in to {
            match connection
                .command(Rcpt::new(address.clone(), Vec::new()))
                .await
            {
                Ok(_) => {}
                Err(error) if error.is_permanent() && without.len() + 1 < to.len() => {
                    without.push(format!("rejected {address}: {error}"));
                }
                Err(error) => return Err(self.refused(&error, can_repeat(&error))),
            }
        }
        connection
            .command(Data)
            .await
            .map_err(|error| self.refused(&error, can_repeat(&error)))?;
        let response = connection
            .message(bytes)
            .await
            .map_err(|error| self.refused(&error, can_repeat(&error)))?;
        Ok(receipt(&response, without))
    }

    fn refused(&self, error: &Error, can_repeat: bool) -> Refused {
        let status = error.status().map(|code| i32::from(u16::from(code)));
        let answer = match (status, std::error::Error::source(error)) {
            (Some(_), Some(said)) => said.to_string(),
            _ => String::new(),
        };
        let kind = match status {
            None => FailureReason::Unreachable,
            // RFC 4954: authentication is required, too weak, or failed.
            Some(530 | 534 | 535 | 538) => FailureReason::Auth,
            Some(_) => FailureReason::Refused,
        };
        Refused {
            status,
            answer,
            kind,
            can_repeat,
            ..Refused::repeatable(format!("{self}: {error}"))
        }
    }
}

fn receipt(response: &Response, without: Vec<String>) -> Receipt {
    let said: Vec<&str> = response.message().collect();
    let mut answer = without;
    answer.push(said.join(" "));
    Receipt {
        status: Some(i32::from(u16::from(response.code()))),
        answer: answer.join("; "),
    }
}

/// Headers and bodies are ASCII; only an address may be non-ASCII.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
) -> Result<Vec<MailParameter>, Refused> {
    let Envelope { from, to, bytes } = envelope;
    let addresses = std::iter::once(from).chain(to);
    let is_ascii = addresses.map(AsRef::<str>::as_ref).all(str::is_ascii);
    if is_ascii && bytes.is_ascii() {
        return Ok(Vec::new());
    }
    let server = connection.server_info();
    if !server.supports_feature(Extension::SmtpUtfEight)
        || !server.supports_feature(Extension::EightBitMime)
    {
        let why = "the mail server does not support non-ASCII addresses (SMTPUTF8)";
        return Err(Refused::permanent(why));
    }
    Ok(vec![
        MailParameter::SmtpUtfEight,
        MailParameter::Body(MailBodyParameter::EightBitMime),
    ])
}
