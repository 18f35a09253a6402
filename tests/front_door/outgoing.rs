//! Nothing that leaves contains a secret, whoever repeats it and in whatever form.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nix::sys::signal::Signal;
use sqlx::AssertSqlSafe;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::support::alerts::file;
use crate::support::settings::NEVER;
use crate::support::{
    CommandResult, PATIENCE, Running, World, binary, eventually, get, world_of_documents,
};

/// All secrets of the configuration below. The first is the token of the simulator.
const SECRETS: [&str; 13] = [
    advisoryd::simulate::DEFAULT_TOKEN,
    "Pr0xy/Pass+word&of=mine",
    "D4tabase\"Pass\\word",
    "B3arer-9f8e7d6c5b4a",
    "Bas1c p\u{e4}ss%word",
    "T0001/Xy12Zz34Xy12Zz34Ab",
    "KEY-IN-HEADER-9f8e7d",
    "Sup3r!s3cretMailPw",
    "0Auth-Cl1ent/Secret+x",
    "acc3ss.t0ken-GRANTED_77",
    "S1nkPr0xy+Pass/1",
    "B0001/Zz98Yy76Xx54Ww32Vv10",
    "L0gin-s3cret!Mail",
];
/// Of the client of OAuth, which travels percent-encoded within Base64 (RFC 6749, 2.3.1).
const CLIENT_SECRET: &str = SECRETS[8];
const ACCESS_TOKEN: &str = SECRETS[9];
const OPEN_URL: &str = SECRETS[11];

/// How upstream repeats them.
const PATHS: [&str; 11] = [
    "redirect elsewhere",
    "redirect here",
    "detail",
    "page",
    "content type",
    "content encoding",
    "type of a value",
    "status text",
    "root element",
    "retry after",
    "cut short",
];

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02x}");
        text
    })
}

/// A secret as it travels.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let of_client = STANDARD.encode(format!("advisoryd:{form}"));
    let mut forms = vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        percent(secret),
        form,
        STANDARD.encode(secret),
        STANDARD.encode(format!("advisoryd:{secret}")),
        STANDARD.encode(format!("\0advisoryd\0{secret}")),
        URL_SAFE_NO_PAD.encode(format!("Token {secret}")),
        hex::encode(secret),
    ];
    if secret == CLIENT_SECRET {
        forms.push(of_client);
    }
    forms
}

/// The secret whose number, in hexadecimal, stands behind `before` in a request.
fn named(request: &str, before: &str) -> &'static str {
    let number = request
        .split(before)
        .nth(1)
        .and_then(|rest| rest.chars().next());
    let number = number.and_then(|digit| digit.to_digit(16)).unwrap_or(0);
    SECRETS[usize::try_from(number).unwrap() % SECRETS.len()]
}

/// Fails if a text holds a secret in any form, also the half of one, or what a terminal
/// obeys.
fn assert_safe(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for secret in SECRETS {
        for form in forms(secret) {
            let half = form.chars().count() / 2;
            // What comes before the secret in Base64 is the user, who is no secret.
            let tail: String = form.chars().skip(half).collect();
            let head: String = secret.chars().take(half.min(12)).collect();
            for part in [form, tail, head] {
                assert!(
                    part.len() < 8 || !lower.contains(&part.to_lowercase()),
                    "{what} holds {part} of {secret}:\n{text}"
                );
            }
        }
    }
    let is_bad = |letter: char| {
        (letter.is_control() && !matches!(letter, '\n' | '\t')) || letter == '\u{202e}'
    };
    assert!(!text.contains(is_bad), "{what}: {text:?}");
}

/// An upstream that repeats secrets: the request says which by `s=`, the path is set.
async fn upstream(path: Arc<Mutex<&'static str>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let path = *path.lock().unwrap();
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut request = String::new();
                while client.read_line(&mut request).await.unwrap_or(0) > 2 {}
                let answer = repeat(path, named(&request, "s="), port);
                let _ = client.write_all(answer.as_bytes()).await;
                let _ = client.shutdown().await;
                let mut rest = Vec::new();
                let _ = client.read_to_end(&mut rest).await;
            });
        }
    });
    port
}

