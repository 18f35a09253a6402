//! Changes `[database] url` in the configuration file. Comments and order stay.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value, value};

/// Where the database will be.
#[derive(Debug, Clone)]
pub(super) struct DatabaseTarget {
    /// `[database] url`.
    pub url: String,
    /// `[database] password_file`.
    pub password_file: Option<String>,
}

/// A configuration file with another database, beside the one in use. It is removed when
/// this is dropped, unless it was put in place.
#[derive(Debug)]
pub(super) struct NextFile {
    next: PathBuf,
    current: PathBuf,
}

impl Drop for NextFile {
    fn drop(&mut self) {
        // It is gone after `put_in_place`.
        let _ = fs::remove_file(&self.next);
    }
}

impl NextFile {
    /// Writes it, with the owner and mode of the one in use.
    pub(super) fn write(current: &Path, target: &DatabaseTarget) -> anyhow::Result<Self> {
        let current = fs::canonicalize(current)
            .with_context(|| format!("cannot read {}", current.display()))?;
        let text = fs::read_to_string(&current)
            .with_context(|| format!("cannot read {}", current.display()))?;
        let text = edited(&text, target)?;
        let next = current.with_extension("toml.next");
        let writing = || format!("cannot write {}", next.display());
        // What an interrupted attempt left is of no use.
        let _ = fs::remove_file(&next);
        let found = fs::metadata(&current).with_context(writing)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)
            .with_context(writing)?;
        let this = Self { next, current };
        file.write_all(text.as_bytes())?;
        fchown(&file, Some(found.uid()), Some(found.gid()))
            .context("cannot give the new configuration file to the owner of the present one")?;
        file.set_permissions(found.permissions())?;
        file.sync_all()?;
        Ok(this)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.next
    }

    /// Gives it the name of the one in use.
    pub(super) fn put_in_place(&self) -> anyhow::Result<()> {
        let replacing = || format!("cannot replace {}", self.current.display());
        fs::rename(&self.next, &self.current).with_context(replacing)?;
        if let Some(parent) = self.current.parent() {
            File::open(parent)?.sync_all().with_context(replacing)?;
        }
        Ok(())
    }
}

/// The text with `url` and `password_file` of the target under `[database]`.
fn edited(text: &str, target: &DatabaseTarget) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse().context("the configuration file is not TOML")?;
    let database = document
        .entry("database")
        .or_insert_with(|| Item::Table(Table::new()));
    let database = database
        .as_table_like_mut()
        .context("`database` in the configuration file is not a table")?;
    set(database, "url", &target.url);
    match &target.password_file {
        Some(file) => set(database, "password_file", file),
        None => {
            database.remove("password_file");
        }
    }
    Ok(document.to_string())
}

/// Sets a key; the comments beside it stay.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(former) => {
            let decor = former.decor().clone();
            *former = Value::from(text);
            *former.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(text));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

    use super::{DatabaseTarget, edited};

    fn target() -> DatabaseTarget {
        DatabaseTarget {
            url: "postgres:///new?host=/run/postgresql".to_owned(),
            password_file: None,
        }
    }

    #[test]
    fn comments_and_other_keys_stay() {
        let text = "# ours\n[database] # here\n# the old one\nurl = \"postgres:///old\" # keep\nmax_connections = 4\n\n[http]\nlisten = \"127.0.0.1:8787\"\n";
        let expected = "# ours\n[database] # here\n# the old one\nurl = \"postgres:///new?host=/run/postgresql\" # keep\nmax_connections = 4\n\n[http]\nlisten = \"127.0.0.1:8787\"\n";
        assert_eq!(edited(text, &target()).unwrap(), expected);
    }

    #[test]
    fn a_file_without_the_table_gets_it() {
        let text = "[http]\nlisten = \"127.0.0.1:8787\"\n";
        let text = edited(text, &target()).unwrap();
        assert!(
            text.ends_with("[database]\nurl = \"postgres:///new?host=/run/postgresql\"\n"),
            "{text}"
        );
    }
}
