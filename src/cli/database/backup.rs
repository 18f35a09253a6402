//! `advisoryd database backup`.

use std::path::Path;

use super::common::server;
use crate::cli::ask;
use crate::cli::output::print_line;
use crate::config::Config;
use crate::store::database::{self, SchemaState};
use crate::transfer::{backup, backup_to_stdout};

pub(super) async fn run(
    config: &Config,
    file: &Path,
    is_overwritten: bool,
) -> anyhow::Result<bool> {
    ask::with_database(config, async |opened| {
        match database::schema_state(&opened.pool).await? {
            SchemaState::UpToDate | SchemaState::Behind(_) => {}
            SchemaState::Empty => {
                anyhow::bail!("the database is empty; there is nothing to back up")
            }
            SchemaState::Development(found) => return Err(found.into()),
            SchemaState::Foreign(found) => return Err(found.into()),
        }
        let server = server(config, &opened.pool).await?;
        if file == Path::new("-") {
            backup_to_stdout(&server).await?;
            return Ok(true);
        }
        let size = backup(&server, file, is_overwritten).await?;
        print_line(&format!("wrote {} ({size} bytes)", file.display()));
        Ok(true)
    })
    .await
}
