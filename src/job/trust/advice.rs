//! What `verify` says about a source that was never read, and the command that reads it.

use crate::model::SourceKey;
use crate::store::trust::verification::VerifiedSource;

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

/// The problem of a source that was never read completely, and what to do. The revision scan
/// only cross-checks the feeds: before its first run nothing is wrong.
pub(super) fn never_read(
    source: &VerifiedSource,
    is_other_account: bool,
) -> Option<(&'static str, String)> {
    let has_run = source.chain.runs > 0;
    let is_scan = source.key == SourceKey::RevisionScan;
    if is_scan && !has_run {
        return None;
    }
    let text = if is_other_account && has_run {
        "it was not read completely since another token or `base_url` is used"
    } else {
        "it was never read completely"
    };
    let mut advice = format!("run `{}` and check its output", sync_command(&source.key));
    if is_scan {
        advice += "; if the account may not list advisories, set `[feeds] sweep = false`";
    }
    Some((text, advice))
}
