//! The server's command line: settings that the daemon relies on, whatever the
//! configuration files of the server contain.

use std::ffi::OsString;
use std::path::Path;

use super::authentication::SharedServer;
use super::shared::SocketAccess;
use super::socket_dir::PORT;

/// The settings as arguments: `-c name=value` each. `shared`: there is a second socket, for a
/// group.
pub(super) fn settings(
    sockets: &Path,
    shared: Option<&SharedServer>,
    durable: bool,
) -> Vec<OsString> {
    let mut directories = OsString::from("unix_socket_directories=\"");
    // A list: a comma in the path would begin the next one.
    directories.push(sockets.as_os_str().to_string_lossy().replace('"', "\"\""));
    directories.push("\"");
    if let Some(shared) = shared {
        directories.push(",\"");
        directories.push(&shared.sockets);
        directories.push("\"");
    }
    let permissions = match shared.map(|shared| shared.access) {
        None => "0700",
        Some(SocketAccess::AsService) => "0770",
        // The server cannot give the socket to a group that it is not in. The directories of
        // both sockets keep everybody else out.
        Some(SocketAccess::Read) => "0777",
    };
    let mut settings = vec![
        directories,
        OsString::from(format!("port={PORT}")),
        "listen_addresses=".into(),
        OsString::from(format!("unix_socket_permissions={permissions}")),
        "cluster_name=advisoryd".into(),
        // Under `MemoryDenyWriteExecute` a jitted query drops the connection.
        "jit=off".into(),
        "log_destination=stderr".into(),
        "logging_collector=off".into(),
        "log_line_prefix=".into(),
        "lc_messages=C".into(),
        // Neither statements nor the values of rows belong in a log.
        "log_error_verbosity=terse".into(),
        "log_min_error_statement=panic".into(),
    ];
    if let Some(shared) = shared {
        // A member who queries every relation in each of their connections would need more
        // than the default has room for. It costs a few megabytes.
        settings.push("max_locks_per_transaction=256".into());
        for (setting, file) in [
            ("hba_file=", &shared.methods),
            ("ident_file=", &shared.users),
        ] {
            let mut setting = OsString::from(setting);
            setting.push(file);
            settings.push(setting);
        }
    }
    if durable {
        settings.push("fsync=on".into());
    } else {
        let fast = ["fsync=off", "full_page_writes=off", "max_connections=300"];
        settings.extend(fast.map(OsString::from));
    }
    settings
        .into_iter()
        .flat_map(|setting| [OsString::from("-c"), setting])
        .collect()
}
