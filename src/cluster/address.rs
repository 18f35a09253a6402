//! How to connect to the private server: options for sqlx, URL, psql command line.

use std::ffi::OsStr;
use std::path::Path;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::setup::OWN_NAME;
use super::socket_dir::PORT;

/// By the socket in `sockets`, to the daemon's database as its role.
pub(super) fn connect_options(sockets: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(PORT)
        .ssl_mode(PgSslMode::Disable)
        .username(OWN_NAME)
        .database(OWN_NAME)
}

/// The same as a URL, which libpq understands, too, as any role.
pub(super) fn url(sockets: &Path, role: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("host", &sockets.to_string_lossy());
    query.append_pair("user", role);
    // libpq takes a plus for a plus.
    let query = query.finish().replace('+', "%20").replace("%2F", "/");
    format!("postgres:///{OWN_NAME}?{query}")
}

/// The same as a line for a shell. `search_path` is `$PATH`, `binaries` the
/// directory of the server's programs, where known.
pub(super) fn psql(
    sockets: &Path,
    role: &str,
    search_path: &OsStr,
    binaries: Option<&Path>,
) -> String {
    let program = match binaries {
        Some(binaries) if !is_on_path(search_path, "psql") => {
            quoted(&binaries.join("psql").to_string_lossy())
        }
        _ => "psql".to_owned(),
    };
    format!("{program} {}", quoted(&url(sockets, role)))
}

fn is_on_path(search_path: &OsStr, program: &str) -> bool {
    std::env::split_paths(search_path).any(|directory| directory.join(program).is_file())
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
