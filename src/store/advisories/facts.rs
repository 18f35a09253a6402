//! What happened to advisories, as facts to write down.

use super::row::Version;
use crate::model::{ChangeKind, Statement, advisory_facts};
use crate::store::change::Fact;
use crate::store::origin::Origin;

/// Of an advisory that was not known before.
pub(crate) fn appeared(version: &Version<'_>, origin: Origin) -> Vec<Fact> {
    of_version(version, origin, vec![ChangeKind::Appeared])
}

/// Of a new version; `former` is what it is compared with. What a completing
/// version newly says is no news by itself: feed and JSON are heard one after the
/// other. Its facts are those against the statement before, which the version it
/// completes had not told yet.
pub(crate) fn replaced(version: &Version<'_>, former: &[Statement], origin: Origin) -> Vec<Fact> {
    let first = if version.completes {
        ChangeKind::Completed
    } else {
        ChangeKind::Revised
    };
    let now = Statement::from(version.whole.as_ref());
    let mut whats = vec![first];
    whats.extend(advisory_facts(former, &now));
    of_version(version, origin, whats)
}

/// Of a known advisory that a source had not sent before.
pub(crate) fn joined(said: &str, version: i32) -> Fact {
    Fact {
        key: said.to_owned(),
        version,
        what: ChangeKind::JoinedWatchList,
    }
}

fn of_version(version: &Version<'_>, origin: Origin, mut whats: Vec<ChangeKind>) -> Vec<Fact> {
    if origin.has_drifted(version.whole.modified_at) {
        whats.push(ChangeKind::Drifted);
    }
    let fact = |what| Fact {
        key: version.whole.said.clone(),
        version: version.number,
        what,
    };
    whats.into_iter().map(fact).collect()
}
