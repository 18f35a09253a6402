//! `advisoryd database`: backup, restore, move to another server, upgrade of PostgreSQL.

mod backup;
mod common;
mod relocate;
mod restore;
mod switch;
mod upgrade;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::shared::GlobalArgs;

#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    #[command(subcommand)]
    what: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
enum DatabaseCommand {
    /// Write a backup of all data to a file
    ///
    /// The daemon can keep running. The file is an archive of pg_dump in custom format. It is
    /// written as FILE.partial and renamed when it is complete.
    Backup {
        /// File to write, or - for stdout
        file: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        overwrite: bool,
    },
    /// Restore a backup into an empty database
    ///
    /// The daemon must be stopped. The whole backup is read first, then restored in one
    /// transaction.
    Restore {
        /// Backup file, as written by `database backup`
        file: PathBuf,
        /// Replace the data of the private database; the old data is kept in `postgresql/data.old`
        #[arg(long)]
        replace: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Copy all data to another PostgreSQL database and switch to it
    ///
    /// The daemon must be stopped. All tables are compared after the copy. Then `url` under
    /// `[database]` is changed in the configuration file.
    Move {
        /// The new value of `[database] url`, without a password
        url: String,
        /// The new value of `[database] password_file`
        #[arg(long, value_name = "FILE")]
        password_file: Option<String>,
        /// Copy and compare, but do not change the configuration file
        #[arg(long)]
        no_switch: bool,
    },
    /// Move the private database to the newest installed PostgreSQL version
    ///
    /// The daemon must be stopped. Both versions must be installed. All tables are compared
    /// after the copy; the old data is kept in data.old.
    Upgrade {
        /// Copy even if the version stays the same, for example after an upgrade of the C library
        #[arg(long)]
        rewrite: bool,
    },
}

pub(super) async fn run(shared: GlobalArgs, wanted: DatabaseArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    match wanted.what {
        DatabaseCommand::Backup { file, overwrite } => backup::run(&config, &file, overwrite).await,
        DatabaseCommand::Restore { file, replace, yes } => {
            restore::run(&config, &file, restore::Ask { replace, yes }).await
        }
        DatabaseCommand::Move {
            url,
            password_file,
            no_switch,
        } => {
            let target = switch::DatabaseTarget { url, password_file };
            relocate::run(&config, &target, !no_switch).await
        }
        DatabaseCommand::Upgrade { rewrite } => upgrade::run(&config, rewrite).await,
    }
}
