//! Command sink: runs a local program with the message on standard input.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, geteuid};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use super::descendants::{Descendants, MARK};
use super::open::OpenError;
use super::outcome::{DeliveryReceipt, Refused};
use crate::config;
use crate::model::{FailureReason, Message};

/// How much of each output is kept; the rest is read and discarded, so that the
/// program does not block on a full pipe.
const MAX_OUTPUT_BYTES: usize = 4096;
/// How long to wait for output after the program has exited: child processes may
/// keep it open.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(1);
/// `EX_DATAERR`: the program permanently rejects this message.
const NEVER: i32 = 65;
/// The message is too large for the program, as status 413 of HTTP.
const TOO_LARGE: i32 = 113;

/// A program that reads the message as JSON from standard input.
#[derive(Debug)]
pub(super) struct CommandSink {
    program: Vec<String>,
    user: Option<User>,
    /// Maximum length of the input, in bytes.
    max_bytes: usize,
    timeout: Duration,
}

/// A running program and its process group, which is killed when the value is dropped,
/// and then what left the group.
struct Group {
    child: Child,
    id: Option<Pid>,
    _descendants: Descendants,
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // The group may have exited already.
            let _ = killpg(id, Signal::SIGKILL);
        }
    }
}

impl CommandSink {
    pub(super) fn open(
        settings: &config::CommandSettings,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let program = settings.program.clone();
        let path = Path::new(program.first().map_or("", String::as_str));
        let runs = std::fs::metadata(path).and_then(|found| {
            let is_program = found.is_file() && found.permissions().mode() & 0o111 != 0;
            is_program
                .then_some(())
                .ok_or_else(|| io::Error::other("expected an executable file"))
        });
        match runs {
            Ok(()) => Ok(Self {
                program,
                user: user(settings)?,
                max_bytes: settings.max_bytes,
                timeout,
            }),
            Err(source) => Err(OpenError::Program {
                path: path.to_owned(),
                source,
            }),
        }
    }

    pub(super) async fn send(&self, message: &Message) -> Result<DeliveryReceipt, Refused> {
        let input = serde_json::to_vec(message).map_err(|error| {
            Refused::unbuilt(format!("cannot encode the message as JSON: {error}"))
        })?;
        // As for a hook: a single alert has a limited length of its own.
        if message.alerts.len() > 1 && input.len() > self.max_bytes {
            return Err(Refused::too_large("input", self.max_bytes));
        }
        let name = self.program.first().map_or("", String::as_str);
        let mut group = self
            .start(message)
            .map_err(|error| Refused::repeatable(format!("cannot run `{name}`: {error}")))?;
        match talk(&mut group.child, &input, self.timeout).await {
            Ok(Some((status, answer))) => judge(name, status, answer),
            Ok(None) => {
                let mut late = Refused::late(&format!("`{name}`"), self.timeout);
                late.reason.push_str("; it was killed");
                Err(late)
            }
            Err(error) => Err(Refused::repeatable(format!("`{name}`: {error}"))),
        }
    }

    fn start(&self, message: &Message) -> io::Result<Group> {
        let (program, arguments) = self
            .program
            .split_first()
            .ok_or_else(|| io::Error::other("no program"))?;
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let descendants = Descendants::of(&message.id);
        let mut command = tokio::process::Command::new(program);
        if let Some(user) = self.user.as_ref().filter(|user| user.uid != geteuid()) {
            // Without the groups of root as well.
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let child = command
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env(MARK, &message.id)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Group {
            child,
            id: id.map(Pid::from_raw),
            _descendants: descendants,
        })
    }
}

/// Whose rights the program has, if not this user's.
fn user(settings: &config::CommandSettings) -> Result<Option<User>, OpenError> {
    let Some(name) = &settings.user else {
        return Ok(None);
    };
    let found = User::from_name(name).map_err(io::Error::from);
    match found.and_then(|user| user.ok_or_else(|| io::Error::other("no such user"))) {
        Ok(user) => Ok(Some(user)),
        Err(source) => Err(OpenError::User {
            name: name.clone(),
            source,
        }),
    }
}

/// Writes the input, waits for the exit and returns the output; `None` on
/// timeout.
async fn talk(
    child: &mut Child,
    input: &[u8],
    timeout: Duration,
) -> io::Result<Option<(ExitStatus, String)>> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut printed, mut errors) = (Vec::new(), Vec::new());
    let ended = {
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program may ignore its input.
                let _ = stdin.write_all(input).await;
            }
        };
        let keep_all = async {
            tokio::join!(write, keep(stdout, &mut printed), keep(stderr, &mut errors));
        };
        tokio::pin!(keep_all);
        let mut is_all = false;
        let end = async {
            tokio::select! {
                status = child.wait() => status,
                () = &mut keep_all => {
                    is_all = true;
                    child.wait().await
                }
            }
        };
        let ended = tokio::time::timeout(timeout, end).await;
        if ended.is_ok() && !is_all {
            // Later output is ignored: the exit status is known.
            let _ = tokio::time::timeout(OUTPUT_PATIENCE, keep_all).await;
        }
        ended
    };
    let Ok(status) = ended else {
        return Ok(None);
    };
    printed.append(&mut errors);
    let printed = String::from_utf8_lossy(&printed).into_owned();
    Ok(Some((status?, printed)))
}

async fn keep(output: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut output) = output else {
        return;
    };
    let mut chunk = [0; 4096];
    while let Ok(length) = output.read(&mut chunk).await {
        if length == 0 {
            return;
        }
        let room = MAX_OUTPUT_BYTES - kept.len();
        kept.extend_from_slice(&chunk[..length.min(room)]);
    }
}

/// 0 is delivered, 65 is permanent, 113 is too large; any other status may be a temporary failure
/// of the program.
fn judge(name: &str, status: ExitStatus, answer: String) -> Result<DeliveryReceipt, Refused> {
    if status.success() {
        return Ok(DeliveryReceipt {
            status: Some(0),
            answer,
        });
    }
    Err(Refused {
        status: status.code(),
        answer,
        kind: FailureReason::Refused,
        can_repeat: !matches!(status.code(), Some(NEVER | TOO_LARGE)),
        is_too_large: status.code() == Some(TOO_LARGE),
        ..Refused::repeatable(format!("`{name}` failed: {status}"))
    })
}
