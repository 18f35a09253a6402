//! SMTP client: delivers one email to a mail server.

mod bounded;

use std::fmt;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::outcome::{DeliveryReceipt, Refused};
use super::tls::Connector;
use crate::model::{FailureReason, chain};
use bounded::Bounded;

/// Authentication mechanisms in order of preference; the connection is encrypted, or `allow_plaintext` is set.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Timeout for the reply to QUIT.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// Stands for the greeting before STARTTLS, which the server does not repeat.
const GREETED: &[u8] = b"220 \r\n";

/// A mail server and its connection settings.
pub(super) struct SmtpServer {
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
    StartTls(Connector),
    Tls(Connector),
}

/// An email to be delivered.
pub(super) struct MailEnvelope {
    pub(super) from: Address,
    /// Recipients; at least one.
    pub(super) to: Vec<Address>,
    /// Headers and body.
    pub(super) bytes: Vec<u8>,
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "mail server {}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl SmtpServer {
    /// Delivers an email within `timeout`. A recipient that is permanently rejected
    /// does not affect the others: the reply names it. A recipient that is
    /// temporarily rejected delays the email for all, so that nobody receives it
    /// twice.
    pub(super) async fn send(
        &self,
        envelope: &MailEnvelope,
        timeout: Duration,
    ) -> Result<DeliveryReceipt, Refused> {
        let late = |_| Refused::late(&self.to_string(), timeout);
        let deadline = Instant::now() + timeout;
        let mut connection = timeout_at(deadline, self.connect()).await.map_err(late)??;
        let sent = timeout_at(deadline, self.hand_over(&mut connection, envelope))
            .await
            .map_err(late)?;
        // The email was accepted; the result of QUIT does not matter.
        let _ = tokio::time::timeout(FAREWELL_PATIENCE, connection.abort()).await;
        sent
    }

    /// A failure is not caused by the email, which has not been sent yet.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Refused> {
        let broken = |error: io::Error| {
            let why = chain(&error);
            Refused::repeatable(format!("{self}: connection error: {why}"))
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(broken)?;
        let peer = stream.peer_addr().map_err(broken)?;
        let mut connection = match &self.way {
            TlsMode::Plain => self.greet(Bounded::new(stream, peer)).await?,
            TlsMode::Tls(tls) => {
                let stream = tls.connect(&self.host, stream).await.map_err(broken)?;
                self.greet(Bounded::new(stream, peer)).await?
            }
            TlsMode::StartTls(tls) => {
                let stream = stream.into_std().map_err(broken)?;
                let plain = stream.try_clone().and_then(TcpStream::from_std);
                self.ask_for_tls(Bounded::new(plain.map_err(broken)?, peer))
                    .await?;
                let stream = TcpStream::from_std(stream).map_err(broken)?;
                let stream = tls.connect(&self.host, stream).await.map_err(broken)?;
                self.greet(Bounded::new(stream, peer).greeted(GREETED))
                    .await?
            }
        };
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&MECHANISMS, credentials)
                .await
                .map_err(|error| self.refused(&error, true))?;
        }
        Ok(connection)
    }

    async fn greet(
        &self,
        stream: impl AsyncTokioStream + 'static,
    ) -> Result<AsyncSmtpConnection, Refused> {
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello)
            .await
            .map_err(|error| self.refused(&error, true))
    }

    /// What the server says before TLS, after it has agreed to it, is dropped.
    async fn ask_for_tls(&self, stream: Bounded<TcpStream>) -> Result<(), Refused> {
        let mut connection = self.greet(stream).await?;
        if !connection
            .server_info()
            .supports_feature(Extension::StartTls)
        {
            let why = "the mail server does not support STARTTLS";
            return Err(Refused::repeatable(format!("{self}: {why}")));
        }
        connection
            .command(Starttls)
            .await
            .map_err(|error| self.refused(&error, true))?;
        Ok(())
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &MailEnvelope,
    ) -> Result<DeliveryReceipt, Refused> {
        let MailEnvelope { from, to, bytes } = envelope;
        let can_repeat = |error: &Error| !error.is_permanent();
        let parameters = parameters(connection, envelope)?;
        connection
            .command(Mail::new(Some(from.clone()), parameters))
            .await
            .map_err(|error| self.refused_mail(&error))?;
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
            .map_err(|error| self.refused_mail(&error))?;
        Ok(receipt(&response, without))
    }

    /// The mail itself is refused.
    fn refused_mail(&self, error: &Error) -> Refused {
        let refused = self.refused(error, !error.is_permanent());
        Refused {
            is_too_large: is_size(refused.status, &refused.answer),
            ..refused
        }
    }

    fn refused(&self, error: &Error, can_repeat: bool) -> Refused {
        let status = error.status().map(|code| i32::from(u16::from(code)));
        let answer = match (status, std::error::Error::source(error)) {
            (Some(_), Some(text)) => text.to_string(),
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

/// Whether a reply is about the size of the mail: 552 (RFC 1870), or a permanent error with the
/// extended code of a message that is too large for the system or for a mailbox (RFC 3463).
/// 552 with another extended code, such as that of a full mailbox, is not.
fn is_size(status: Option<i32>, answer: &str) -> bool {
    const TOO_LARGE: [&str; 2] = ["5.2.3", "5.3.4"];
    let first = answer.split_whitespace().next().unwrap_or_default();
    let is_extended = first.split('.').count() == 3
        && first
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    match status {
        Some(552) if !is_extended => true,
        Some(500..=599) => TOO_LARGE.contains(&first),
        _ => false,
    }
}

fn receipt(response: &Response, without: Vec<String>) -> DeliveryReceipt {
    let text: Vec<&str> = response.message().collect();
    let mut answer = without;
    answer.push(text.join(" "));
    DeliveryReceipt {
        status: Some(i32::from(u16::from(response.code()))),
        answer: answer.join("; "),
    }
}

/// Headers and bodies are ASCII; only an address may be non-ASCII.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &MailEnvelope,
) -> Result<Vec<MailParameter>, Refused> {
    let MailEnvelope { from, to, bytes } = envelope;
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

#[cfg(test)]
mod tests {
    use super::is_size;

    #[test]
    fn a_reply_about_the_size_is_told_from_one_about_a_full_mailbox() {
        for (status, answer, is_about_size) in [
            (552, "5.3.4 Message size exceeds fixed limit", true),
            (
                552,
                "5.2.3 Your message exceeded Google's message size limits",
                true,
            ),
            (552, "Message size exceeds maximum permitted", true),
            (552, "Error: Too much mail data", true),
            (552, "", true),
            (554, "5.3.4 Message too big for system", true),
            (
                550,
                "5.2.3 RESOLVER.RST.RecipSizeLimit; message too large",
                true,
            ),
            (552, "5.2.2 mailbox full", false),
            (550, "5.7.1 rejected as spam", false),
            (554, "Transaction failed", false),
            (452, "4.3.1 insufficient system storage", false),
            (452, "5.3.4", false),
        ] {
            assert_eq!(
                is_size(Some(status), answer),
                is_about_size,
                "{status} {answer}"
            );
        }
        assert!(!is_size(None, "5.3.4"));
    }
}
