//! Mail, handed to a real mail server.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use advisoryd::sink::{DeliveryReceipt, Refused, Sink};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::support::alerts::{alert, file, message, servers, sink};
use crate::support::{Authority, Identity, PATIENCE, Running, assert_reads, eventually, state_dir};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/front_door/support/mail_server.py"
);

pub struct MailServer {
    process: Running,
    pub port: u16,
}

/// What the server took.
#[derive(Deserialize)]
pub struct Mail {
    /// Ids of the alerts that it lists.
    pub alerts: Vec<String>,
    from: String,
    to: Vec<String>,
    tls: bool,
    login: Option<String>,
    whole: String,
}

impl Mail {
    /// The id of its message.
    pub fn id(&self) -> String {
        let headers = self.whole.lines();
        let mut ids = headers.filter_map(|line| line.strip_prefix("Message-ID: <"));
        ids.next().unwrap().split('@').next().unwrap().to_owned()
    }
}

impl MailServer {
    pub async fn start(tls: &str, identity: Option<&Identity>, more: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command
            .env(
                "PYTHONPATH",
                servers().join("usr/lib/python3/dist-packages"),
            )
            .args([SCRIPT, "--tls", tls])
            .args(more);
        if let Some(identity) = identity {
            command.arg("--certificate").arg(&identity.certificate);
            command.arg("--key").arg(&identity.key);
        }
        let mut process = Running::start(&mut command);
        let line = process.line("listening ").await;
        let port = line.rsplit(' ').next().unwrap().parse().unwrap();
        Self { process, port }
    }

    pub fn mails(&self) -> Vec<Mail> {
        let stdout = self.process.stdout();
        let lines = stdout.lines().skip(1);
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn mail(&self) -> Mail {
        eventually("a mail", PATIENCE, async || self.mails().pop()).await
    }

    fn sink(&self, to: &[&str], more: &str) -> Sink {
        sink(&format!(
            "kind = \"email\"\nhost = \"127.0.0.1\"\nport = {}\nfrom = \"advisoryd <ad@example.org>\"\nto = {to:?}\n{more}\n",
            self.port
        ))
    }
}

fn login(dir: &Path, password: &str) -> String {
    let password = file(dir, "password", password);
    format!(
        "username = \"advisoryd\"\npassword_file = \"{}\"\n",
        password.display()
    )
}

async fn send(sink: &Sink) -> Result<DeliveryReceipt, Refused> {
    let now: DateTime<Utc> = "2026-03-01T13:37:00Z".parse().unwrap();
    let alerts = vec![
        alert("SA1", "highly_critical"),
        alert("SA2", "less_critical"),
    ];
    sink.send(&message(alerts), now).await
}

#[tokio::test]
async fn a_digest_arrives_as_one_mail_of_text_and_html() {
    let server = MailServer::start("none", None, &[]).await;
    let sink = server.sink(
        &["soc@example.org", "Boss <boss@example.org>"],
        "tls = \"none\"",
    );
    let receipt = send(&sink).await.unwrap();
    assert_eq!(
        (receipt.status, receipt.answer.as_str()),
        (Some(250), "2.0.0 kept")
    );
    let first = server.mail().await;
    assert_eq!(first.from, "ad@example.org");
    assert_eq!(first.to, ["soc@example.org", "boss@example.org"]);
    assert!(!first.tls && first.login.is_none());
    for part in [
        "Subject: 2 new",
        "Message-ID: <7c9d1e62-0000-5000-8000-000000000000@advisoryd.example.org>",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(first.whole.contains(part), "{part}: {}", first.whole);
    }
    // A repeat is recognisable.
    send(&sink).await.unwrap();
    eventually("the repeat", PATIENCE, async || {
        (server.mails().len() == 2).then_some(())
    })
    .await;
    let id = |mail: &Mail| {
        let line = mail
            .whole
            .lines()
            .find(|line| line.starts_with("Message-ID"));
        line.unwrap().to_owned()
    };
    assert_eq!(id(&first), id(&server.mail().await));
}

#[tokio::test]
async fn starttls_and_tls_are_spoken_with_whom_the_authority_vouches_for() {
    let (dir, authority) = (state_dir(), Authority::new());
    let identity = authority.identity();
    let mut reasons = Vec::new();
    for tls in ["starttls", "tls"] {
        let server = MailServer::start(tls, Some(&identity), &["--login"]).await;
        let said = format!(
            "tls = \"{tls}\"\n{}",
            login(dir.path(), "hunter2-hunter2\n")
        );
        let trusted = format!("{said}ca_file = \"{}\"", authority.file().display());
        let sink = server.sink(&["soc@example.org"], &trusted);
        send(&sink).await.unwrap();
        let mail = server.mail().await;
        assert!(
            mail.tls && mail.login.as_deref() == Some("advisoryd"),
            "{tls}"
        );

        let stranger = server.sink(&["soc@example.org"], &said);
        let refused = send(&stranger).await.unwrap_err();
        assert!(refused.can_repeat);
        assert_eq!(server.mails().len(), 1);
        reasons.push(refused.reason);
    }
    assert_reads!(reasons.join("\n"));
}

#[tokio::test]
async fn without_encryption_nothing_is_said_where_encryption_is_asked_for() {
    let dir = state_dir();
    let server = MailServer::start("none", None, &["--login"]).await;
    let sink = server.sink(&["soc@example.org"], &login(dir.path(), "hunter2-hunter2"));
    let refused = send(&sink).await.unwrap_err();
    assert!(refused.can_repeat && server.mails().is_empty());
    assert_reads!(refused.reason);
}

#[tokio::test]
async fn a_wrong_password_is_no_fault_of_the_mail_and_is_not_shown() {
    let dir = state_dir();
    let server = MailServer::start("none", None, &["--login"]).await;
    let more = format!("tls = \"none\"\n{}", login(dir.path(), "hunter3-hunter3"));
    let sink = server.sink(&["soc@example.org"], &more);
    let refused = send(&sink).await.unwrap_err();
    assert_eq!(refused.status, Some(535), "{refused}");
    assert!(refused.can_repeat, "it can be put right meanwhile");
    let said = format!("{refused:?} {sink:?}");
    assert!(!said.contains("hunter3"), "{said}");
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again_and_what_is_refused_for_now_is() {
    let server = MailServer::start("none", None, &[]).await;
    for (to, status, can_repeat) in [
        ("never@example.org", 550, false),
        ("later@example.org", 451, true),
        ("full@example.org", 552, false),
    ] {
        let refused = send(&server.sink(&[to], "tls = \"none\""))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.can_repeat),
            (Some(status), can_repeat),
            "{to}"
        );
        assert!(!refused.answer.is_empty());
    }
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn one_dead_mailbox_keeps_the_mail_from_nobody_else_and_is_named() {
    let server = MailServer::start("none", None, &[]).await;
    let to = ["never@example.org", "soc@example.org"];
    let receipt = send(&server.sink(&to, "tls = \"none\"")).await.unwrap();
    assert_reads!(receipt.answer);
    assert_eq!(server.mail().await.to, ["soc@example.org"]);
    // Refused for now: nobody gets it, so that nobody gets it twice.
    let to = ["soc@example.org", "later@example.org"];
    let refused = send(&server.sink(&to, "tls = \"none\"")).await.unwrap_err();
    assert!(refused.can_repeat);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_server_that_is_silent_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let sink = sink(&format!(
        "kind = \"email\"\nhost = \"127.0.0.1\"\nport = {port}\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\ntimeout = \"200ms\"\n"
    ));
    let refused = send(&sink).await.unwrap_err();
    assert!(refused.can_repeat);
    assert_reads!(refused.reason);
}

/// As good as endless, and no more than the test may need of memory without the limits.
const FLOOD_BYTES: usize = 64 << 20;
/// What is given up at once is given up before this.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A mail server that never ends a line, or never ends a reply, from the given command on.
/// Counts the bytes that it could send.
async fn endless(from: &'static str, piece: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut client = BufReader::new(client);
        let mut command = String::from("banner");
        while !command.is_empty() {
            let reply: &[u8] = match command.trim() {
                "DATA" => b"354 go\r\n",
                "banner" => b"220 hi\r\n",
                other if other.starts_with("EHLO") => b"250-me\r\n250 AUTH PLAIN\r\n",
                _ => b"250 ok\r\n",
            };
            if command.starts_with(from) {
                let flood = piece.repeat(65536 / piece.len());
                while count.load(Ordering::SeqCst) < FLOOD_BYTES
                    && client.write_all(&flood).await.is_ok()
                {
                    count.fetch_add(flood.len(), Ordering::SeqCst);
                }
                // Whoever reads all of it waits for its end.
                let _ = client.read_line(&mut command).await;
            }
            if client.write_all(reply).await.is_err() {
                break;
            }
            let is_data = command.trim() == "DATA";
            command.clear();
            while client.read_line(&mut command).await.unwrap_or(0) > 0
                && is_data
                && command.trim() != "."
            {
                command.clear();
            }
        }
    });
    (port, sent)
}

