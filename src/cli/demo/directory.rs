//! Where the demo keeps its files while it lasts.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

/// A directory that is removed at the end.
pub(crate) struct DemoDirectory {
    dir: PathBuf,
    state: PathBuf,
    token: PathBuf,
    config: PathBuf,
}

impl DemoDirectory {
    /// Makes it under the system's directory for temporary files, which the
    /// database's user can enter, unlike `/root`.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("advisoryd-demo-{}", std::process::id()));
        std::fs::create_dir(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        // Others may pass through, as the database's user must; each file guards itself.
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711))?;
        Ok(Self {
            state: dir.join("state"),
            token: dir.join("token"),
            config: dir.join("config.toml"),
            dir,
        })
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.state
    }

    pub(crate) fn token_file(&self) -> &Path {
        &self.token
    }

    pub(crate) fn config_file(&self) -> &Path {
        &self.config
    }

    /// Writes the configuration, for commands in another terminal.
    pub(crate) fn write_config(&self, text: &str) -> anyhow::Result<()> {
        std::fs::write(&self.config, text)
            .with_context(|| format!("cannot write {}", self.config.display()))
    }

    pub(crate) fn write_token(&self, token: &str) -> anyhow::Result<()> {
        std::fs::write(&self.token, token)?;
        std::fs::set_permissions(&self.token, std::fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Waits until the daemon has begun to make its database: whoever opens it
    /// first owns it, and that must be the daemon.
    pub(crate) async fn wait_for_database(&self, deadline: Instant) -> anyhow::Result<()> {
        let postmaster = self.state.join("postgresql/data/postmaster.pid");
        while !postmaster.exists() {
            anyhow::ensure!(
                Instant::now() < deadline,
                "the private database did not start"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for DemoDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(%error, "{} could not be removed: {error}", self.dir.display());
        }
    }
}
