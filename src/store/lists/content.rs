//! The rows of mirrored collections: what watch lists contain, and pending approvals.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{ListItem, MirrorKey, MirrorKind, PendingApproval};

/// The ids of the rows that a collection has.
pub async fn present(
    connection: &mut PgConnection,
    key: MirrorKey,
) -> Result<Vec<String>, sqlx::Error> {
    if key.kind == MirrorKind::Approval {
        return sqlx::query_scalar!(
            "select upstream_id
             from pending_approval
             where left_at is null"
        )
        .fetch_all(connection)
        .await;
    }
    sqlx::query_scalar!(
        "select upstream_id
         from list_content
         where watch_list_id = $1
           and kind = $2
           and left_at is null",
        key.watch_list_id,
        key.kind.name()
    )
    .fetch_all(connection)
    .await
}

/// Records that a complete read no longer found these.
pub async fn leave(
    connection: &mut PgConnection,
    key: MirrorKey,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let left = if key.kind == MirrorKind::Approval {
        sqlx::query!(
            "update pending_approval
             set left_at = greatest($2, first_seen_at)
             where upstream_id = any($1)
               and left_at is null",
            ids,
            now
        )
        .execute(connection)
        .await
    } else {
        sqlx::query!(
            "update list_content
             set left_at = greatest($4, first_seen_at)
             where watch_list_id = $1
               and kind = $2
               and upstream_id = any($3)
               and left_at is null",
            key.watch_list_id,
            key.kind.name(),
            ids,
            now
        )
        .execute(connection)
        .await
    };
    left.map(|_| ())
}

/// Stores what a watch list contains: new rows, names, and that something is back.
pub async fn store_items(
    connection: &mut PgConnection,
    key: MirrorKey,
    items: &[ListItem],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<String> = items.iter().map(|item| item.upstream_id.clone()).collect();
    let names: Vec<Option<String>> = items.iter().map(|item| item.name.clone()).collect();
    sqlx::query!(
        "insert into list_content as c (watch_list_id, kind, upstream_id, name, first_seen_at)
         select $1, $2, n.upstream_id, n.name, $5
         from unnest($3::text[], $4::text[]) as n (upstream_id, name)
         on conflict (watch_list_id, kind, upstream_id) do update
         set name = coalesce(excluded.name, c.name),
             away = case
                 when c.left_at is null then c.away
                 else coalesce(c.away, '{}') + tstzmultirange(tstzrange(c.left_at, greatest($5, c.left_at)))
             end,
             left_at = null
         where c.left_at is not null
            or c.name is distinct from coalesce(excluded.name, c.name)",
        key.watch_list_id,
        key.kind.name(),
        &ids,
        &names as &[Option<String>],
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores a pending approval: a new row, other values, or that it is back.
pub async fn store_approval(
    connection: &mut PgConnection,
    approval: &PendingApproval,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into pending_approval as a
             (upstream_id, watch_list_id, watch_list, said, title, raw, first_seen_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (upstream_id) do update
         set watch_list_id = excluded.watch_list_id,
             watch_list = excluded.watch_list,
             said = excluded.said,
             title = excluded.title,
             raw = excluded.raw,
             away = case
                 when a.left_at is null then a.away
                 else coalesce(a.away, '{}') + tstzmultirange(tstzrange(a.left_at, greatest($7, a.left_at)))
             end,
             left_at = null
         where a.left_at is not null
            or (a.watch_list_id, a.watch_list, a.said, a.title, a.raw)
               is distinct from
               (excluded.watch_list_id, excluded.watch_list, excluded.said, excluded.title, excluded.raw)",
        approval.upstream_id,
        approval.watch_list_id,
        approval.watch_list,
        approval.said,
        approval.title,
        approval.raw,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