fn repeat(path: &str, secret: &str, port: u16) -> String {
    let all = forms(secret).join(" ; ");
    let whole = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    let basic = STANDARD.encode(format!("advisoryd:{secret}"));
    let json = "Content-Type: application/json\r\n";
    let said = serde_json::to_string(&format!("\u{1b}[31m\u{9b}2J\u{202e} {all}")).unwrap();
    match path {
        "redirect elsewhere" => {
            let to = format!("Location: https://{secret}@evil.example/{basic}?t={secret}\r\n");
            whole("302 Found", &to, "")
        }
        "redirect here" => {
            let code = percent(secret);
            let to = format!("Location: http://127.0.0.1:{port}/{code}?a={basic}&b={code}\r\n");
            whole("302 Found", &to, "")
        }
        "detail" => whole("401 Unauthorized", json, &format!("{{\"detail\": {said}}}")),
        "page" => {
            let page = format!("<html><title>{all}</title>{all}</html>");
            whole("502 Bad Gateway", "Content-Type: text/html\r\n", &page)
        }
        "content type" => {
            let name = format!("Content-Type: text/{secret}; charset={basic}\r\n");
            whole("200 OK", &name, &all)
        }
        "content encoding" => {
            let name = format!("Content-Encoding: x{secret} {basic}\r\n");
            whole("200 OK", &name, "<a/>")
        }
        "type of a value" => whole("200 OK", json, &format!("{{\"count\": {said}}}")),
        "status text" => whole(&format!("500 {secret} {basic}"), "", ""),
        "root element" => {
            let text = all.replace('&', "&amp;").replace('<', "&lt;");
            let root = format!("<error code=\"{basic}\"><message>{text}</message></error>");
            whole("200 OK", "Content-Type: application/xml\r\n", &root)
        }
        "retry after" => {
            let headers = format!("Retry-After: {secret}\r\n{json}");
            whole("503 Unavailable", &headers, &format!("[{said}]"))
        }
        _ => {
            let blanks = " ".repeat(16 * 1024 - secret.len() * 3 / 4);
            whole("400 Bad Request", "", &format!("{blanks}{secret} and more"))
        }
    }
}

/// A receiver that answers every line with secrets: HTTP and SMTP alike.
async fn receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer(BufReader::new(client)));
        }
    });
    port
}

async fn answer(mut client: BufReader<tokio::net::TcpStream>) {
    let mut line = String::new();
    while client.read_line(&mut line).await.unwrap_or(0) > 2 {}
    // The path names the secret that the sink sends.
    let (request, _) = line.split_once('\n').unwrap_or_default();
    let secret = named(request, "/s");
    let (status, body) = if request.contains("/grant ") {
        ("200 OK", format!("{{\"access_token\":\"{ACCESS_TOKEN}\"}}"))
    } else {
        let all = forms(secret).join(" ");
        // The path too, and the headers, as some receivers do.
        let sent = line.replace(['\r', '\n'], " ");
        (
            "500 No",
            format!("\u{1b}]0;x\u{7} {all} {} {sent}", SECRETS[0]),
        )
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = client.write_all(text.as_bytes()).await;
    let _ = client.shutdown().await;
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
}

/// A server that offers this way to log in, and repeats what it gets.
async fn mail_server(way: &'static str, secret: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let _ = client.write_all(b"220 mail\r\n").await;
                let mut line = String::new();
                while client.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let user = STANDARD.encode("advisoryd");
                    let reply = match line.trim() {
                        hello if hello.starts_with("EHLO") => {
                            format!("250-mail\r\n250 AUTH {way}\r\n")
                        }
                        "AUTH LOGIN" => "334 VXNlcm5hbWU6\r\n".to_owned(),
                        line if line == user => "334 UGFzc3dvcmQ6\r\n".to_owned(),
                        line => {
                            let all = forms(secret).join(" ");
                            format!("535 5.7.8 no: {line} {all}\r\n")
                        }
                    };
                    let _ = client.write_all(reply.as_bytes()).await;
                    line.clear();
                }
            });
        }
    });
    port
}

