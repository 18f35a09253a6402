//! The server's command line: settings that the daemon relies on, whatever the
//! configuration files of the server contain.

use std::ffi::OsString;
use std::path::Path;

use super::socket_dir::PORT;

/// The settings as arguments: `-c name=value` each.
pub(super) fn settings(sockets: &Path, durable: bool) -> Vec<OsString> {
    let mut quoted = OsString::from("unix_socket_directories=\"");
    // A list: a comma in the path would begin the next one.
    quoted.push(sockets.as_os_str().to_string_lossy().replace('"', "\"\""));
    quoted.push("\"");
    let mut settings = vec![
        quoted,
        OsString::from(format!("port={PORT}")),
        "listen_addresses=".into(),
        "unix_socket_permissions=0700".into(),
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