#[tokio::test]
async fn a_line_or_a_reply_that_never_ends_is_given_up_at_once() {
    let dir = state_dir();
    let login = login(dir.path(), "hunter2-hunter2");
    for from in ["banner", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
        for part in [&b"250-xxxx"[..], b"250-x\r\n", b"\n"] {
            let (port, sent) = endless(from, part).await;
            let sink = sink(&format!(
                "kind = \"email\"\nhost = \"127.0.0.1\"\nport = {port}\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\n\
                 timeout = \"1m\"\ntls = \"none\"\n{login}"
            ));
            let refused = tokio::time::timeout(AT_ONCE, send(&sink)).await;
            let refused = refused.expect("it is given up").unwrap_err();
            assert!(refused.can_repeat, "{from}: {refused}");
            // What the kernel holds for both sides.
            let most = 16 << 20;
            assert!(sent.load(Ordering::SeqCst) < most, "{from}: {sent:?}");
            let is_told = refused.reason.ends_with("a line of more than 4096 bytes");
            assert!(is_told || part.contains(&b'\n'), "{from}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_line_that_never_ends_is_given_up_within_tls_too() {
    let authority = Authority::new();
    let identity = authority.identity();
    let mut reasons = Vec::new();
    for tls in ["starttls", "tls"] {
        let server = MailServer::start(tls, Some(&identity), &[]).await;
        let ca = authority.file().display().to_string();
        let more = format!("tls = \"{tls}\"\nca_file = \"{ca}\"");
        let refused = send(&server.sink(&["endless@example.org"], &more)).await;
        reasons.push(refused.unwrap_err().reason);
    }
    assert_reads!(reasons.join("\n"));
}

#[tokio::test]
async fn what_was_accepted_is_accepted_although_the_server_never_says_goodbye() {
    let server = MailServer::start("none", None, &[]).await;
    let more = "tls = \"none\"\ntimeout = \"900ms\"";
    let receipt = send(&server.sink(&["clingy@example.org"], more)).await;
    assert_eq!(receipt.unwrap().status, Some(250));
    assert_eq!(server.mail().await.to, ["clingy@example.org"]);
}
