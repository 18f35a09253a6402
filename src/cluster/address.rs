use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::place::PORT;
use super::{Cluster, ClusterOptions, Serving};

/// The daemon's role and its database.
const OWN_NAME: &str = "advisoryd";

impl Cluster {
    /// How to connect: by the socket, to the daemon's database as its role.
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(PORT)
            .ssl_mode(PgSslMode::Disable)
            .username(OWN_NAME)
            .database(OWN_NAME)
    }

    /// The same as a URL, which libpq understands, too.
    pub fn url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("host", &self.sockets.to_string_lossy());
        query.append_pair("user", OWN_NAME);
        // libpq takes a plus for a plus.
        let query = query.finish().replace('+', "%20").replace("%2F", "/");
        format!("postgres:///{OWN_NAME}?{query}")
    }

    /// The line that a person pastes into a shell to connect. It works for the
    /// user that runs advisoryd, and for root, whom no directory keeps out.
    pub fn psql(&self) -> String {
        let program = match &self.serving {
            Serving::Ours { server, .. } if !is_on_path(&self.options, "psql") => {
                quoted(&server.binaries.join("psql").to_string_lossy())
            }
            _ => "psql".to_owned(),
        };
        format!("{program} {}", quoted(&self.url()))
    }
}

fn is_on_path(options: &ClusterOptions, program: &str) -> bool {
    std::env::split_paths(&options.search.path).any(|directory| directory.join(program).is_file())
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
