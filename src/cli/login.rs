//! Login name of who runs a command, for the audit log.

use nix::unistd::{User, getuid};

/// The user who called `sudo`, else the user of this process by name, else its number.
pub(super) fn login() -> String {
    let uid = getuid();
    let sudo = uid
        .is_root()
        .then(|| std::env::var("SUDO_USER").ok())
        .flatten();
    sudo.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let user = User::from_uid(uid).ok().flatten();
        user.map_or_else(|| format!("uid {uid}"), |user| user.name)
    })
}
