//! What verification advises to run.

use crate::model::SourceKey;

/// The command that syncs a source now.
pub(super) fn sync_command(key: &SourceKey) -> String {
    match key {
        SourceKey::WatchList(id) => format!("advisoryd sync feeds --watch-list {id}"),
        SourceKey::ExtraFeed(_) | SourceKey::RevisionScan | SourceKey::Details => {
            "advisoryd sync feeds".to_owned()
        }
        SourceKey::Tickets => "advisoryd sync tickets".to_owned(),
    }
}
