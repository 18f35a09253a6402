//! Email sink: messages as email over SMTP.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;

use super::mail::Mail;
use super::open::OpenError;
use super::outcome::{DeliveryReceipt, Refused};
use super::secrets::Secrets;
use super::smtp::{SmtpServer, TlsMode};
use super::tls::Connector;
use crate::config::{self, Login, SmtpTls};
use crate::model::Message;

/// Email over SMTP.
#[derive(Debug)]
pub(super) struct EmailSink {
    server: SmtpServer,
    letter: Mail,
    timeout: Duration,
}

impl EmailSink {
    pub(super) fn open(
        settings: &config::EmailSettings,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let config::EmailSettings {
            host,
            port,
            tls,
            ca_file,
            from,
            to,
            login,
        } = settings;
        let credentials = match login {
            Some(Login { username, password }) => {
                let secret = password.line()?;
                secrets.add_login(username, secret.expose());
                Some(Credentials::new(
                    username.clone(),
                    secret.expose().to_owned(),
                ))
            }
            None => None,
        };
        let connector = || Connector::open(ca_file.as_deref(), None);
        let way = match tls {
            SmtpTls::None => TlsMode::Plain,
            SmtpTls::Tls => TlsMode::Tls(connector()?),
            SmtpTls::StartTls => TlsMode::StartTls(connector()?),
        };
        Ok(Self {
            server: SmtpServer {
                host: host.clone(),
                port: *port,
                way,
                credentials,
                hello: ClientId::default(),
            },
            letter: Mail::new(from.clone(), to.clone())?,
            timeout,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<DeliveryReceipt, Refused> {
        let mail = self.letter.write(message)?;
        self.server.send(&mail, self.timeout).await
    }
}
