//! Names of users and owners of files (uid to user name), for messages.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};

/// The name of a user, or its number if it has none.
pub(super) fn user_name(user: u32) -> String {
    User::from_uid(Uid::from_raw(user))
        .ok()
        .flatten()
        .map_or_else(|| user.to_string(), |user| user.name)
}

/// Who owns `path`, or its nearest ancestor that can be seen, for the end of a
/// clause: `` (`/srv` belongs to the user `x`)``. Empty when nothing can be seen.
pub(super) fn owner_clause(path: &Path) -> String {
    path.ancestors()
        .find_map(|step| Some((step, fs::symlink_metadata(step).ok()?.uid())))
        .map(|(step, user)| {
            format!(
                " (`{}` belongs to the user `{}`)",
                step.display(),
                user_name(user)
            )
        })
        .unwrap_or_default()
}
