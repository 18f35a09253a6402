//! Cursor and covered time of a source, and the records of its last complete run.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::SourceKey;

/// Result of a complete run of a source.
pub struct Completed<'a> {
    /// Row in `source`.
    pub source_id: i32,
    /// The covered window, by upstream's clock; half open.
    pub covers: (DateTime<Utc>, DateTime<Utc>),
    /// Root element of the document.
    pub root_element: Option<&'a str>,
    /// Ids of its records in `sighting`.
    pub seen: Vec<i64>,
    /// Whether it is a full pull. The records of full pulls are kept apart: otherwise
    /// each night would write every member, because the next window has few of them.
    pub is_full: bool,
    /// When the run began, by our clock.
    pub began_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Moves the cursor, in the transaction that ends the run. A feed's cursor also
/// moves back when upstream's clock does: a time that this clock has not reached
/// yet is not covered, even if an earlier run recorded it as covered.
pub async fn completed(
    connection: &mut PgConnection,
    completed: Completed<'_>,
) -> Result<(), sqlx::Error> {
    let Completed {
        source_id,
        covers,
        root_element,
        seen,
        is_full,
        began_at,
        now,
    } = completed;
    keep_last_seen(connection, source_id, &seen, is_full).await?;
    if is_full {
        decided(connection, source_id).await?;
    }
    let (first, last) = ranges(&seen);
    sqlx::query!(
        "update source
         set covered = (covered + tstzmultirange(tstzrange($2, $3)))
                 * tstzmultirange(tstzrange(null, case when kind <> 'tickets' then $3 end)),
             root_element = coalesce($4, root_element),
             seen = case when $9 then source.seen else n.seen end,
             seen_at = case when $9 then seen_at else $7 end,
             full_seen = case when $9 then n.seen else full_seen end,
             full_seen_at = case when $9 then $7 else full_seen_at end,
             full_at = case when $9 then $7 else full_at end,
             last_success_at = $8,
             last_error = null,
             last_error_at = null,
             last_failure = null
         from (
             select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}') as seen
             from unnest($5::bigint[], $6::bigint[]) as r (first, last)) as n
         where id = $1",
        source_id,
        covers.0,
        covers.1.max(covers.0),
        root_element,
        &first,
        &last,
        began_at,
        now,
        is_full
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Conflicting copies that were to be compared again and that a full pull did not contain
/// are not waited for any longer.
async fn decided(connection: &mut PgConnection, source_id: i32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sighting
         set is_undecided = null
         where source_id = $1
           and is_undecided",
        source_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A source whose coverage ended in the future.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutBack {
    /// The source.
    pub key: SourceKey,
    /// Where its coverage ended.
    pub ended_at: DateTime<Utc>,
    /// Where it ends now; `None` if nothing is covered.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Cuts back coverage that ends after `latest`, to what runs have read that do not end
/// after it: a run that claims the future says nothing about its window.
pub async fn cut_back(
    connection: &mut PgConnection,
    latest: DateTime<Utc>,
) -> Result<Vec<CutBack>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with ahead as (
               select id,
                      upper(covered) as ended_at
               from source
               where upper(covered) > $1
               for update),
           cut as (
               update source s
               set covered = s.covered * (
                       s.dropped_covers * tstzmultirange(tstzrange(null, $1))
                       + coalesce((
                           select range_agg(r.covers)
                           from sync_run r
                           where r.source_id = s.id
                             and r.outcome = 'ok'
                             and upper(r.covers) <= $1), '{}'))
               from ahead a
               where a.id = s.id
               returning s.kind, s.watch_list_id, s.extra_feed, a.ended_at, upper(s.covered) as ends_at)
           select kind as "kind!", watch_list_id, extra_feed, ended_at as "ended_at!", ends_at
           from cut
           order by kind, watch_list_id, extra_feed"#,
        latest
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CutBack {
            key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
            ended_at: row.ended_at,
            ends_at: row.ends_at,
        })
        .collect())
}

/// Sets last_seen_at of the rows that were in the last complete run of this kind
/// (full or not) and are not in this one; for all others it follows from
/// `source.seen` or `source.full_seen`. Rows that that run wrote already have it.
async fn keep_last_seen(
    connection: &mut PgConnection,
    source_id: i32,
    seen: &[i64],
    is_full: bool,
) -> Result<(), sqlx::Error> {
    let (first, last) = ranges(seen);
    sqlx::query!(
        "update sighting g
         set last_seen_at = greatest(g.last_seen_at, case when $4 then s.full_seen_at else s.seen_at end)
         from source s,
              unnest(case when $4 then s.full_seen else s.seen end - coalesce((
                  select range_agg(int8range(r.first, r.last, '[]'))
                  from unnest($2::bigint[], $3::bigint[]) as r (first, last)), '{}')) as dropped
         where s.id = $1
           and g.id >= lower(dropped)
           and g.id < upper(dropped)
           and g.source_id = $1
           and g.last_seen_at < case when $4 then s.full_seen_at else s.seen_at end",
        source_id,
        &first,
        &last,
        is_full
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sorted ids as closed ranges (first, last).
pub(crate) fn ranges(ids: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let (mut first, mut last): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for id in ids {
        match last.last_mut() {
            Some(end) if id <= *end + 1 => *end = id,
            _ => {
                first.push(id);
                last.push(id);
            }
        }
    }
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn ids_fold_into_ranges() {
        assert_eq!(ranges(&[]), (vec![], vec![]));
        assert_eq!(ranges(&[3, 1, 2, 2, 7]), (vec![1, 7], vec![3, 7]));
    }
}
