//! Changes (events) of advisories, to be inserted into the change log.

use super::row::Version;
use crate::model::{AdvisoryContent, ChangeKind, advisory_facts};
use crate::store::change::Fact;
use crate::store::origin::ChunkOrigin;

/// Changes of a new advisory; `is_news` if its source was read before.
pub(crate) fn appeared(version: &Version<'_>, origin: ChunkOrigin, is_news: bool) -> Vec<Fact> {
    let mut facts = of_version(version, origin, vec![ChangeKind::Appeared]);
    for fact in &mut facts {
        fact.is_news = is_news && fact.what == ChangeKind::Appeared;
    }
    facts
}

/// Change of a known advisory that is news at last: so far only first loads have brought it.
/// An extra feed has no members, so that nothing joins it.
pub(crate) fn appeared_at_last(said: &str, version: i32) -> Fact {
    Fact {
        key: said.to_owned(),
        version,
        what: ChangeKind::Appeared,
        is_news: true,
    }
}

/// Changes of a new version; `former` is what it is compared with. Additional
/// details in a completing version are no events by themselves, because feed and
/// JSON are received one after the other. Its events are those compared with the
/// revision before that the completed version did not report yet.
pub(crate) fn replaced(
    version: &Version<'_>,
    former: &[AdvisoryContent],
    origin: ChunkOrigin,
) -> Vec<Fact> {
    let first = if version.completes {
        ChangeKind::Completed
    } else {
        ChangeKind::Revised
    };
    let now = AdvisoryContent::from(version.whole.as_ref());
    let mut whats = vec![first];
    whats.extend(advisory_facts(former, &now));
    of_version(version, origin, whats)
}

/// Change of a known advisory that a source sends for the first time; `is_news` if it could
/// not send it before.
pub(crate) fn joined(said: &str, version: i32, is_news: bool) -> Fact {
    Fact {
        key: said.to_owned(),
        version,
        what: ChangeKind::JoinedWatchList,
        is_news,
    }
}

/// Change of an advisory that is no longer in a watch list.
pub(crate) fn left(said: String, version: i32) -> Fact {
    Fact {
        key: said,
        version,
        what: ChangeKind::LeftWatchList,
        is_news: false,
    }
}

fn of_version(version: &Version<'_>, origin: ChunkOrigin, mut whats: Vec<ChangeKind>) -> Vec<Fact> {
    if origin.has_drifted(version.whole.modified_at) {
        whats.push(ChangeKind::Drifted);
    }
    let fact = |what| Fact {
        key: version.whole.said.clone(),
        version: version.number,
        what,
        is_news: false,
    };
    whats.into_iter().map(fact).collect()
}
