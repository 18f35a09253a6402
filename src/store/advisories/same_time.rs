//! What is known of the current version of an advisory, where a record has the same
//! modification time and another content: the time does not show which of them is newer.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::sighting::Sighted;
use crate::model::Fingerprint;
use crate::store::origin::ChunkOrigin;

/// How often contents of a revision may come back and be versions. One that does so may be
/// taken back by the vendor; more often, servers of upstream disagree.
const MOST_RETURNS: usize = 2;
/// Nothing else was received for so long: then it is the only content.
pub(super) const SETTLED_AFTER: TimeDelta = TimeDelta::days(3);

/// What is known of the current version.
#[derive(Debug, Default)]
pub(crate) struct SameTime {
    /// Whether upstream sent it in a run: it is not only imported.
    is_pulled: bool,
    /// The contents of the versions of this revision from the same source, the current one
    /// last. A content that stays is there once.
    contents: Vec<Fingerprint>,
}

impl SameTime {
    /// Of contents that upstream sent, the oldest first.
    pub(super) fn of(contents: impl Iterator<Item = Fingerprint>) -> Self {
        let mut contents: Vec<Fingerprint> = contents.collect();
        contents.dedup();
        Self {
            is_pulled: false,
            contents,
        }
    }

    /// Whether an import cannot replace it.
    pub(super) fn is_pulled(&self) -> bool {
        self.is_pulled
    }

    /// Whether `content` is one that was replaced before the current one was first received,
    /// and contents of this revision keep coming back. Of them the newest stays.
    pub(super) fn returns_to(&self, content: &Fingerprint) -> bool {
        let first = |wanted: &Fingerprint| self.contents.iter().position(|one| one == wanted);
        let different: HashSet<&Fingerprint> = self.contents.iter().collect();
        let returns = self.contents.len() - different.len();
        match (first(content), self.contents.last().and_then(first)) {
            (Some(theirs), Some(current)) => returns >= MOST_RETURNS && theirs < current,
            _ => false,
        }
    }
}

/// Whether this source has sent nothing but this content for days, after it was held back.
pub(super) fn is_settled(
    sighted: Option<&Sighted>,
    content: &Fingerprint,
    origin: ChunkOrigin,
) -> bool {
    let held = sighted.and_then(|known| known.held);
    held.is_some_and(|(held, since)| held == *content && origin.at - since >= SETTLED_AFTER)
}

/// What is known of these advisories, with the content of their current versions.
pub(super) async fn find(
    connection: &mut PgConnection,
    origin: ChunkOrigin,
    current: HashMap<String, Option<Vec<u8>>>,
) -> Result<HashMap<String, SameTime>, sqlx::Error> {
    if current.is_empty() {
        return Ok(HashMap::new());
    }
    let said: Vec<String> = current.keys().cloned().collect();
    let pulled = if origin.is_live {
        HashSet::new()
    } else {
        pulled(connection, &said).await?
    };
    let mut former = contents(connection, &said).await?;
    let known = current.into_iter().map(|(said, content)| {
        let all = former.remove(&said).unwrap_or_default();
        let all = all.into_iter().chain(content);
        let all = all.filter_map(|hash| Fingerprint::try_from(hash).ok());
        let known = SameTime {
            is_pulled: pulled.contains(&said),
            ..SameTime::of(all)
        };
        (said, known)
    });
    Ok(known.collect())
}

/// The advisories of which upstream sent the current version, or has confirmed it since.
async fn pulled(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let said = sqlx::query_scalar!(
        r#"select a.said as "said!"
         from advisory a
         join source s on s.id = a.source_id
         left join sync_run r on r.id = a.run_id
         left join sighting g on g.source_id = a.source_id and g.said = a.said
         where a.said = any($1)
           and (coalesce(r.mode <> 'import', s.last_success_at is not null)
                or s.seen @> g.id
                or s.full_seen @> g.id)"#,
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(said.into_iter().collect())
}

/// The contents of the former versions of the present revision, the oldest first.
async fn contents(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<HashMap<String, Vec<Vec<u8>>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select v.said, v.content_hash as "content_hash!"
           from advisory a
           join advisory_version v on v.said = a.said and v.source_id = a.source_id
           where a.said = any($1)
             and v.content_hash is not null
             and case when v.detail_hash is null then v.modified_at else v.record_modified_at end
                 is not distinct from
                 case when a.detail_hash is null then a.modified_at else a.record_modified_at end
           order by v.said, v.version"#,
        said
    )
    .fetch_all(connection)
    .await?;
    let mut contents: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for row in rows {
        contents.entry(row.said).or_default().push(row.content_hash);
    }
    Ok(contents)
}

/// The details of the former versions of the present revision, the oldest first.
pub(super) async fn details(
    connection: &mut PgConnection,
    said: &str,
) -> Result<Vec<Fingerprint>, sqlx::Error> {
    let hashes = sqlx::query_scalar!(
        r#"select v.detail_hash as "detail_hash!"
           from advisory a
           join advisory_version v on v.said = a.said
           where a.said = $1
             and v.detail_hash is not null
             and v.modified_at is not distinct from a.modified_at
           order by v.version"#,
        said
    )
    .fetch_all(connection)
    .await?;
    let hashes = hashes.into_iter();
    Ok(hashes
        .filter_map(|hash| Fingerprint::try_from(hash).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::SameTime;

    #[test]
    fn contents_come_back_twice_and_then_the_newest_stays() {
        let (a, b, c, d) = ([1; 16], [2; 16], [3; 16], [4; 16]);
        for (contents, sent, stays) in [
            (vec![a, b], a, false),
            (vec![a, b, a], b, false),
            (vec![a, b, a, b], a, true),
            (vec![a, b, a, b], c, false),
            (vec![a, b, a, b, a], b, false),
            (vec![a, b, c, a, b], c, false),
            (vec![a, b, c, a, b, c], b, true),
            (vec![a, b, a, b, d], a, true),
        ] {
            let known = SameTime {
                is_pulled: false,
                contents,
            };
            assert_eq!(known.returns_to(&sent), stays, "{known:?}");
        }
    }
}
