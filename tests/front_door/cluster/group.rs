//! Commands of other users beside the daemon: those of the group of its runtime directory.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::User;

use super::{is_root, program, seeded_state_dir, start_daemon_as};

/// A user without rights, and a group of nobody else.
pub const NOBODY: u32 = 65534;

/// The directory that systemd makes for a state directory; removed with the value.
struct RuntimeDirectory(PathBuf);

impl RuntimeDirectory {
    fn new(state_dir: &Path, mode: u32) -> Self {
        let path = Path::new("/run").join(state_dir.file_name().unwrap());
        fs::create_dir(&path).unwrap();
        let directory = Self(path);
        let server = server_user();
        chown(
            &directory.0,
            Some(server.uid.as_raw()),
            Some(server.gid.as_raw()),
        )
        .unwrap();
        fs::set_permissions(&directory.0, Permissions::from_mode(mode)).unwrap();
        directory
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// As whom the daemon of these tests runs its server.
fn server_user() -> User {
    User::from_name("postgres").unwrap().unwrap()
}

/// What a command says to a user with this group.
fn as_user_of(group: u32, state_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = program(state_dir, arguments);
    command.uid(NOBODY).gid(group).current_dir("/");
    command.output().unwrap()
}

pub fn skipped() -> bool {
    if !is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED, NOT TESTED: commands of other users. It needs root."
        );
    }
    !is_root()
}

#[tokio::test]
async fn members_of_the_units_group_run_commands_and_others_do_not() {
    if skipped() {
        return;
    }
    let state = seeded_state_dir();
    let runtime = RuntimeDirectory::new(state.path(), 0o750);
    let mut command = program(state.path(), &["run"]);
    command.env("RUNTIME_DIRECTORY", &runtime.0);
    let (mut daemon, _) = start_daemon_as(state.path(), &mut command).await;
    let members = server_user().gid.as_raw();
    for arguments in [&["status"][..], &["advisories"], &["quarantine", "list"]] {
        let output = as_user_of(members, state.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
    // They may be the service, and no superuser.
    let psql = |role: &str| {
        let mut command = Command::new("psql");
        command.args(["-XAt", "-d", "advisoryd", "-U", role, "-h"]);
        command.arg(&runtime.0).args(["-c", "select 1"]);
        command.uid(NOBODY).gid(members).current_dir("/");
        command.output().unwrap()
    };
    assert!(psql("advisoryd").status.success());
    for role in ["postgres", "advisoryd_reader"] {
        let said = psql(role);
        let said = String::from_utf8_lossy(&said.stderr);
        assert!(said.contains("eer authentication failed"), "{role}: {said}");
    }
    let refused = as_user_of(NOBODY, state.path(), &["status"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("permission denied"), "{said}");
    daemon.kill9();
}

#[tokio::test]
async fn a_runtime_directory_that_is_closed_or_open_to_everybody_has_no_socket() {
    if skipped() {
        return;
    }
    for mode in [0o700, 0o755] {
        let state = seeded_state_dir();
        let runtime = RuntimeDirectory::new(state.path(), mode);
        let mut command = program(state.path(), &["run"]);
        command.env("RUNTIME_DIRECTORY", &runtime.0);
        let (mut daemon, _) = start_daemon_as(state.path(), &mut command).await;
        let sockets = fs::read_dir(&runtime.0).unwrap().count();
        assert_eq!(sockets, 0, "mode {mode:o}");
        daemon.kill9();
    }
}
