//! The TLS mode of the database connection: every kind of host with every mode.

use sqlx::postgres::PgSslMode;

use super::super::Config;

/// Hosts of this machine, each as a URL.
const HERE: [&str; 7] = [
    "postgres:///x?host=/run/postgresql",
    "postgres://%2Frun%2Fpostgresql/x",
    "postgres://localhost/x",
    "postgres://127.0.0.1/x",
    "postgres://127.8.9.1/x",
    "postgres://[::1]/x",
    "postgres:///x?host=::1",
];
/// Hosts that may be other machines.
const ELSEWHERE: [&str; 7] = [
    "postgres://db.example.org/x",
    "postgres://192.0.2.2:5433/x",
    "postgres://[2001:db8::1]/x",
    "postgres:///x?host=db",
    "postgres:///x?hostaddr=192.0.2.2",
    "postgres://localhost/x?host=db",
    "postgres://localhost.example.org/x",
];
const WEAKER: [&str; 5] = ["disable", "allow", "prefer", "require", "verify-ca"];

fn load(url: &str, allow: bool) -> Result<Config, String> {
    let text = format!("[database]\nurl = \"{url}\"\nallow_insecure = {allow}\n");
    Config::from_text("c.toml", &text).map_err(|error| error.to_string())
}

fn with_mode(url: &str, mode: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}sslmode={mode}")
}

fn mode(config: &Config) -> PgSslMode {
    let options = config
        .database
        .connect_options()
        .unwrap()
        .unwrap()
        .remove(0);
    options.get_ssl_mode()
}

fn warns(config: &Config) -> bool {
    let warnings = config.warnings();
    warnings.iter().any(|one| one.contains("eavesdropping"))
}

#[test]
fn another_machine_is_verified_by_default() {
    for url in ELSEWHERE {
        for allow in [false, true] {
            let config = load(url, allow).unwrap();
            assert!(matches!(mode(&config), PgSslMode::VerifyFull), "{url}");
            assert!(!warns(&config), "{url}");
        }
    }
}

#[test]
fn a_weaker_mode_for_another_machine_needs_permission_and_is_warned_of() {
    for url in ELSEWHERE {
        for mode in WEAKER {
            let url = with_mode(url, mode);
            let error = load(&url, false).unwrap_err();
            assert!(error.contains("`allow_insecure = true`"), "{url}: {error}");
            assert!(error.contains(mode), "{url}: {error}");
            assert!(warns(&load(&url, true).unwrap()), "{url}");
        }
    }
}

#[test]
fn this_machine_needs_no_tls() {
    for url in HERE {
        for mode in WEAKER {
            let config = load(&with_mode(url, mode), false).unwrap();
            assert!(!warns(&config), "{url}");
        }
        assert!(!matches!(
            mode(&load(url, false).unwrap()),
            PgSslMode::VerifyFull
        ));
    }
}

#[test]
fn the_password_file_is_read_at_each_connection() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let text = format!(
        "[database]\nurl = \"postgres://me@localhost/x\"\npassword_file = \"{}\"\n",
        file.display()
    );
    let config = Config::from_text("c.toml", &text).unwrap();
    let error = config.database.connect_options().unwrap_err();
    assert!(error.to_string().contains("password_file"), "{error}");
    for password in ["hunter2", "hunter3"] {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let options = config
            .database
            .connect_options()
            .unwrap()
            .unwrap()
            .remove(0);
        let text = format!("{options:?}");
        assert!(text.contains(password), "{text}");
        assert!(!format!("{config:?}").contains(password));
    }
}

/// Hosts, TLS modes and target of a URL with several hosts.
fn hosts(url: &str) -> (Vec<String>, bool) {
    let config = load(url, true).unwrap();
    let url = config.database.url.clone().unwrap();
    let hosts = config.database.connect_options().unwrap().unwrap();
    let shown = hosts.iter().map(|host| {
        let mode = format!("{:?}", host.get_ssl_mode()).to_lowercase();
        let database = host.get_database().unwrap();
        let name = host.get_socket().map_or_else(
            || host.get_host().to_owned(),
            |path| path.display().to_string(),
        );
        format!("{name}:{} {database} {mode}", host.get_port())
    });
    (shown.collect(), url.is_writable())
}

