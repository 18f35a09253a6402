//! The KEV catalogue: merge, and which advisories it makes known to be exploited.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use crate::model::{ChangeKind, KevEntry};
use crate::store::change::Fact;

/// What a merge changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergedCatalogue {
    /// CVEs that are listed now and were not before.
    pub added: u64,
    /// CVEs that are no longer listed.
    pub removed: u64,
}

/// The advisories that name one of these CVEs, and no CVE that is listed already.
pub(crate) async fn newly_exploited(
    connection: &mut PgConnection,
    entries: &[KevEntry],
) -> Result<Vec<Fact>, sqlx::Error> {
    let cves: Vec<&str> = entries.iter().map(|entry| entry.cve.as_str()).collect();
    let rows = sqlx::query!(
        r#"with added as (
               select array_agg(n.cve) as cves
               from unnest($1::text[]) as n (cve)
               where not exists (
                   select
                   from known_exploited k
                   where k.cve = n.cve
                     and k.removed_at is null))
           select a.said, a.version
           from added
           join advisory a on a.cves && added.cves
           where not exists (
               select
               from known_exploited k
               where k.cve = any(a.cves)
                 and k.removed_at is null)
           order by a.said"#,
        &cves as &[&str]
    )
    .fetch_all(connection)
    .await?;
    let fact = |said, version| Fact {
        key: said,
        version,
        what: ChangeKind::KevAdded,
        is_news: false,
    };
    Ok(rows
        .into_iter()
        .map(|row| fact(row.said, row.version))
        .collect())
}

/// Merges a whole catalogue: what is not in it is removed. Of the `first` one, entries count
/// as listed since the date on which they were added.
pub(crate) async fn merge(
    connection: &mut PgConnection,
    entries: &[KevEntry],
    is_first: bool,
    now: DateTime<Utc>,
) -> Result<MergedCatalogue, sqlx::Error> {
    let cves: Vec<&str> = entries.iter().map(|entry| entry.cve.as_str()).collect();
    let added_on: Vec<NaiveDate> = entries.iter().map(|entry| entry.added_on).collect();
    let due_on: Vec<Option<NaiveDate>> = entries.iter().map(|entry| entry.due_on).collect();
    let ransomware: Vec<bool> = entries.iter().map(|entry| entry.is_ransomware).collect();
    let removed = sqlx::query!(
        "update known_exploited k
         set removed_at = $2
         where k.removed_at is null
           and not exists (select from unnest($1::text[]) as n (cve) where n.cve = k.cve)",
        &cves as &[&str],
        now
    )
    .execute(&mut *connection)
    .await?;
    let added = sqlx::query_scalar!(
        r#"with written as (
               insert into known_exploited as k (cve, added_on, due_on, is_ransomware, listed_at)
               select n.cve, n.added_on, n.due_on, n.is_ransomware,
                      case when $5 then least(n.added_on::timestamp at time zone 'UTC', $6) else $6 end
               from unnest($1::text[], $2::date[], $3::date[], $4::boolean[])
                   as n (cve, added_on, due_on, is_ransomware)
               on conflict (cve) do update
               set added_on = excluded.added_on,
                   due_on = excluded.due_on,
                   is_ransomware = excluded.is_ransomware,
                   listed_at = case when k.removed_at is null then k.listed_at else excluded.listed_at end,
                   removed_at = null
               where (k.added_on, k.due_on, k.is_ransomware, k.removed_at)
                     is distinct from (excluded.added_on, excluded.due_on, excluded.is_ransomware, null)
               returning k.listed_at)
           select count(*) as "count!"
           from written
           where $5 or listed_at = $6"#,
        &cves as &[&str],
        &added_on,
        &due_on as &[Option<NaiveDate>],
        &ransomware,
        is_first,
        now
    )
    .fetch_one(connection)
    .await?;
    Ok(MergedCatalogue {
        added: added.unsigned_abs(),
        removed: removed.rows_affected(),
    })
}
