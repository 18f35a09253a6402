//! Finds `pg_dump` and `pg_restore` of a version that a server can be dumped with.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::{installed_versions, major_of};
use super::error::ClusterError;
use super::options::ServerSearch;

/// The client programs of one version of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPrograms {
    /// Holds `pg_dump` and `pg_restore`.
    pub directory: PathBuf,
    /// Their major version.
    pub major: u32,
}

impl ClientPrograms {
    /// The oldest installed ones that can dump a server of version `server_major`: what a
    /// newer one writes, an older server may not accept.
    ///
    /// # Errors
    /// [`ClusterError::NoClientPrograms`].
    pub fn find(search: &ServerSearch, server_major: u32) -> Result<Self, ClusterError> {
        let mut found = BTreeMap::new();
        let on_path = env::split_paths(&search.path);
        for directory in installed_versions(&search.versions)
            .into_iter()
            .chain(on_path)
        {
            if let Some(major) = major_version(&directory) {
                found.entry(major).or_insert(directory);
            }
        }
        let newest = found.keys().next_back().copied();
        let usable = found.into_iter().find(|(major, _)| *major >= server_major);
        let (major, directory) = usable.ok_or_else(|| ClusterError::NoClientPrograms {
            server_major,
            found: newest.map_or_else(
                || "found none".to_owned(),
                |newest| format!("the newest one found is of version {newest}"),
            ),
        })?;
        Ok(Self { directory, major })
    }

    /// The path of one of them.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The version of the programs in `directory`; `None` if one is missing.
fn major_version(directory: &Path) -> Option<u32> {
    if !directory.join("pg_restore").is_file() {
        return None;
    }
    let output = Command::new(directory.join("pg_dump"))
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    major_of(&String::from_utf8_lossy(&output.stdout))
}
