//! Syslog sink settings (RFC 5424).

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::super::environment::Environment;
use super::super::secret_file::SecretFile;
use super::super::section::Section;
use super::super::tree::SettingNode;
use super::super::values::{absolute_path, boolean, duration, is_loopback_host, number, text};
use super::target::ClientCert;
use crate::config::advice::{Advice, did_you_mean};
use url::{Host, Url};

/// Names of facilities that are not the operating system's own, and their numbers.
const FACILITIES: [(&str, u8); 13] = [
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("authpriv", 10),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
/// Every receiver accepts 480 bytes; more than 64 KiB fit in no datagram.
const SIZES: RangeInclusive<u32> = 480..=65_000;
/// What receivers of datagrams should accept (RFC 5424, 6.1), and of streams usually do.
const DATAGRAM_BYTES: u32 = 2048;
const STREAM_BYTES: u32 = 8192;
/// A longer time would delay every message.
const SETTLE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10);
const DEFAULT_SETTLE: Duration = Duration::from_millis(250);
/// The private enterprise number that is reserved for documentation (RFC 5612).
const ENTERPRISE: u32 = 32_473;
/// Lengths in RFC 5424.
const MAX_APP_NAME_CHARS: usize = 48;
const MAX_HOSTNAME_CHARS: usize = 255;

/// `kind = "syslog"`: one message per alert, RFC 5424.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Where messages are sent. Default: `unix:///dev/log`.
    pub transport: SyslogTransport,
    /// CA certificates (PEM) that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this client shows; if omitted, none.
    pub client_cert: Option<ClientCert>,
    /// Content of the messages. Default: text and structured data.
    pub format: SyslogFormat,
    /// Number of the facility. Default: 16 (`local0`).
    pub facility: u8,
    /// APP-NAME. Default: `advisoryd`.
    pub app_name: String,
    /// HOSTNAME; if omitted, the name of this machine.
    pub hostname: Option<String>,
    /// Private enterprise number in the id of the structured data. Default: 32473.
    pub enterprise: u32,
    /// Maximum size of a message, in bytes. Default: 8192, for datagrams 2048.
    pub max_bytes: u32,
    /// How long a stream must stay open after a message. Default: 250 ms.
    pub settle: Duration,
}

/// Transport of syslog messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTransport {
    /// `unix:///dev/log`
    UnixDatagram(PathBuf),
    /// `unix-stream:///run/x.sock`
    UnixStream(PathBuf),
    /// `udp://host:514` (RFC 5426)
    Udp(String, u16),
    /// `tcp://host:601`, with octet counting (RFC 6587)
    Tcp(String, u16),
    /// `tls://host:6514` (RFC 5425)
    Tls(String, u16),
}

/// Content of syslog messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyslogFormat {
    /// Structured data and a text.
    Rfc5424,
    /// ArcSight's Common Event Format as the text.
    Cef,
}

