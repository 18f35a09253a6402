//! Replaces the data directory of the private server by another one that was filled
//! beside it: for `database upgrade` and `database restore --replace`.

use std::path::PathBuf;

use super::binaries;
use super::directory::DATA;
use super::error::ClusterError;
use super::instance::Cluster;
use super::replacement::{COMPLETE, NEXT, OLD};
use super::user_files::UserFiles;

/// Major versions of the data and of what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersions {
    /// The version that wrote the data; `None` if there is none.
    pub data: Option<String>,
    /// The newest installed version.
    pub newest: u32,
    /// Where its programs are.
    pub newest_directory: PathBuf,
}

impl Cluster {
    /// The version of the data and the newest installed one.
    ///
    /// # Errors
    /// [`ClusterError`], among others [`ClusterError::NoServer`].
    pub fn versions(&self) -> Result<ServerVersions, ClusterError> {
        let (directory, account) = self.location();
        let search = self.search();
        let newest = match binaries::newest(search, account) {
            Some(newest) => newest,
            None => binaries::find_new(search, account, &directory.data())?,
        };
        Ok(ServerVersions {
            data: binaries::data_version(directory)?,
            newest: newest.major,
            newest_directory: newest.directory,
        })
    }

    /// The state directory for the server that will replace this one. What an earlier
    /// attempt left there is removed.
    ///
    /// # Errors
    /// [`ClusterError`], among others [`ClusterError::FormerData`].
    pub fn next_state_dir(&self) -> Result<PathBuf, ClusterError> {
        let (directory, account) = self.location();
        let old = directory.path().join(OLD);
        if old.symlink_metadata().is_ok() {
            return Err(ClusterError::FormerData { path: old });
        }
        let files = UserFiles::new(account, directory.path());
        files.remove_all(NEXT)?;
        files.create_dir(NEXT.as_ref())?;
        Ok(directory.path().join(NEXT))
    }

    /// Stops both servers and puts the data of `next` in the place of this one's. Returns
    /// where the former data is now.
    ///
    /// The lock of this server is held until all is done: no daemon can start meanwhile.
    ///
    /// # Errors
    /// [`ClusterError`]; the data in use is then either the old or the new one, complete.
    pub async fn replace_by(mut self, next: Self) -> Result<PathBuf, ClusterError> {
        next.stop().await?;
        self.halt().await?;
        let (directory, account) = self.location();
        let files = UserFiles::new(account, directory.path());
        files.rename(&format!("{NEXT}/postgresql/{DATA}"), COMPLETE)?;
        files.rename(DATA, OLD)?;
        files.rename(COMPLETE, DATA)?;
        files.remove_all(NEXT)?;
        Ok(directory.path().join(OLD))
    }
}
