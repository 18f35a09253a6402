//! Email sink settings: SMTP server, TLS, sender, recipients and login.

use std::path::PathBuf;

use lettre::message::Mailbox;
use url::Host;

use super::super::environment::Environment;
use super::super::secret_file::{SecretFile, secret_file};
use super::super::section::Section;
use super::super::tree::SettingNode;
use super::super::values::{absolute_path, boolean, is_loopback_host, number, text, texts};
use crate::config::advice::Advice;

/// Many servers accept no more recipients per mail; use the address of a mailing list instead.
const MAX_RECIPIENTS: usize = 50;
/// Maximum length of an address (RFC 5321: 64 and 255 characters, and the `@`).
const MAX_ADDRESS_CHARS: usize = 320;

/// `kind = "email"`: email over SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailSettings {
    /// Host name or IP address of the server.
    pub host: String,
    /// TCP port. Default: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    pub port: u16,
    /// Encryption. Default: `starttls`.
    pub tls: SmtpTls,
    /// CA certificates (PEM) that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Sender.
    pub from: Mailbox,
    /// Recipients; at least one.
    pub to: Vec<Mailbox>,
    /// SMTP login; if omitted, no authentication.
    pub login: Option<Login>,
}

/// Encryption of the SMTP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Starts unencrypted and requires an upgrade to TLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// No encryption.
    None,
}

/// User name and password for the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The file that contains the password.
    pub password: SecretFile,
}

impl EmailSettings {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        for (key, advice) in [
            (
                "host",
                "add the mail server, such as `host = \"mail.example.org\"`",
            ),
            (
                "from",
                "add the sender, such as `from = \"advisoryd@example.org\"`",
            ),
            (
                "to",
                "add the recipients, such as `to = [\"soc@example.org\"]`",
            ),
        ] {
            if !section.has(key) {
                section.missing(key, advice);
            }
        }
        let host = section.optional("host", host);
        let tls = section.value("tls", SmtpTls::StartTls, tls);
        let port = section.value("port", tls.port(), number(1..=u16::MAX));
        let allow_plaintext = section.value("allow_plaintext", false, boolean);
        let ca_file = section.optional("ca_file", absolute_path);
        let from = section.optional("from", address);
        let to = section.optional("to", addresses);
        let login = login(section, env);
        let host = host?;
        if tls == SmtpTls::None && !allow_plaintext && !is_loopback_host(&host) {
            let advice = "expected `starttls` or `tls`; set `allow_plaintext = true` if mails and \
                          password may be sent unencrypted";
            section.wrong("tls", "none", advice);
        }
        Some(Self {
            host: host.to_string().trim_matches(['[', ']']).to_owned(),
            port,
            tls,
            ca_file,
            from: from?,
            to: to?,
            login,
        })
    }
}

impl SmtpTls {
    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

pub(super) fn login(section: &mut Section<'_>, env: &Environment) -> Option<Login> {
    section.refuse(
        "password",
        "the password does not belong here; store it in a file and set `password_file`",
    );
    let username = section.optional("username", text);
    let password = section.secret("password_file", secret_file(env));
    match (username, password) {
        (Some(username), Some(password)) => Some(Login { username, password }),
        (Some(_), None) => {
            section.missing("password_file", "add the file that contains the password");
            None
        }
        (None, Some(_)) => {
            section.missing("username", "add the user name that the password belongs to");
            None
        }
        (None, None) => None,
    }
}

fn tls(node: &SettingNode) -> Result<SmtpTls, Advice> {
    match text(node)?.as_str() {
        "starttls" => Ok(SmtpTls::StartTls),
        "tls" => Ok(SmtpTls::Tls),
        "none" => Ok(SmtpTls::None),
        other => Err(Advice::one_of(other, &["starttls", "tls", "none"])),
    }
}

fn host(node: &SettingNode) -> Result<Host, Advice> {
    let text = text(node)?;
    // An IPv6 address is also accepted without brackets.
    text.parse()
        .map(Host::Ipv6)
        .or_else(|_| Host::parse(&text))
        .map_err(|_| "expected a host name such as `mail.example.org`, or an IP address".into())
}

fn address(node: &SettingNode) -> Result<Mailbox, Advice> {
    text(node)
        .ok()
        .and_then(|text| mailbox(&text))
        .ok_or_else(|| {
            "expected an address such as `soc@example.org` or `SOC <soc@example.org>`".into()
        })
}

fn addresses(node: &SettingNode) -> Result<Vec<Mailbox>, Advice> {
    let advice = format!(
        "expected a list of 1 to {MAX_RECIPIENTS} addresses such as `[\"soc@example.org\"]`"
    );
    let list = texts(node).map_err(|_| advice.clone())?;
    if list.is_empty() || list.len() > MAX_RECIPIENTS {
        return Err(advice.into());
    }
    list.iter()
        .map(|text| {
            mailbox(text).ok_or_else(|| format!("expected an email address, got `{text}`").into())
        })
        .collect()
}

fn mailbox(text: &str) -> Option<Mailbox> {
    text.parse()
        .ok()
        .filter(|_| text.len() <= MAX_ADDRESS_CHARS)
}
