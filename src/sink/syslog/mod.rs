//! Syslog sink (RFC 5424): one message per alert over unix sockets, UDP, TCP or TLS.

mod cef;
mod connection;
mod line;
mod unsent;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::facts::alerts;
use super::open::OpenError;
use super::outcome::{DeliveryReceipt, Refused};
use super::tls::Connector;
use crate::config::{self, SyslogTransport};
use crate::model::{Message, chain};
use connection::{SyslogStream, closed};
use line::Lines;

/// How often the kernel is asked whether the peer has received everything.
const POLL: Duration = Duration::from_millis(2);
/// After a datagram, an answer of the network that nobody listens arrives within this time.
const ICMP_PATIENCE: Duration = Duration::from_millis(20);

/// A syslog receiver.
#[derive(Debug)]
pub(super) struct SyslogSink {
    transport: SyslogTransport,
    tls: Option<Arc<Connector>>,
    lines: Lines,
    timeout: Duration,
    settle: Duration,
    /// The connection of a stream transport, shared by concurrent messages.
    stream: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    connection: Option<SyslogStream>,
    /// Counts connections.
    generation: u64,
}

impl SyslogSink {
    pub(super) fn open(
        settings: &config::SyslogSettings,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let tls = match settings.transport {
            SyslogTransport::Tls(..) => {
                let (authority, client) = (&settings.ca_file, &settings.client_cert);
                let tls = Connector::open(authority.as_deref(), client.as_ref())?;
                Some(Arc::new(tls))
            }
            _ => None,
        };
        Ok(Self {
            transport: settings.transport.clone(),
            tls,
            lines: Lines::of(settings),
            timeout,
            settle: settings.settle,
            stream: Mutex::default(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<DeliveryReceipt, Refused> {
        let alerts = alerts(message);
        let lines: Vec<String> = alerts
            .iter()
            .map(|alert| self.lines.of_alert(message, alert))
            .collect();
        let deadline = Instant::now() + self.timeout;
        let sent = match &self.transport {
            SyslogTransport::UnixDatagram(path) => {
                timeout_at(deadline, datagrams_to_unix(path, &lines)).await
            }
            SyslogTransport::Udp(host, port) => {
                timeout_at(deadline, datagrams((host, *port), &lines)).await
            }
            SyslogTransport::UnixStream(_)
            | SyslogTransport::Tcp(..)
            | SyslogTransport::Tls(..) => timeout_at(deadline, self.stream(&lines)).await,
        };
        match sent {
            Ok(Ok(())) => Ok(DeliveryReceipt {
                status: None,
                answer: format!("{} sent to {}", lines.len(), self.transport),
            }),
            Ok(Err(error)) => Err(Refused::repeatable(format!(
                "{}: {}",
                self.transport,
                chain(&error)
            ))),
            Err(_) => Err(Refused::late(&self.transport.to_string(), self.timeout)),
        }
    }

    /// Writes the messages with octet counting. They count as sent when the peer has
    /// acknowledged every byte and the connection is still open after a while: TCP does
    /// not show whether a program has read them.
    async fn stream(&self, lines: &[String]) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
        }
        let ours = self.write(&bytes).await?;
        let mut settled_at = None;
        loop {
            let pause = match settled_at {
                None => POLL,
                Some(at) if Instant::now() >= at => return Ok(()),
                Some(at) => at.saturating_duration_since(Instant::now()),
            };
            sleep(pause).await;
            let mut shared = self.stream.lock().await;
            let is_ours = shared.generation == ours;
            let Some(connection) = shared.connection.as_mut().filter(|_| is_ours) else {
                return Err(closed());
            };
            if let Err(error) = connection.check_open() {
                shared.connection = None;
                return Err(error);
            }
            if settled_at.is_none() && connection.unsent()? == 0 {
                settled_at = Some(Instant::now() + self.settle);
            }
        }
    }

    /// Writes to the open connection, or to a new one. Returns which one it is. If the
    /// future is dropped in between, the connection is closed: half a message must not
    /// be followed by another.
    async fn write(&self, bytes: &[u8]) -> std::io::Result<u64> {
        let mut shared = self.stream.lock().await;
        let open = shared.connection.take();
        let open = open.and_then(|mut open| open.check_open().is_ok().then_some(open));
        let mut connection = if let Some(open) = open {
            open
        } else {
            shared.generation += 1;
            SyslogStream::open(&self.transport, self.tls.as_deref()).await?
        };
        connection.write(bytes).await?;
        connection.check_open()?;
        shared.connection = Some(connection);
        Ok(shared.generation)
    }
}

async fn datagrams_to_unix(path: &std::path::Path, lines: &[String]) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    for line in lines {
        socket.send(line.as_bytes()).await?;
    }
    Ok(())
}

async fn datagrams((host, port): (&str, u16), lines: &[String]) -> std::io::Result<()> {
    let mut addresses = tokio::net::lookup_host((host, port)).await?;
    let address = addresses
        .next()
        .ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let local = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(address).await?;
    for line in lines {
        socket.send(line.as_bytes()).await?;
    }
    sleep(ICMP_PATIENCE).await;
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