#[test]
fn several_hosts_are_read_as_libpq_reads_them() {
    let expected = |hosts: &[&str]| {
        hosts
            .iter()
            .map(|&host| host.to_owned())
            .collect::<Vec<_>>()
    };
    for (url, listed, is_writable) in [
        (
            "postgres://me:p,w@h1,h2:5433,[::1]:5434/db",
            &[
                "h1:5432 db verifyfull",
                "h2:5433 db verifyfull",
                "[::1]:5434 db prefer",
            ][..],
            true,
        ),
        (
            "postgres://h1,h2/db?target_session_attrs=any&sslmode=require",
            &["h1:5432 db require", "h2:5432 db require"],
            false,
        ),
        (
            "postgres:///db?host=h1,/run/postgresql&port=5433,5434&user=me",
            &["h1:5433 db verifyfull", "/run/postgresql:5434 db prefer"],
            true,
        ),
        (
            "postgres:///db?host=h1,h2&port=5433",
            &["h1:5433 db verifyfull", "h2:5433 db verifyfull"],
            true,
        ),
        ("postgres://h1/db", &["h1:5432 db verifyfull"], false),
        (
            "postgres://h1/db?target_session_attrs=primary",
            &["h1:5432 db verifyfull"],
            true,
        ),
    ] {
        assert_eq!(hosts(url), (expected(listed), is_writable), "{url}");
    }
}

#[test]
fn hosts_that_cannot_be_meant_are_refused_and_no_password_is_shown() {
    for (url, part) in [
        ("postgres://h1,/db", "empty"),
        ("postgres://h1,h2:x/db", "port"),
        ("postgres:///db?host=h1,h2&port=1,2,3", "as many ports"),
        ("postgres://h1,h2/db?host=h3", "besides"),
        (
            "postgres://h1,h2/db?target_session_attrs=standby",
            "advisoryd writes",
        ),
        (
            "postgres://h1,localhost/db?sslmode=require",
            "`allow_insecure = true`",
        ),
        (
            "postgres://localhost,h1/db?sslmode=require",
            "answers for h1",
        ),
    ] {
        let error = load(url, false).unwrap_err();
        assert!(error.contains(part), "{url}: {error}");
    }
    let config = load("postgres://me:hunter2@h1:5433,h2/db?sslmode=require", true).unwrap();
    let url = config.database.url.unwrap();
    let shown = format!("{url} {url:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.starts_with("postgres://me:redacted@h1:5433,h2/db?sslmode=require "),
        "{shown}"
    );
}

#[test]
fn a_login_before_an_empty_host_is_taken_and_hidden() {
    let text = "[database]\nurl = \"postgres://me:hunter%2B2+@/db?host=/run/a,/run/b\"\n";
    let config = Config::from_text("c.toml", text).unwrap();
    let url = config.database.url.clone().unwrap();
    let shown = format!("{url} {url:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(config.database.has_password_in_url());
    let hosts = config.database.connect_options().unwrap().unwrap();
    assert_eq!(hosts.len(), 2);
    for host in &hosts {
        assert_eq!(host.get_username(), "me");
        assert_eq!(host.get_database(), Some("db"));
        assert!(host.get_socket().is_some());
    }
}

#[test]
fn the_read_replica_has_the_rules_of_the_database() {
    let load = |keys: &str| {
        let text = format!("[database]\nurl = \"postgres://localhost/x\"\n{keys}\n");
        Config::from_text("c.toml", &text).map_err(|error| error.to_string())
    };
    let config = load("read_url = \"postgres://me@db2.example.org,db3/x\"").unwrap();
    let hosts = config.database.replica_options().unwrap().unwrap();
    assert_eq!(hosts.len(), 2);
    assert!(matches!(hosts[0].get_ssl_mode(), PgSslMode::VerifyFull));
    for (keys, part) in [
        (
            "read_url = \"postgres://db2/x?sslmode=require\"",
            "answers for db2",
        ),
        (
            "read_url = \"postgres://localhost/x?pasword=hunter2\"",
            "known parameters",
        ),
        (
            "read_url = \"postgres://me:hunter2@localhost/x\"\npassword_file = \"/etc/p\"",
            "contradicts the password in `read_url`",
        ),
    ] {
        let error = load(keys).unwrap_err();
        assert!(error.contains(part), "{keys}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let alone = "[database]\nread_url = \"postgres://localhost/x\"\n";
    let error = Config::from_text("c.toml", alone).unwrap_err().to_string();
    assert!(error.contains("needs a `url`"), "{error}");
    let shown = load("read_url = \"postgres://me:hunter2@localhost/x\"").unwrap();
    assert!(shown.database.has_password_in_url());
    assert!(!format!("{:?}", shown.database).contains("hunter2"));
}
