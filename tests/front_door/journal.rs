//! What reaches systemd's journal: datagrams to its socket, each an entry with fields.

use std::process::Command;
use std::sync::{Arc, Mutex};

use advisoryd::simulate::DEFAULT_TOKEN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::unistd::Uid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixDatagram};

use crate::support::{PATIENCE, Running, World, eventually};

/// The largest entry, in bytes: a message and a few fields of at most 2,000 characters each.
const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// An upstream that rejects the token, repeats it and forges a field and an entry.
async fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let detail = format!(
        "no {DEFAULT_TOKEN} {} \u{1b}[31m{}\u{1b}[0m\nPRIORITY=0\nMESSAGE=forged\n\n",
        STANDARD.encode(format!("x:{DEFAULT_TOKEN}")),
        DEFAULT_TOKEN.replace('a', "\u{fe0f}\u{ff41}"),
    );
    let body = serde_json::json!({ "detail": detail }).to_string();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = client.read(&mut [0; 16 * 1024]).await;
                let _ = client.write_all(answer.as_bytes()).await;
                let _ = client.shutdown().await;
                let _ = client.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    port
}

/// The fields of an entry: `NAME=value` and a line end, or the name, a line end, the length
/// of the value in 8 bytes, the value and a line end.
fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while let Some(end) = entry.iter().position(|byte| *byte == b'\n') {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let line = text(&entry[..end]);
        entry = &entry[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
        } else {
            let (length, rest) = entry.split_first_chunk::<8>().unwrap();
            let (value, rest) = rest.split_at(u64::from_le_bytes(*length).try_into().unwrap());
            fields.push((line, text(value)));
            entry = rest.strip_prefix(b"\n").unwrap();
        }
    }
    assert!(entry.is_empty());
    fields
}

/// What a failed `sync` writes to the journal.
async fn journalled(world: &World) -> Vec<Vec<(String, String)>> {
    // The path of the journal's socket is fixed: the command sees this directory as `/run`.
    let run = tempfile::tempdir().unwrap();
    let journal = run.path().join("systemd/journal");
    std::fs::create_dir_all(&journal).unwrap();
    let socket = UnixDatagram::bind(journal.join("socket")).unwrap();
    let entries = Arc::new(Mutex::new(Vec::new()));
    let receiving = Arc::clone(&entries);
    tokio::spawn(async move {
        let mut entry = vec![0; MAX_ENTRY_BYTES];
        while let Ok(length) = socket.recv(&mut entry).await {
            receiving.lock().unwrap().push(entry[..length].to_vec());
        }
    });
    let sync = world.command(&["-vv", "--log-format", "journald", "sync", "feeds"]);
    let mut inside = Command::new("unshare");
    inside
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$0\" /run && exec \"$@\"")
        .arg(run.path())
        .arg(sync.get_program())
        .args(sync.get_args());
    let mut sync = Running::start(&mut inside);
    assert!(!sync.ended().await.success(), "{}", sync.stderr());
    eventually("the error in the journal", PATIENCE, async || {
        let entries = entries.lock().unwrap();
        let written = entries.iter().filter(|entry| !entry.is_empty());
        let entries: Vec<_> = written.map(|entry| fields(entry)).collect();
        let is_quoted = |(name, value): &(String, String)| {
            name == "MESSAGE" && value.contains("no [redacted] [redacted]")
        };
        let is_there = entries.iter().flatten().any(is_quoted);
        is_there.then_some(entries)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_forged_field_reaches_the_journal() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can put a socket in the journal's place");
        return;
    }
    let mut world = World::new().await;
    let upstream = format!("http://127.0.0.1:{}", upstream().await);
    world.settings.upstream.base_url = Some(upstream);
    let entries = journalled(&world).await;
    for entry in &entries {
        for (name, value) in entry {
            let is_ours = name.starts_with("ADVISORYD_");
            let usual = [
                "MESSAGE",
                "PRIORITY",
                "TARGET",
                "CODE_FILE",
                "CODE_LINE",
                "SYSLOG_IDENTIFIER",
                "SPAN_NAME",
            ];
            assert!(
                is_ours || usual.contains(&name.as_str()) || name.starts_with("SPAN_"),
                "{name}"
            );
            let text = value.to_lowercase();
            assert!(!text.contains(&DEFAULT_TOKEN[..16]), "{name}={value}");
            assert!(!value.contains(char::is_control), "{name}={value:?}");
        }
        let messages = entry.iter().filter(|(name, _)| name == "MESSAGE");
        assert_eq!(messages.count(), 1, "{entry:?}");
    }
}
