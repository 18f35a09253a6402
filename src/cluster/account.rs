use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, geteuid};

use super::ClusterError;

/// As whom the server runs when we are root: the user that every package of
/// PostgreSQL creates.
const SERVER_USER: &str = "postgres";

/// A user and its first group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub user: u32,
    pub group: u32,
}

/// The user that the server runs as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    user: u32,
    /// Set when we are root and have to become that user.
    become_ids: Option<Ids>,
}

impl Account {
    /// The account for the server whose files are in `directory`, which exists.
    pub(super) fn for_directory(directory: &Path) -> Result<Self, ClusterError> {
        let metadata = fs::metadata(directory)
            .map_err(|error| ClusterError::io("look at", directory, error))?;
        let owner = Ids {
            user: metadata.uid(),
            group: metadata.gid(),
        };
        let postgres = User::from_name(SERVER_USER).ok().flatten().map(|user| Ids {
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
        });
        choose(geteuid().as_raw(), owner, postgres)
    }

    /// The user's number.
    pub(super) fn user_id(&self) -> u32 {
        self.user
    }

    /// A command that runs `program` as this user in `directory`, knowing
    /// nothing of our environment (a stray `PGDATA` or `LC_ALL` changes what
    /// the server's programs do).
    pub(super) fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(directory)
            .stdin(Stdio::null());
        if let Some(Ids { user, group }) = self.become_ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives `path`, which we made, to this user. Never through a link, which
    /// that user could have put there to be given more.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        let Some(Ids { user, group }) = self.become_ids else {
            return Ok(());
        };
        lchown(path, Some(user), Some(group))
            .map_err(|error| ClusterError::io("give to the server's user", path, error))
    }

    /// What a failed start of a program of this user in `directory` means: the
    /// program itself has run before, so missing rights are those to enter.
    pub(super) fn spawn_error(&self, directory: &Path, error: io::Error) -> ClusterError {
        if error.kind() == io::ErrorKind::PermissionDenied
            && let Some(ids) = self.become_ids
            && let Some(blocked) = blocked_at(directory, ids)
        {
            return ClusterError::Unreachable {
                user: user_name(ids.user),
                blocked,
                directory: directory.to_path_buf(),
            };
        }
        ClusterError::io("start PostgreSQL in", directory, error)
    }
}

/// Root becomes the owner of the directory, so that data begun by another user
/// (the unit's dynamic one) is served by that user again; else `postgres`.
fn choose(effective: u32, owner: Ids, postgres: Option<Ids>) -> Result<Account, ClusterError> {
    if effective != 0 {
        return Ok(Account {
            user: effective,
            become_ids: None,
        });
    }
    let ids = if owner.user == 0 {
        postgres.ok_or(ClusterError::RootWithoutUser { user: SERVER_USER })?
    } else {
        owner
    };
    Ok(Account {
        user: ids.user,
        become_ids: Some(ids),
    })
}

/// The first directory on the way to `directory` that a user cannot enter, by
/// its mode. Only for the message: whether it can was found out by trying.
fn blocked_at(directory: &Path, ids: Ids) -> Option<PathBuf> {
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

/// The name of a user, or its number where it has none.
fn user_name(user: u32) -> String {
    User::from_uid(Uid::from_raw(user))
        .ok()
        .flatten()
        .map_or_else(|| user.to_string(), |user| user.name)
}

/// Whose `path` (or its nearest visible ancestor) is: ` (which belongs to the user `x`)`.
pub(super) fn owner_in_words(path: &Path) -> String {
    path.ancestors()
        .find_map(|step| Some((step, fs::metadata(step).ok()?.uid())))
        .map(|(step, user)| {
            format!(
                " (`{}` belongs to the user `{}`)",
                step.display(),
                user_name(user)
            )
        })
        .unwrap_or_default()
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
        assert_eq!(fresh.become_ids, Some(POSTGRES));
        let begun = choose(0, DYNAMIC, Some(POSTGRES)).unwrap();
        assert_eq!(begun.become_ids, Some(DYNAMIC));
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
        assert_eq!(account.become_ids, None);
    }
}
