//! Configured sources: those that are followed.

use std::collections::BTreeSet;

use sqlx::PgConnection;

/// Configured sources other than watch lists and extra feeds.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// The tickets.
    pub tickets: bool,
    /// The revision scan.
    pub sweep: bool,
    /// The details.
    pub details: bool,
}

/// Stores the configured sources; all others stay and become not configured.
#[expect(clippy::too_many_lines, reason = "four short SQL statements")]
pub async fn configure(
    connection: &mut PgConnection,
    watch_lists: &[(i64, Option<String>)],
    extra_feeds: &[String],
    others: Others,
) -> Result<(), sqlx::Error> {
    let Others {
        tickets,
        sweep,
        details,
    } = others;
    let (ids, names): (Vec<i64>, Vec<Option<String>>) = watch_lists.iter().cloned().unzip();
    sqlx::query!(
        "insert into source (kind, watch_list_id, name)
         select 'watch_list', n.id, coalesce(n.name, d.name)
         from unnest($1::bigint[], $2::text[]) as n (id, name)
         left join discovered_list d on d.id = n.id
         on conflict (watch_list_id) do update
         set name = coalesce(excluded.name, source.listed_name),
             configured = true
         where source.name is distinct from coalesce(excluded.name, source.listed_name)
            or not source.configured",
        &ids,
        &names as &[Option<String>]
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into source (kind, extra_feed)
         select 'extra_feed', n.name
         from unnest($1::text[]) as n (name)
         on conflict (extra_feed) do update
         set configured = true
         where not source.configured",
        extra_feeds
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into source (kind, configured)
         select n.kind, n.configured
         from (values (1, 'tickets', $1::boolean), (2, 'sweep', $2::boolean), (3, 'details', $3::boolean))
              as n (place, kind, configured)
         where not exists (select from source s where s.kind = n.kind)
         order by n.place
         on conflict do nothing",
        tickets,
        sweep,
        details
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update source
         set configured = c.configured
         from (
             select id,
                    case kind
                        when 'watch_list' then watch_list_id = any($1)
                        when 'extra_feed' then extra_feed = any($2)
                        when 'sweep' then $4
                        when 'details' then $5
                        else $3
                    end as configured
             from source) as c
         where source.id = c.id
           and source.configured is distinct from c.configured",
        &ids,
        extra_feeds,
        tickets,
        sweep,
        details
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The sources that are followed.
pub async fn followed(connection: &mut PgConnection) -> Result<BTreeSet<i32>, sqlx::Error> {
    let ids = sqlx::query_scalar!("select id from source where configured")
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().collect())
}
