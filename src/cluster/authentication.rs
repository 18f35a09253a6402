//! Who may connect to a private server that is shared with a group: files in the form of
//! `pg_hba.conf` and `pg_ident.conf`, written at each start.
//!
//! A server that is not shared trusts every connection: its socket lies in a directory that
//! only its user and root can enter. A shared one asks the system who connects (`peer`). Its
//! user and root may be the superuser and the daemon. Everybody else who can use the second
//! socket is a member of the group. Members are not listed: in a unit with `PrivateUsers=yes`
//! the server sees each of them as `nobody`.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::account::Account;
use super::directory::Directory;
use super::error::ClusterError;
use super::owner::user_name;
use super::setup::{OWN_NAME, SUPERUSER};
use super::shared::{SharedDirectory, SocketAccess};
use super::user_files::UserFiles;

/// Root's number.
const ROOT: u32 = 0;

const METHODS_FILE: &str = "shared_hba.conf";
const USERS_FILE: &str = "shared_ident.conf";

const METHODS: &str = "# Written by advisoryd at each start.\n\
    local all,replication all peer map=advisoryd\n";

/// Where a shared server reads who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedServer {
    /// The directory of the second socket.
    pub(super) sockets: PathBuf,
    /// What those who can use it may do.
    pub(super) access: SocketAccess,
    /// In the form of `pg_hba.conf`.
    pub(super) methods: PathBuf,
    /// In the form of `pg_ident.conf`.
    pub(super) users: PathBuf,
}

/// Writes the files for a server that is shared in this way.
pub(super) fn write(
    directory: &Directory,
    account: &Account,
    shared: SharedDirectory,
) -> Result<SharedServer, ClusterError> {
    let files = UserFiles::new(account, directory.path());
    files.write(METHODS_FILE, METHODS)?;
    let owners = [user_name(ROOT), user_name(account.user_id())];
    files.write(USERS_FILE, &users(&owners, shared.access))?;
    Ok(SharedServer {
        sockets: shared.path,
        access: shared.access,
        methods: directory.path().join(METHODS_FILE),
        users: directory.path().join(USERS_FILE),
    })
}

/// One line for each user and role. `/.` is a regular expression for every name.
fn users(owners: &[String], access: SocketAccess) -> String {
    let mut text = "# Written by advisoryd at each start: map, system user, role.\n".to_owned();
    let mut add = |user: &str, role: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "advisoryd {user} {role}");
    };
    for owner in owners {
        for role in [SUPERUSER, OWN_NAME] {
            add(&format!("\"{owner}\""), role);
        }
    }
    for role in access.roles() {
        add("/.", role);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{SocketAccess, users};

    #[test]
    fn only_root_and_the_servers_user_may_be_more_than_the_group() {
        let owners = ["root".to_owned(), "postgres".to_owned()];
        let lines = |access| {
            let text = users(&owners, access);
            let lines = text.lines().skip(1);
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let of_owners = [
            "advisoryd \"root\" postgres",
            "advisoryd \"root\" advisoryd",
            "advisoryd \"postgres\" postgres",
            "advisoryd \"postgres\" advisoryd",
        ];
        let readers = [
            "advisoryd /. advisoryd_group",
            "advisoryd /. advisoryd_commands",
        ];
        let operators = ["advisoryd /. advisoryd"];
        assert_eq!(
            lines(SocketAccess::Read),
            [&of_owners[..], &readers].concat()
        );
        assert_eq!(
            lines(SocketAccess::AsService),
            [&of_owners[..], &operators].concat()
        );
    }
}