const SINKS: &str = r#"
[[alerts.sinks]]
name = "bearer"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:PORT/s3"
bearer_file = "DIR/bearer"
allow_private = true
[[alerts.sinks]]
name = "basic"
kind = "alertmanager"
url = "http://127.0.0.1:PORT/s4"
username = "advisoryd"
password_file = "DIR/basic"
allow_private = true
[[alerts.sinks]]
name = "url"
kind = "hook"
preset = "teams"
url_file = "DIR/url"
allow_private = true
[[alerts.sinks]]
name = "headers"
kind = "hook"
preset = "mattermost"
url = "http://127.0.0.1:PORT/s6"
headers_file = "DIR/headers"
headers = { X-Api-Key = "HEADER" }
allow_private = true
[[alerts.sinks]]
name = "mail"
kind = "email"
host = "127.0.0.1"
port = MAIL
tls = "none"
from = "a@example.org"
to = ["b@example.org"]
username = "advisoryd"
password_file = "DIR/mail-password"
[[alerts.sinks]]
name = "login"
kind = "email"
host = "127.0.0.1"
port = LOGIN
tls = "none"
from = "a@example.org"
to = ["b@example.org"]
username = "advisoryd"
password_file = "DIR/login-password"
[[alerts.sinks]]
name = "oauth-body"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:PORT/never"
oauth2 = { token_url = "http://127.0.0.1:PORT/s8", client_id = "advisoryd", secret_file = "DIR/oauth" }
allow_private = true
[[alerts.sinks]]
name = "oauth-basic"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:PORT/never"
oauth2 = { token_url = "http://127.0.0.1:PORT/s8", client_id = "advisoryd", secret_file = "DIR/oauth", login = "basic" }
allow_private = true
[[alerts.sinks]]
name = "oauth-token"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:PORT/s9"
oauth2 = { token_url = "http://127.0.0.1:PORT/grant", client_id = "advisoryd", secret_file = "DIR/oauth" }
allow_private = true
[[alerts.sinks]]
name = "proxy"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:1/sa"
proxy = "http://advisoryd:PROXY@127.0.0.1:PORT"
allow_private = true
[[alerts.sinks]]
name = "open-url"
kind = "hook"
preset = "slack"
url = "http://127.0.0.1:PORT/sb/OPEN"
allow_private = true
[[alerts.sinks]]
name = "command"
kind = "command"
program = ["SCRIPT"]
[[alerts.rules]]
name = "all"
on = ["appeared"]
group = "1m"
sinks = ["bearer", "basic", "url", "headers", "mail", "login", "oauth-body", "oauth-basic", "oauth-token", "proxy", "open-url", "command"]
"#;

/// The sinks of that configuration.
const NAMES: [&str; 12] = [
    "bearer",
    "basic",
    "url",
    "headers",
    "mail",
    "login",
    "oauth-body",
    "oauth-basic",
    "oauth-token",
    "proxy",
    "open-url",
    "command",
];

/// A configuration with every secret there is, and one rule that tells every sink.
async fn configuration(world: &World, upstream: &str, health: u16) -> String {
    let dir = world.token_file().parent().unwrap().to_owned();
    let secret = |name: &str, text: &str| file(&dir, name, text).display().to_string();
    let (token, database) = (secret("token", SECRETS[0]), &world.database.url);
    let password = secret("database-password", SECRETS[2]);
    let (port, mail) = (
        receiver().await,
        mail_server("PLAIN LOGIN", SECRETS[7]).await,
    );
    let login = mail_server("LOGIN", SECRETS[12]).await;
    secret("url", &format!("http://127.0.0.1:{port}/s5/{}", SECRETS[5]));
    secret("bearer", SECRETS[3]);
    secret("basic", SECRETS[4]);
    secret("headers", &format!("Private-Token: {}", SECRETS[6]));
    secret("mail-password", SECRETS[7]);
    secret("login-password", SECRETS[12]);
    secret("oauth", CLIENT_SECRET);
    let script = script(&dir);
    let sinks = SINKS
        .replace("PORT", &port.to_string())
        .replace("MAIL", &mail.to_string())
        .replace("LOGIN", &login.to_string())
        .replace("PROXY", &percent(SECRETS[10]))
        .replace("OPEN", OPEN_URL)
        .replace("DIR", &dir.display().to_string())
        .replace("SCRIPT", &script)
        .replace("HEADER", SECRETS[6]);
    let mut lists = String::new();
    // Upstream cannot know a token that another server grants.
    let known = (0..SECRETS.len()).filter(|n| SECRETS[*n] != ACCESS_TOKEN);
    for n in known {
        let id = n + 1;
        let list = format!("id = {id}\nsource = \"feed\"\nquery = {{ s = \"{n:x}\" }}");
        let _ = writeln!(lists, "[[watch_lists]]\n{list}");
    }
    format!(
        "{upstream}token_file = \"{token}\"\nmax_attempts = 1\nrequests_per_minute = 60000\n\
         [database]\nurl = \"{database}\"\npassword_file = \"{password}\"\n\
         [schedule]\nfull_feeds = \"{NEVER}\"\nfeeds = \"{NEVER}\"\n[tickets]\nenabled = false\n\
         [feeds]\nsweep = false\ndetails = \"never\"\n[http]\nlisten = \"127.0.0.1:{health}\"\n\
         {lists}{sinks}"
    )
}

