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
