use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

/// What a command writes to a terminal of this width, and its exit status. Its time zone
/// is New York's, and there is no pager unless `command` names one; likewise
/// `TERM` and `NO_COLOR`.
pub fn on_terminal(mut command: Command, columns: u16) -> (String, i32) {
    let size = Winsize {
        ws_row: 40,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).expect("a terminal");
    let also = || pty.slave.try_clone().expect("the terminal");
    let is_named = |name: &OsStr| name == "PAGER" || name == "ADVISORYD_PAGER";
    if !command.get_envs().any(|(name, _)| is_named(name)) {
        command.env("PAGER", "cat");
    }
    for (name, value) in [("TERM", "xterm-256color"), ("NO_COLOR", "")] {
        if !command.get_envs().any(|(named, _)| named == name) {
            command.env(name, value);
        }
    }
    command
        .env("TZ", "America/New_York")
        .stdin(Stdio::null())
        .stdout(also())
        .stderr(also());
    let mut child = command.spawn().expect("the process starts");
    // The end is noticed when nobody has the other side any more.
    drop(command);
    drop(pty.slave);
    let mut bytes = Vec::new();
    let mut terminal = File::from(pty.master);
    let mut part = [0; 4096];
    // At the end Linux says EIO.
    while let Ok(length) = terminal.read(&mut part)
        && length > 0
    {
        bytes.extend_from_slice(&part[..length]);
    }
    let code = child.wait().expect("its end").code().expect("its status");
    let text = String::from_utf8(bytes).expect("text");
    (text.replace("\r\n", "\n"), code)
}