fn script(dir: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    // Without the proxy's, which is not in both configurations, and without the token that a
    // server has not granted yet.
    let secrets = [&SECRETS[..1], &SECRETS[2..9], &SECRETS[10..]].concat();
    let all: Vec<String> = secrets
        .iter()
        .map(|secret| forms(secret)[4..6].join(" "))
        .collect();
    let all = all.join("\n");
    let text = format!("#!/bin/sh\ncat >&2 <<'END'\n\u{1b}[31m{all}\nEND\nexit 1\n");
    let path = file(dir, "script", &text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

fn result(config: &Path, arguments: &[&str]) -> CommandResult {
    let mut command = binary();
    let command = command.arg("--config").arg(config).args(arguments);
    command.output().expect("the command").into()
}

fn assert_told(config: &Path, arguments: &[&str]) -> CommandResult {
    let result = result(config, arguments);
    assert_safe(&format!("{arguments:?} stdout"), &result.stdout);
    assert_safe(&format!("{arguments:?} stderr"), &result.stderr);
    result
}

/// Every row of every table and view, as text. (`pg_dump` is no part of every server.)
async fn dump(world: &World) -> Vec<(String, String)> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select table_schema::text, table_name::text from information_schema.tables
         where table_schema like 'advisoryd%'",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let mut rows = Vec::new();
    for (schema, table) in tables {
        let sql = format!("select t::text from {schema}.{table} t");
        let texts: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(world.pool())
            .await
            .unwrap();
        rows.extend(
            texts
                .into_iter()
                .map(|text| (format!("{schema}.{table}"), text)),
        );
    }
    rows
}

fn written(world: &World, name: &str, text: &str) -> PathBuf {
    file(world.token_file().parent().unwrap(), name, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_back_on_any_way_in_any_form() {
    let world = World::new().await;
    let path = Arc::new(Mutex::new(PATHS[0]));
    let port = upstream(Arc::clone(&path)).await;
    let health = free_port().await;
    let dir = world.token_file().parent().unwrap().to_owned();
    let password = file(&dir, "proxy-password", SECRETS[1]);
    let evil = format!(
        "[upstream]\nbase_url = \"http://127.0.0.1:{port}\"\n\
         proxy = \"http://advisoryd@127.0.0.1:{port}\"\nproxy_password_file = \"{}\"\n",
        password.display()
    );
    let good = format!(
        "[upstream]\nbase_url = \"{}\"\n",
        world.simulator.base_url()
    );
    let good = written(
        &world,
        "good.toml",
        &configuration(&world, &good, health).await,
    );
    let evil = written(
        &world,
        "evil.toml",
        &configuration(&world, &evil, health).await,
    );

    // The sinks: each repeats its own secret, and the outcomes are stored.
    assert_told(&good, &["-v", "sync", "feeds", "--alert-backlog"]);
    let attempts = world
        .count("select count(*) from advisoryd_v1.delivery_attempts where error is not null")
        .await;
    assert!(attempts >= 12, "{attempts}");
    for sink in NAMES {
        let result = assert_told(&good, &["alerts", "test", sink, "--json"]);
        assert_eq!(result.code, 1, "{result}");
        assert!(result.stdout.contains("[redacted]"), "{result}");
        assert_told(&good, &["alerts", "test", sink]);
    }

    // Upstream: every path, every secret, in both formats of the log.
    for (at, name) in PATHS.iter().enumerate() {
        *path.lock().unwrap() = name;
        let format = ["pretty", "json"][at % 2];
        let result = assert_told(&evil, &["-vv", "--log-format", format, "sync", "feeds"]);
        assert_eq!(result.code, 1, "{name}: {result}");
        assert_told(&evil, &["check", "--json"]);
        assert_told(&evil, &["status", "--json"]);
    }
    assert_told(&evil, &["status"]);

    // The daemon and its web server.
    *path.lock().unwrap() = "detail";
    let mut command = binary();
    let mut daemon = Running::start(command.arg("--config").arg(&evil).args(["-v", "run"]));
    let metrics = eventually("a failed run in the metrics", PATIENCE, async || {
        let listens = tokio::net::TcpStream::connect(("127.0.0.1", health)).await;
        listens.ok()?;
        let (_, metrics) = get(health, "/metrics").await;
        metrics.contains("outcome=\"failed\"").then_some(metrics)
    })
    .await;
    assert_safe("/metrics", &metrics);
    daemon.signal(Signal::SIGTERM);
    daemon.ended().await;
    assert_safe("the daemon", &daemon.stderr());

    assert_rows_are_safe(&world).await;
}

async fn assert_rows_are_safe(world: &World) {
    let rows = dump(world).await;
    assert!(rows.iter().any(|(_, row)| row.contains("[redacted]")));
    for (table, row) in rows {
        // The advisories themselves are the simulator's.
        assert_safe(&table, &row.replace('\r', "").replace("\\n", " "));
    }
}

#[tokio::test]
async fn a_secret_on_the_command_line_is_not_repeated() {
    let world = World::new().await;
    let token = advisoryd::simulate::DEFAULT_TOKEN;
    let path = format!("/x/{token}");
    let where_ = format!("title = {token} =");
    for arguments in [
        vec!["verify", "--since", token],
        vec!["budget", "take", token],
        vec!["alerts", "show", token],
        vec!["advisories", "--where", &where_],
        vec!["advisories", "--cve", token],
        vec!["sync", token],
        vec![token],
        vec!["sinks", "preset", token],
        vec!["fleet", "status", &path],
    ] {
        let output = world.command(&arguments).output().unwrap();
        let result = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!result.contains(&token[..12]), "{arguments:?}: {result}");
    }
}

#[tokio::test]
async fn pages_for_people_hold_no_secret_of_a_title() {
    let world = World::new().await;
    let token = SECRETS[0];
    let title = format!(
        "Multiple {token} %3{} Vulnerabilities",
        &hex::encode(token)[1..]
    );
    let feed = format!(
        "<advisories><advisory><advisory_identifier>SA70901</advisory_identifier>\
         <title>{title}</title><criticality>2</criticality>\
         <released>2026-02-01T00:00:00Z</released></advisory></advisories>"
    );
    let feed = written(&world, "feed.xml", &feed).display().to_string();
    let result = world.cli(&["import", &feed, "--watch-list", "1"]);
    assert_eq!(result.code, 0, "{result}");
    for arguments in [
        &["show", "SA70901"][..],
        &["show", "SA70901", "--history"],
        &["advisories"],
        &["--color", "always", "advisories"],
        &["changes"],
        &["inspect", &feed],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 0, "{arguments:?}: {result}");
        assert!(result.stdout.contains("Multiple [redacted]"), "{result}");
        assert!(
            !result.stdout.contains(&token[..12]),
            "{arguments:?}: {result}"
        );
    }
    // What programs read is as it was received.
    let result = world.cli(&["show", "SA70901", "--json"]);
    assert!(result.stdout.contains(token), "{result}");
}

#[tokio::test]
async fn wrong_usage_repeats_no_control_sequence() {
    let world = World::new().await;
    for arguments in [
        &["sh\u{9b}31mow"][..],
        &["advisories", "--where", "title ~ 'a\u{202e}\u{9b}31m\r\nb'"],
        &["sync", "--days", "\u{1b}]0;x\u{7}"],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 2, "{result}");
        let is_bad = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        assert!(!result.stderr.contains(is_bad), "{:?}", result.stderr);
    }
}

