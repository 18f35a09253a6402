//! Where a sink sends to, without secrets: the path of a URL may be one, and so may the
//! arguments of a program.

use super::super::setting_error::shown_path;
use super::{Address, PostTarget, SinkKind, SinkSettings, SyslogTransport};

impl SinkSettings {
    /// In words, for lists of sinks.
    pub fn destination(&self) -> String {
        match &self.kind {
            SinkKind::Webhook(webhook) => of_target(&webhook.target),
            SinkKind::Alertmanager(alertmanager) => of_target(&alertmanager.target),
            SinkKind::Hook(hook) => of_target(&hook.target),
            SinkKind::Email(email) => {
                let to = email.to.iter().map(|to| to.email.to_string());
                let to = to.collect::<Vec<_>>().join(", ");
                format!("{to} by {}", with_port(&email.host, email.port))
            }
            SinkKind::Syslog(syslog) => of_transport(&syslog.transport),
            SinkKind::Command(command) => command.program.first().cloned().unwrap_or_default(),
            SinkKind::Log => "the log of advisoryd".to_owned(),
        }
    }
}

fn of_target(target: &PostTarget) -> String {
    match &target.address {
        Address::Url(url) => url.origin().ascii_serialization(),
        Address::File(file) => format!("the URL in {}", shown_path(&file.path)),
    }
}

fn of_transport(transport: &SyslogTransport) -> String {
    match transport {
        SyslogTransport::UnixDatagram(path) => format!("unix://{}", path.display()),
        SyslogTransport::UnixStream(path) => format!("unix-stream://{}", path.display()),
        SyslogTransport::Udp(host, port) => format!("udp://{}", with_port(host, *port)),
        SyslogTransport::Tcp(host, port) => format!("tcp://{}", with_port(host, *port)),
        SyslogTransport::Tls(host, port) => format!("tls://{}", with_port(host, *port)),
    }
}

fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
