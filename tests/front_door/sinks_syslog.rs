//! Syslog in Debian's rsyslog and syslog-ng: unix sockets, UDP, TCP, TLS; restarts lose nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use advisoryd::sink::{DeliveryReceipt, Refused, Sink};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixDatagram, UnixListener};

use crate::support::alerts::{alert, file, message, servers, sink};
use crate::support::{
    Authority, PATIENCE, Running, assert_reads, eventually, free_port, state_dir,
};

fn now() -> DateTime<Utc> {
    "2026-03-01T13:37:00Z".parse().unwrap()
}

async fn send(sink: &Sink, number: usize) -> Result<DeliveryReceipt, Refused> {
    let mut one = alert(&format!("SA{number}"), "highly_critical");
    one.severity_rank = Some(4);
    one.cves = vec!["CVE-2026-1".to_owned(), "CVE-2026-2".to_owned()];
    sink.send(&message(vec![one]), now()).await
}

fn syslog(address: &str, more: &str) -> Sink {
    sink(&format!(
        "kind = \"syslog\"\naddress = \"{address}\"\nhostname = \"host\"\n{more}\n"
    ))
}

/// Debian's rsyslog, or syslog-ng; both write what they take into a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rsyslog,
    SyslogNg,
}

struct Server {
    kind: Kind,
    dir: TempDir,
    process: Option<Running>,
}

impl Server {
    fn start(kind: Kind, input: &str) -> Self {
        Self::start_with(kind, input, &[])
    }

    /// The same with these files in its directory.
    fn start_with(kind: Kind, input: &str, files: &[(PathBuf, &str)]) -> Self {
        let dir = state_dir();
        for (from, name) in files {
            std::fs::copy(from, dir.path().join(name)).unwrap();
        }
        let out = dir.path().join("out");
        let text = match kind {
            Kind::Rsyslog => format!(
                "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\"\n{driver})\n\
                 template(name=\"all\" type=\"string\" string=\"%pri%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n\")\n\
                 {input}\naction(type=\"omfile\" file=\"{out}\" template=\"all\")\n",
                driver = driver(input, dir.path()),
                input = input.replace("DIR", &dir.path().display().to_string()),
                dir = dir.path().display(),
                out = out.display(),
            ),
            Kind::SyslogNg => format!(
                "@version: 3.38\noptions {{ keep-hostname(yes); }};\nsource s {{ {input} }};\n\
                 destination d {{ file(\"{}\" template(\"$PRI|$HOST|$PROGRAM|$MSGID|$SDATA|$MSG\\n\")); }};\n\
                 log {{ source(s); destination(d); flags(flow-control); }};\n",
                out.display()
            ),
        };
        file(dir.path(), "conf", &text);
        let mut server = Self {
            kind,
            dir,
            process: None,
        };
        server.go();
        server
    }

    /// Starts it.
    fn go(&mut self) {
        let root = servers();
        let libraries = [
            "usr/lib/x86_64-linux-gnu",
            "usr/lib/aarch64-linux-gnu",
            "lib/x86_64-linux-gnu",
            "lib/aarch64-linux-gnu",
            "usr/lib/syslog-ng",
        ];
        let libraries: Vec<String> = libraries
            .iter()
            .map(|path| root.join(path).display().to_string())
            .collect();
        let dir = self.dir.path();
        let mut command = match self.kind {
            Kind::Rsyslog => {
                let mut command = Command::new(root.join("usr/sbin/rsyslogd"));
                command
                    .arg("-n")
                    .arg("-f")
                    .arg(dir.join("conf"))
                    .arg("-iNONE");
                command.arg("-M").arg(format!("{}/rsyslog", libraries[0]));
                command
            }
            Kind::SyslogNg => {
                let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
                command
                    .args(["-F", "--no-caps", "-f"])
                    .arg(dir.join("conf"));
                command
                    .arg("-R")
                    .arg(dir.join("persist"))
                    .arg("-c")
                    .arg(dir.join("ctl"));
                command.arg("-p").arg(dir.join("pid"));
                command.arg(format!(
                    "--module-path={}",
                    root.join("usr/lib/syslog-ng/3.38").display()
                ));
                command
            }
        };
        command
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .current_dir(dir);
        self.process = Some(Running::start(&mut command));
    }