/// What upstream calls a field, and why a record cannot be read, may repeat the token.
#[tokio::test]
async fn names_of_fields_reasons_and_silences_are_stored_without_the_token() {
    let token = advisoryd::simulate::DEFAULT_TOKEN;
    let (world, documents) = world_of_documents().await;
    documents.set(
        1,
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T</title>\
             <k{token}>x</k{token}></advisory></advisories>"
        ),
    );
    world.pull_back(LookBack::Full).await;
    check::check_health(&world.context().await).await.unwrap();
    let conditions = "select summary from advisoryd_v1.conditions where what = 'unknown_field'";
    let alerts = "select body::text from advisoryd.alert";
    let reasons = "select reason from advisoryd.quarantine where raw like '%your token%'";
    let raw = format!(
        "{{\"advisory_identifier\": \"SA1\", \"id\": 7, \"title\": \"T\", \"error\": \"your token is {token}\"}}"
    );
    sqlx::query(
        "insert into advisoryd.quarantine (run_id, last_run_id, source_id, at, key, reason, byte_hash, raw, kind)
         select 1, 1, id, now(), 'SA1', 'the rules of then', sha256(convert_to($1, 'UTF8')), $1, 'json'
         from advisoryd.source
         where kind = 'details'",
    )
    .bind(raw)
    .execute(world.pool())
    .await
    .unwrap();
    let retried = world.cli(&["quarantine", "retry", "--json"]);
    let reason = format!("the token was {token}");
    let silenced = world.cli(&[
        "silence", "add", "key=SA1", "--reason", &reason, "--until", "1h",
    ]);
    assert_eq!(silenced.code, 0, "{silenced}");
    let of_silences = "select reason from advisoryd_v1.silences";
    for question in [conditions, alerts, reasons, of_silences] {
        let rows = world.texts(question).await;
        assert!(!rows.is_empty(), "{question}");
        for row in rows {
            assert!(row.contains("[redacted]"), "{question}: {row}");
            assert_safe(question, &row);
        }
    }
    assert_safe("quarantine retry", &retried.stdout);
}
