//! Files with secrets that other users of this machine may read or write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Config;
use super::secret_file::SecretFile;

/// Others may read.
const OTHERS_READ: u32 = 0o004;
/// Others, or members of the group, may write. A group that may only read is deliberate:
/// it is how a service's user gets at a file of root's.
const OTHERS_WRITE: u32 = 0o022;

impl Config {
    /// Files with secrets that others may read or write, one sentence each. Files that
    /// systemd passes are its own concern; a missing file is reported by who needs it.
    pub fn exposed_files(&self) -> Vec<String> {
        let token = self.upstream.token_sources.own_file();
        let files = self
            .secret_files()
            .filter(|file| !file.is_credential)
            .map(|file: &SecretFile| file.path.as_path());
        let mut warnings: Vec<String> =
            token.into_iter().chain(files).filter_map(exposed).collect();
        warnings.extend(self.exposed_configuration());
        warnings.sort();
        warnings.dedup();
        warnings
    }

    fn secret_files(&self) -> impl Iterator<Item = &SecretFile> {
        let database = self.database.password_file.iter();
        let proxy = self.upstream.proxy_password_file.iter();
        let http = self.http.password_file.iter();
        let sinks = self.alerts.sinks.iter();
        database
            .chain(proxy)
            .chain(http)
            .chain(sinks.flat_map(|sink| sink.kind.secret_files()))
    }

    /// Registers all secrets that can be read, so that no outgoing text contains them,
    /// whatever the command needs them for. A secret that cannot be read is reported by
    /// who needs it. A pipe could be read only once, and is left to them too.
    pub fn keep_secrets(&self) {
        let is_file = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file());
        for file in self.secret_files().filter(|file| is_file(&file.path)) {
            let _ = file.lines();
        }
        if self.upstream.token_sources.own_file().is_none_or(is_file) {
            let _ = self.upstream.token();
        }
    }

    /// The configuration itself, if it contains a password.
    fn exposed_configuration(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        let has_password =
            self.database.has_password_in_url() || self.upstream.has_proxy_password();
        let mode = fs::metadata(file).ok()?.permissions().mode();
        let is_exposed = has_password && mode & OTHERS_READ != 0;
        is_exposed.then(|| {
            format!(
                "{} contains a password, and every user may read it; use `password_file` or `proxy_password_file`, or `chmod o-rwx` it",
                file.display()
            )
        })
    }
}

fn exposed(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let what = match (mode & OTHERS_READ != 0, mode & OTHERS_WRITE != 0) {
        (_, true) => "other users may write",
        (true, false) => "every user may read",
        (false, false) => return None,
    };
    let path = path.display();
    Some(format!(
        "{what} {path}, which contains a secret; run `chmod g-w,o-rwx {path}`"
    ))
}