impl SyslogSettings {
    /// The files with secrets that it needs.
    pub(super) fn secret_files(&self) -> Vec<&SecretFile> {
        self.client_cert.iter().map(|client| &client.key).collect()
    }

    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        let has_address = section.has("address");
        let transport = section.optional("address", transport);
        let allows_plaintext = section.value("allow_plaintext", false, boolean);
        if let Some(SyslogTransport::Udp(host, _) | SyslogTransport::Tcp(host, _)) = &transport
            && !allows_plaintext
            && !Host::parse(host).is_ok_and(|host| is_loopback_host(&host))
        {
            let advice = "expected `tls://…`; set `allow_plaintext = true` if messages may be \
                          sent unencrypted";
            section.wrong("address", host, advice);
        }
        let default = || (!has_address).then(|| SyslogTransport::UnixDatagram("/dev/log".into()));
        let transport = transport.or_else(default);
        let is_datagram = matches!(
            transport,
            Some(SyslogTransport::UnixDatagram(_) | SyslogTransport::Udp(..))
        );
        let size = if is_datagram {
            DATAGRAM_BYTES
        } else {
            STREAM_BYTES
        };
        let syslog = Self {
            ca_file: section.optional("ca_file", absolute_path),
            client_cert: ClientCert::read(section, env),
            format: section.value("format", SyslogFormat::Rfc5424, format),
            facility: section.value("facility", 16, facility),
            app_name: section.value(
                "app_name",
                "advisoryd".into(),
                printable(MAX_APP_NAME_CHARS),
            ),
            hostname: section.optional("hostname", printable(MAX_HOSTNAME_CHARS)),
            enterprise: section.value("enterprise_id", ENTERPRISE, number(1..=u32::MAX)),
            max_bytes: section.value("max_bytes", size, number(SIZES)),
            settle: section.value("settle", DEFAULT_SETTLE, duration(SETTLE)),
            transport: transport?,
        };
        if !matches!(syslog.transport, SyslogTransport::Tls(..)) {
            for (key, is_set) in [
                ("ca_file", syslog.ca_file.is_some()),
                ("client_cert_file", syslog.client_cert.is_some()),
            ] {
                if is_set {
                    section.unusable(key, "needs `address = \"tls://…\"`");
                }
            }
        }
        Some(syslog)
    }
}

fn transport(node: &SettingNode) -> Result<SyslogTransport, Advice> {
    let advice = "expected an address such as `tls://siem.example.org:6514`, `tcp://…`, \
                  `udp://…`, `unix:///dev/log` or `unix-stream:///run/siem.sock`";
    let given = text(node).map_err(|_| advice)?;
    for (scheme, is_stream) in [("unix://", false), ("unix-stream://", true)] {
        if let Some(path) = given.strip_prefix(scheme) {
            let path = PathBuf::from(path);
            return match (path.is_absolute(), is_stream) {
                (true, true) => Ok(SyslogTransport::UnixStream(path)),
                (true, false) => Ok(SyslogTransport::UnixDatagram(path)),
                (false, _) => Err(advice.into()),
            };
        }
    }
    let url: Url = given.parse().map_err(|_| advice)?;
    let is_plain = matches!(url.path(), "" | "/")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|host| is_plain && !host.is_empty());
    let host = host.ok_or(advice)?.trim_matches(['[', ']']).to_owned();
    let port = |usual| url.port().unwrap_or(usual);
    match url.scheme() {
        "udp" => Ok(SyslogTransport::Udp(host, port(514))),
        "tcp" => Ok(SyslogTransport::Tcp(host, port(601))),
        "tls" => Ok(SyslogTransport::Tls(host, port(6514))),
        _ => Err(advice.into()),
    }
}

fn format(node: &SettingNode) -> Result<SyslogFormat, Advice> {
    match text(node)?.as_str() {
        "rfc5424" => Ok(SyslogFormat::Rfc5424),
        "cef" => Ok(SyslogFormat::Cef),
        other => Err(Advice::one_of(other, &["rfc5424", "cef"])),
    }
}

fn facility(node: &SettingNode) -> Result<u8, Advice> {
    let given = text(node)?;
    let known = FACILITIES.iter().find(|(name, _)| *name == given);
    known.map(|(_, number)| *number).ok_or_else(|| {
        let names: Vec<&str> = FACILITIES.iter().map(|(name, _)| *name).collect();
        let close = did_you_mean(&given, &names);
        Advice::choice(format!("expected one of {}{close}", names.join(", ")))
    })
}

fn printable(most: usize) -> impl FnOnce(&SettingNode) -> Result<String, Advice> {
    move |node| {
        let given = text(node)?;
        let is_plain = given.chars().all(|letter| letter.is_ascii_graphic());
        (is_plain && given.len() <= most)
            .then_some(given)
            .ok_or_else(|| {
                format!("expected at most {most} ASCII characters without spaces").into()
            })
    }
}
