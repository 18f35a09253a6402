//! Stored errors and other texts about what was read, sent and decided: they may repeat what
//! others sent.

use futures_util::stream::BoxStream;
use serde_json::Value;
use sqlx::PgConnection;

/// All texts, each with its column (or its table, if two columns of a row are texts: a
/// statement writes a row once) and the key of its row.
pub fn read(connection: &mut PgConnection) -> BoxStream<'_, Result<Value, sqlx::Error>> {
    sqlx::query_scalar!(
        r#"select jsonb_build_object('column', 'condition.summary', 'id', what || ' ' || key, 'text', summary) as "row!"
           from condition
           union all
           select jsonb_build_object('column', 'daemon.refused', 'id', id::text, 'text', refused)
           from daemon
           where refused is not null
           union all
           select jsonb_build_object('column', 'discovery.last_error', 'id', singleton::text, 'text', last_error)
           from discovery
           where last_error is not null
           union all
           select jsonb_build_object('column', 'enrichment.last_error', 'id', kind, 'text', last_error)
           from enrichment
           where last_error is not null
           union all
           select jsonb_build_object('column', 'judged_value', 'id', seq || ' ' || rule_id, 'text', actual, 'other', required)
           from judged_value
           union all
           select jsonb_build_object('column', 'mirror.last_error', 'id', watch_list_id || ' ' || kind, 'text', last_error)
           from mirror
           where last_error is not null
           union all
           select jsonb_build_object('column', 'sink.last_error', 'id', name, 'text', last_error)
           from sink
           where last_error is not null
           union all
           select jsonb_build_object('column', 'source', 'id', id::text, 'text', last_error, 'other', served_why)
           from source
           where last_error is not null
              or served_why is not null
           union all
           select jsonb_build_object('column', 'wanted_detail.last_error', 'id', said, 'text', last_error)
           from wanted_detail
           where last_error is not null"#
    )
    .fetch(connection)
}

/// Writes texts that were changed; returns how many.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub async fn write(connection: &mut PgConnection, rows: &[Value]) -> Result<u64, sqlx::Error> {
    let changed = sqlx::query_scalar!(
        r#"with n as (
             select n.*
             from unnest($1::jsonb[]) as one
             cross join lateral jsonb_to_record(one) as n ("column" text, id text, "text" text, other text)
         ),
         condition_summary as (
             update condition t
             set summary = n.text
             from n
             where n.column = 'condition.summary'
               and t.what || ' ' || t.key = n.id
             returning 1
         ),
         daemon_refused as (
             update daemon t
             set refused = n.text
             from n
             where n.column = 'daemon.refused'
               and t.id::text = n.id
             returning 1
         ),
         discovery_last_error as (
             update discovery t
             set last_error = n.text
             from n
             where n.column = 'discovery.last_error'
               and t.singleton::text = n.id
             returning 1
         ),
         enrichment_last_error as (
             update enrichment t
             set last_error = n.text
             from n
             where n.column = 'enrichment.last_error'
               and t.kind = n.id
             returning 1
         ),
         judged_value_both as (
             update judged_value t
             set actual = n.text,
                 required = n.other
             from n
             where n.column = 'judged_value'
               and t.seq || ' ' || t.rule_id = n.id
             returning 1
         ),
         mirror_last_error as (
             update mirror t
             set last_error = n.text
             from n
             where n.column = 'mirror.last_error'
               and t.watch_list_id || ' ' || t.kind = n.id
             returning 1
         ),
         sink_last_error as (
             update sink t
             set last_error = n.text
             from n
             where n.column = 'sink.last_error'
               and t.name = n.id
             returning 1
         ),
         source_both as (
             update source t
             set last_error = n.text,
                 served_why = n.other
             from n
             where n.column = 'source'
               and t.id::text = n.id
             returning 1
         ),
         wanted_detail_last_error as (
             update wanted_detail t
             set last_error = n.text
             from n
             where n.column = 'wanted_detail.last_error'
               and t.said = n.id
             returning 1
         )
         select (select count(*) from condition_summary)
              + (select count(*) from daemon_refused)
              + (select count(*) from discovery_last_error)
              + (select count(*) from enrichment_last_error)
              + (select count(*) from judged_value_both)
              + (select count(*) from mirror_last_error)
              + (select count(*) from sink_last_error)
              + (select count(*) from source_both)
              + (select count(*) from wanted_detail_last_error) as "changed!""#,
        rows
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(changed).unwrap_or(0))
}
