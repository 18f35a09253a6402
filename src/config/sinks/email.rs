use std::path::PathBuf;

use lettre::message::Mailbox;
use url::Host;

use super::super::environment::Environment;
use super::super::section::Section;
use super::super::tree::Node;
use super::super::values::{absolute_path, boolean, is_loopback_host, number, text, texts};
use super::secret_file::{SecretFile, secret_file};

/// More recipients than a server takes in one mail; a list has an address of its own.
const MAX_RECIPIENTS: usize = 50;
/// Longest address (RFC 5321: 64 and 255, with the sign between them).
const MAX_ADDRESS_CHARS: usize = 320;

/// `kind = "email"`: mail over SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Name or address of the server.
    pub host: String,
    /// Default: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    pub port: u16,
    /// Default: `starttls`.
    pub tls: SmtpTls,
    /// Certificates (PEM) that are trusted besides those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Who it is from.
    pub from: Mailbox,
    /// Who it is for; at least one.
    pub to: Vec<Mailbox>,
    /// Left out: the server is not told who we are.
    pub login: Option<Login>,
}

/// How the way to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Begins in the clear and refuses to go on without TLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// Who we are to the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// Where the password is.
    pub password: SecretFile,
}

impl Email {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        for (key, advice) in [
            (
                "host",
                "write the mail server, such as `host = \"mail.example.org\"`",
            ),
            (
                "from",
                "write who it is from, such as `from = \"advisoryd@example.org\"`",
            ),
            (
                "to",
                "write who it is for, such as `to = [\"soc@example.org\"]`",
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
            let advice = "write `starttls` or `tls`, or `allow_plaintext = true` if mails and \
                          password may cross the network unencrypted";
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
        "the password does not belong here; write it to a file and name it in `password_file`",
    );
    let username = section.optional("username", text);
    let password = section.secret("password_file", secret_file(env));
    match (username, password) {
        (Some(username), Some(password)) => Some(Login { username, password }),
        (Some(_), None) => {
            section.missing("password_file", "write the file that holds the password");
            None
        }
        (None, Some(_)) => {
            section.missing("username", "write whose password it is");
            None
        }
        (None, None) => None,
    }
}

fn tls(node: &Node) -> Result<SmtpTls, String> {
    match text(node)?.as_str() {
        "starttls" => Ok(SmtpTls::StartTls),
        "tls" => Ok(SmtpTls::Tls),
        "none" => Ok(SmtpTls::None),
        _ => Err("write `starttls`, `tls` or `none`".into()),
    }
}

fn host(node: &Node) -> Result<Host, String> {
    let text = text(node)?;
    // An address of version 6 is written without brackets, too.
    text.parse()
        .map(Host::Ipv6)
        .or_else(|_| Host::parse(&text))
        .map_err(|_| "write a name such as `mail.example.org`, or an address".into())
}

fn address(node: &Node) -> Result<Mailbox, String> {
    text(node)
        .ok()
        .and_then(|text| mailbox(&text))
        .ok_or_else(|| {
            "write an address such as `soc@example.org` or `SOC <soc@example.org>`".into()
        })
}

fn addresses(node: &Node) -> Result<Vec<Mailbox>, String> {
    let advice =
        format!("write a list of 1 to {MAX_RECIPIENTS} addresses such as `[\"soc@example.org\"]`");
    let list = texts(node).map_err(|_| advice.clone())?;
    if list.is_empty() || list.len() > MAX_RECIPIENTS {
        return Err(advice);
    }
    list.iter()
        .map(|text| mailbox(text).ok_or_else(|| format!("write an address instead of `{text}`")))
        .collect()
}

fn mailbox(text: &str) -> Option<Mailbox> {
    text.parse()
        .ok()
        .filter(|_| text.len() <= MAX_ADDRESS_CHARS)
}
