use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::binary;
use super::run_dir::state_dir;
use super::world::CommandResult;

/// A shell in a directory of its own, in which `advisoryd` is the built program.
pub struct Shell {
    dir: TempDir,
}

impl Shell {
    pub fn new() -> Self {
        let dir = state_dir();
        let path = dir.path().join("advisoryd");
        let program = binary();
        let program = program.get_program().display().to_string();
        fs::write(&path, format!("#!/bin/sh\nexec '{program}' \"$@\"\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        Self { dir }
    }

    /// Where lines run.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A line, with this configuration.
    pub fn command(&self, line: &str, config: &Path) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ADVISORYD_") {
                command.env_remove(name);
            }
        }
        command
            .args(["-c", line])
            .current_dir(self.dir())
            .env("PATH", format!("{}:{path}", self.dir().display()))
            .env("ADVISORYD_CONFIG", config)
            .stdin(Stdio::null());
        command
    }

    /// What a line says and how it ends.
    pub fn run(&self, line: &str, config: &Path) -> CommandResult {
        let output = self.command(line, config).output();
        output.expect("the shell").into()
    }
}
