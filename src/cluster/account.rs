//! The operating-system user that the private server runs as: ourselves, or,
//! for root, the owner of the directory or `postgres` (dropping privileges).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, geteuid};

use super::error::ClusterError;
use super::owner::user_name;

/// As whom the server runs when we are root: the user that every package of
/// PostgreSQL creates.
const SERVER_USER: &str = "postgres";

/// A user and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub user: u32,
    pub group: u32,
}

impl Ids {
    /// The owner of a file.
    pub(super) fn owner(metadata: &fs::Metadata) -> Self {
        Self {
            user: metadata.uid(),
            group: metadata.gid(),
        }
    }
}

/// The user that the server runs as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    user: u32,
    /// Set when we are root and have to switch to that user.
    switch_to: Option<Ids>,
}

impl Account {
    /// The account for a directory of `owner`.
    pub(super) fn for_owner(owner: Ids) -> Result<Self, ClusterError> {
        choose(geteuid().as_raw(), owner, server_user())
    }

    /// Whether `user` is the one that packages of PostgreSQL create.
    pub(super) fn is_server_user(user: u32) -> bool {
        server_user().is_some_and(|ids| ids.user == user)
    }

    /// The user's number.
    pub(super) fn user_id(&self) -> u32 {
        self.user
    }

    /// The user and group that root has to switch to; `None` when we are that user.
    pub(super) fn switch_to(&self) -> Option<Ids> {
        self.switch_to
    }

    /// A command that runs `program` as this user in `directory`, without our
    /// environment (a stray `PGDATA` or `LC_ALL` changes what the server's
    /// programs do).
    pub(super) fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(directory)
            .stdin(Stdio::null());
        if let Some(Ids { user, group }) = self.switch_to {
            command.uid(user).gid(group);
        }
        command
    }

    /// What a failed start of a program of this user in `directory` means: the
    /// program itself has run before, so missing rights are those to enter.
    pub(super) fn spawn_error(&self, directory: &Path, error: io::Error) -> ClusterError {
        if error.kind() == io::ErrorKind::PermissionDenied
            && let Some(blocked) = self.blocked_at(directory)
        {
            return ClusterError::Unreachable {
                user: user_name(self.user),
                blocked,
                directory: directory.to_path_buf(),
            };
        }
        ClusterError::io("start a program in", directory, error)
    }

    /// The first directory on the way to `directory` that the user cannot
    /// enter, by its mode; `None` also when we are that user.
    pub(super) fn blocked_at(&self, directory: &Path) -> Option<PathBuf> {
        let ids = self.switch_to?;
        let mut way: Vec<&Path> = directory.ancestors().collect();
        way.reverse();
        way.into_iter()
            .find(|step| {
                fs::metadata(step).is_ok_and(|found| {
                    let shift = match (found.uid() == ids.user, found.gid() == ids.group) {
                        (true, _) => 6,
                        (false, true) => 3,
                        (false, false) => 0,
                    };
                    found.mode() >> shift & 1 == 0
                })
            })
            .map(Path::to_path_buf)
    }
}

fn server_user() -> Option<Ids> {
    let user = User::from_name(SERVER_USER).ok().flatten()?;
    Some(Ids {
        user: user.uid.as_raw(),
        group: user.gid.as_raw(),
    })
}

/// Root becomes the owner of the directory, so that data begun by another user
/// (the unit's dynamic one) is served by that user again; else `postgres`.
fn choose(effective: u32, owner: Ids, postgres: Option<Ids>) -> Result<Account, ClusterError> {
    if effective != 0 {
        return Ok(Account {
            user: effective,
            switch_to: None,
        });
    }
    let ids = if owner.user == 0 {
        postgres.ok_or(ClusterError::RootWithoutUser { user: SERVER_USER })?
    } else {
        owner
    };
    Ok(Account {
        user: ids.user,
        switch_to: Some(ids),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

    use super::{ClusterError, Ids, choose};

    const ROOT: Ids = Ids { user: 0, group: 0 };
    const POSTGRES: Ids = Ids {
        user: 101,
        group: 104,
    };
    const DYNAMIC: Ids = Ids {
        user: 61_234,
        group: 61_234,
    };

    #[test]
    fn root_becomes_postgres_or_the_owner_of_the_data() {
        let fresh = choose(0, ROOT, Some(POSTGRES)).unwrap();
        assert_eq!(fresh.switch_to, Some(POSTGRES));
        let begun = choose(0, DYNAMIC, Some(POSTGRES)).unwrap();
        assert_eq!(begun.switch_to, Some(DYNAMIC));
    }

    #[test]
    fn root_is_refused_where_there_is_nobody_to_become() {
        let refused = choose(0, ROOT, None);
        assert!(matches!(
            refused,
            Err(ClusterError::RootWithoutUser { user: "postgres" })
        ));
    }

    #[test]
    fn an_ordinary_user_stays_itself() {
        let account = choose(1000, ROOT, Some(POSTGRES)).unwrap();
        assert_eq!(account.user_id(), 1000);
        assert_eq!(account.switch_to, None);
    }
}