    /// Ends it as systemd does, and waits for it.
    async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::SIGTERM);
        process.ended().await;
    }

    async fn restart(&mut self) {
        self.stop().await;
        self.go();
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// What it has written.
    fn text(&self) -> String {
        std::fs::read_to_string(self.out()).unwrap_or_default()
    }

    async fn wait_for(&self, part: &str) -> String {
        eventually(part, PATIENCE, async || {
            self.text()
                .lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
        .await
    }

    /// The keys of all messages.
    fn keys(&self) -> BTreeSet<String> {
        let text = self.text();
        text.lines()
            .filter_map(|line| line.split(" key=\"").nth(1)?.split('"').next())
            .map(str::to_owned)
            .collect()
    }
}

/// rsyslog has one driver for TLS and its certificates.
fn driver(input: &str, dir: &Path) -> String {
    if !input.contains("ossl") {
        return String::new();
    }
    let at = |name: &str| dir.join(name).display().to_string();
    format!(
        "defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCAFile=\"{}\" \
         defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
        at("ca.pem"),
        at("server.pem"),
        at("server.key")
    )
}

fn tcp(kind: Kind, port: u16) -> String {
    match kind {
        Kind::Rsyslog => format!(
            "module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")"
        ),
        Kind::SyslogNg => format!(
            "syslog(ip(\"127.0.0.1\") port({port}) transport(\"tcp\") max-connections(100));"
        ),
    }
}

/// Sends until it is accepted, as the delivery does.
async fn deliver(sink: &Sink, number: usize) {
    eventually("a message to be accepted", PATIENCE, async || {
        match send(sink, number).await {
            Ok(_) => Some(()),
            Err(refused) => {
                assert!(refused.can_repeat, "{refused}");
                None
            }
        }
    })
    .await;
}

/// So many messages, the receiver restarted after a third and after two thirds.
async fn none_is_lost(kind: Kind, messages: usize, at_once: usize) {
    let port = free_port();
    let mut server = Server::start(kind, &tcp(kind, port));
    let sink = syslog(&format!("tcp://127.0.0.1:{port}"), "settle = \"100ms\"");
    let done = AtomicUsize::new(0);
    let sending = stream::iter(0..messages).for_each_concurrent(at_once, async |number| {
        deliver(&sink, number).await;
        done.fetch_add(1, Ordering::Relaxed);
    });
    let restarting = async {
        for part in [messages / 3, messages * 2 / 3] {
            eventually("a part", Duration::from_mins(10), async || {
                (done.load(Ordering::Relaxed) >= part).then_some(())
            })
            .await;
            server.restart().await;
        }
    };
    tokio::join!(sending, restarting);
    server.stop().await;
    let expected: BTreeSet<String> = (0..messages).map(|number| format!("SA{number}")).collect();
    let keys = server.keys();
    let lost: Vec<&String> = expected.difference(&keys).take(5).collect();
    assert!(
        lost.is_empty(),
        "{kind:?}: {} of {messages}, lost {lost:?}",
        keys.len()
    );
    let lines = server.text().lines().count();
    assert!(lines < messages * 2, "{kind:?}: {lines} lines");
}

#[tokio::test]
async fn rsyslog_gets_all_of_10_000_messages_although_it_is_restarted_twice() {
    none_is_lost(Kind::Rsyslog, 10_000, 500).await;
}

#[tokio::test]
async fn syslog_ng_gets_all_of_10_000_messages_although_it_is_restarted_twice() {
    none_is_lost(Kind::SyslogNg, 10_000, 500).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make test-syslog`"]
async fn rsyslog_gets_all_of_100_000_messages_although_it_is_restarted_twice() {
    none_is_lost(Kind::Rsyslog, 100_000, 2000).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make test-syslog`"]
async fn syslog_ng_gets_all_of_100_000_messages_although_it_is_restarted_twice() {
    none_is_lost(Kind::SyslogNg, 100_000, 2000).await;
}

#[tokio::test]
async fn rsyslog_and_syslog_ng_understand_every_field() {
    let mut read = Vec::new();
    for kind in [Kind::Rsyslog, Kind::SyslogNg] {
        let port = free_port();
        let server = Server::start(kind, &tcp(kind, port));
        let sink = syslog(&format!("tcp://127.0.0.1:{port}"), "");
        deliver(&sink, 1).await;
        read.push(server.wait_for("SA1").await.replace("] SA1", "]SA1"));
    }
    assert_reads!(read.join("\n"));
}

#[tokio::test]
async fn datagrams_arrive_by_udp_and_by_a_unix_socket() {
    let port = free_port();
    let input = format!(
        "module(load=\"imudp\")\ninput(type=\"imudp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         module(load=\"imuxsock\" sysSock.use=\"off\")\n\
         input(type=\"imuxsock\" socket=\"DIR/log\" useSpecialParser=\"off\" parseHostname=\"on\")"
    );
    let server = Server::start(Kind::Rsyslog, &input);
    deliver(&syslog(&format!("udp://127.0.0.1:{port}"), ""), 1).await;
    let udp = server.wait_for("SA1:").await;
    let log = server.dir.path().join("log");
    deliver(&syslog(&format!("unix://{}", log.display()), ""), 2).await;
    let unix = server.wait_for("SA2:").await;
    assert_eq!(udp.replace("SA1", "SA2").replace("000001", "000002"), unix);
}

#[tokio::test]
async fn tls_needs_a_known_server_and_a_client_certificate() {
    let port = free_port();
    let authority = Authority::new();
    let identity = authority.identity();
    let input = format!(
        "module(load=\"imtcp\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"x509/certvalid\")\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")"
    );
    let files = [
        (authority.file(), "ca.pem"),
        (identity.certificate.clone(), "server.pem"),
        (identity.key.clone(), "server.key"),
    ];
    let server = Server::start_with(Kind::Rsyslog, &input, &files);
    let address = format!("tls://127.0.0.1:{port}");
    let ca = format!("ca_file = \"{}\"", authority.file().display());
    let client = format!(
        "{ca}\nclient_cert_file = \"{}\"\nclient_key_file = \"{}\"",
        identity.certificate.display(),
        identity.key.display()
    );
    deliver(&syslog(&address, &client), 1).await;
    server.wait_for("SA1:").await;
    // A server of an unknown authority, and a client without a certificate.
    let untrusted = send(&syslog(&address, ""), 2).await.unwrap_err();
    assert!(untrusted.reason.contains("certificate"), "{untrusted}");
    let nameless = send(&syslog(&address, &ca), 3).await.unwrap_err();
    assert!(nameless.can_repeat, "{nameless}");
    assert!(!server.text().contains("SA2:") && !server.text().contains("SA3:"));
}

#[tokio::test]
async fn a_message_counts_only_while_the_connection_stays_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sink = syslog(&format!("tcp://127.0.0.1:{port}"), "settle = \"300ms\"");
    let closing = tokio::spawn(async move {
        // Accepts everything, and closes without having read it.
        let (connection, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(connection);
        listener
    });
    let refused = send(&sink, 1).await.unwrap_err();
    assert!(refused.can_repeat, "{refused}");
    let listener = closing.await.unwrap();
    let staying = tokio::spawn(async move { listener.accept().await.unwrap() });
    send(&sink, 1).await.unwrap();
    drop(staying);
}

#[tokio::test]
async fn a_unix_stream_counts_only_when_it_was_read() {
    let dir = state_dir();
    let path = dir.path().join("siem");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix-stream://{}", path.display());
    let sink = syslog(&address, "timeout = \"500ms\"\nsettle = \"0s\"");
    let late = send(&sink, 1).await.unwrap_err();
    assert!(late.reason.contains("timed out"), "{late}");
    drop(listener);
    let gone = send(&sink, 1).await.unwrap_err();
    assert!(gone.can_repeat);
}

#[tokio::test]
async fn lines_are_bounded_and_escaped_whatever_the_texts() {
    let dir = state_dir();
    let path = dir.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut one = alert("SA1", "extremely_critical");
    one.severity_rank = Some(5);
    one.title = "a ] b \" c \\ d = e | f\nSA9: forged".to_owned();
    one.summary = "e = f | g \\ h\ncs9=forged".to_owned();
    one.key = "SA]\"\\1".to_owned();
    one.cves = (0..100)
        .map(|number| format!("CVE-2026-{number:07}"))
        .collect();
    one.watch_list_names = vec!["ü".repeat(200); 20];
    let mut read = Vec::new();
    for (more, most) in [
        ("", 2048),
        ("format = \"cef\"", 2048),
        ("max_bytes = 480", 480),
    ] {
        let sink = syslog(&format!("unix://{}", path.display()), more);
        sink.send(&message(vec![one.clone()]), now()).await.unwrap();
        let mut bytes = vec![0; 65_536];
        let length = socket.recv(&mut bytes).await.unwrap();
        assert!(length <= most, "{length} of {most}");
        let line = String::from_utf8(bytes[..length].to_vec()).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert!(line.starts_with("<130>1 2026-03-01T13:35:05.000Z host advisoryd - appeared "));
        read.push(line);
    }
    let shown = read
        .join("\n")
        .replace(env!("CARGO_PKG_VERSION"), "[version]");
    assert_reads!(shown);
}
