//! Contents of all tables as counts and checksums, to compare two databases.

use sqlx::PgConnection;

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TableContents {
    /// Name of the table, or `sequence NAME`.
    pub name: String,
    /// Number of rows; the last value of a sequence.
    pub rows: i64,
    /// Sum of the checksums of its rows, whatever their order.
    pub checksum: String,
}

/// Reads every table of schema `advisoryd` to its end, and every sequence, ordered by name.
pub async fn contents(connection: &mut PgConnection) -> Result<Vec<TableContents>, sqlx::Error> {
    // Rows as text depend on these.
    sqlx::raw_sql("set timezone = 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 3; set bytea_output = 'hex'")
        .execute(&mut *connection)
        .await?;
    sqlx::query_as(
        "select c.relname::text as name,
                (xpath('/row/n/text()', counted))[1]::text::bigint as rows,
                (xpath('/row/sum/text()', counted))[1]::text as checksum
         from pg_class c
         cross join lateral query_to_xml(
             format('select count(*) as n,
                            coalesce(sum((''x'' || left(md5(t::text), 15))::bit(60)::bigint), 0) as sum
                     from advisoryd.%I t', c.relname),
             false, true, '') as counted
         where c.relnamespace = 'advisoryd'::regnamespace
           and c.relkind = 'r'
         union all
         select 'sequence ' || sequencename, coalesce(last_value, 0), ''
         from pg_sequences
         where schemaname = 'advisoryd'
         order by 1",
    )
    .fetch_all(connection)
    .await
}

/// Whether the schemas exist, and whether they hold a table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Occupied {
    /// Whether schema `advisoryd` or `advisoryd_v1` exists.
    pub has_schema: bool,
    /// Whether there is a table or view in it.
    pub has_tables: bool,
}

/// What stands in the way of a restore.
pub async fn occupied(connection: &mut PgConnection) -> Result<Occupied, sqlx::Error> {
    sqlx::query_as(
        "select exists (
                    select from pg_namespace
                    where nspname in ('advisoryd', 'advisoryd_v1')) as has_schema,
                exists (
                    select from pg_class c
                    join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname in ('advisoryd', 'advisoryd_v1')) as has_tables",
    )
    .fetch_one(connection)
    .await
}

/// Drops the schemas, which are empty. The restore creates them.
pub async fn drop_empty_schemas(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("drop schema if exists advisoryd_v1; drop schema if exists advisoryd")
        .execute(connection)
        .await?;
    Ok(())
}

/// Major version of the server.
pub async fn server_major(connection: &mut PgConnection) -> Result<u32, sqlx::Error> {
    let number: i32 =
        sqlx::query_scalar("select current_setting('server_version_num')::integer / 10000")
            .fetch_one(connection)
            .await?;
    Ok(u32::try_from(number).unwrap_or_default())
}

/// Lets nobody write until the transaction ends, so that a copy misses nothing. Readers
/// are not held up.
///
/// # Errors
/// The database's, among others `55P03` if somebody has been writing for 10 s.
pub async fn block_writes(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "set local idle_in_transaction_session_timeout = 0;
         set local statement_timeout = 0;
         set local lock_timeout = '10s';
         do $$
         declare
             locked text;
         begin
             for locked in
                 select c.relname
                 from pg_class c
                 where c.relnamespace = 'advisoryd'::regnamespace
                   and c.relkind = 'r'
                 order by 1
             loop
                 execute format('lock table advisoryd.%I in share mode', locked);
             end loop;
         end
         $$",
    )
    .execute(connection)
    .await?;
    Ok(())
}
