//! Grants of the role `advisoryd_reader`, for a role that was created after the schema, or
//! a schema that was restored from a dump without privileges.

use sqlx::PgConnection;

/// The same as migration 0006, if the role exists and cannot use the schema yet. Whoever
/// does not own the schema cannot grant it, and need not.
const GRANT: &str = "
do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'advisoryd_reader')
       and exists (select from pg_catalog.pg_namespace where nspname = 'advisoryd_v1')
       and not pg_catalog.has_schema_privilege('advisoryd_reader', 'advisoryd_v1', 'usage')
    then
        grant usage on schema advisoryd_v1 to advisoryd_reader;
        grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
        alter default privileges in schema advisoryd_v1 grant select on tables to advisoryd_reader;
    end if;
exception
    when insufficient_privilege then
        raise notice 'role advisoryd_reader cannot read schema advisoryd_v1: role % does not own it', current_user;
end
$$";

/// Lets `advisoryd_reader` read the views, if it exists.
pub(super) async fn grant(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(GRANT).execute(connection).await?;
    Ok(())
}
