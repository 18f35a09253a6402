//! Roles, database and privileges of the private server, brought to this state
//! by the superuser at every start, whatever an earlier version left:
//!
//! - `advisoryd`, the daemon's role: owns its database and nothing else; no
//!   superuser, no `CREATEROLE`, `CREATEDB`, `REPLICATION` or `BYPASSRLS`, no
//!   member of PostgreSQL's predefined roles (`pg_execute_server_program` and
//!   the like would let it leave the database);
//! - `advisoryd_reader`, for readers of the views: no login. The daemon's role
//!   may grant it to others;
//! - schema `public`: only the superuser creates objects in it.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// The role of the server that may do everything. Whoever can connect at all
/// can connect as this role; the daemon uses it only for the set-up.
pub const SUPERUSER: &str = "postgres";

/// The daemon's role and its database.
pub(super) const OWN_NAME: &str = "advisoryd";

/// Creates and corrects the roles. Since PostgreSQL 16 each grant belongs to its
/// grantor and is revoked in that name.
const SET_UP_ROLES: &str = "
do $$
declare
    revoke_predefined_role text;
begin
    if not exists (select from pg_roles where rolname = 'advisoryd') then
        create role advisoryd login;
    end if;
    if not exists (select from pg_roles where rolname = 'advisoryd_reader') then
        create role advisoryd_reader nologin;
    end if;
    if exists (
        select from pg_roles
        where rolname = 'advisoryd'
          and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls))
    then
        alter role advisoryd nosuperuser nocreaterole nocreatedb noreplication nobypassrls;
    end if;
    if not exists (
        select from pg_auth_members
        where roleid = 'advisoryd_reader'::regrole
          and member = 'advisoryd'::regrole
          and admin_option)
    then
        grant advisoryd_reader to advisoryd with admin option;
    end if;
    for revoke_predefined_role in
        select format('revoke %I from advisoryd granted by %I cascade', granted.rolname, grantor.rolname)
        from pg_auth_members m
        join pg_roles granted on granted.oid = m.roleid
        join pg_roles grantor on grantor.oid = m.grantor
        where m.member = 'advisoryd'::regrole
          and granted.rolname like 'pg\\_%'
    loop
        execute revoke_predefined_role;
    end loop;
end
$$";

/// Closes schema `public`, which is on the search path of everybody who connects
/// with psql: up to PostgreSQL 14 every role could create functions there, since
/// then the owner of the database can. The schema may have been dropped.
const CLOSE_PUBLIC: &str = "
do $$
begin
    if exists (
        select from pg_namespace n
        cross join aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as granted
        where n.nspname = 'public'
          and (n.nspowner <> 'postgres'::regrole
               or (granted.privilege_type = 'CREATE'
                   and granted.grantee in (0, 'advisoryd'::regrole, 'pg_database_owner'::regrole))))
    then
        alter schema public owner to postgres;
        revoke create on schema public from public, pg_database_owner, advisoryd;
    end if;
end
$$";

/// How the superuser connects to `database`. No schema that other roles can
/// write to is on its search path.
pub(super) fn superuser(options: PgConnectOptions, database: &str) -> PgConnectOptions {
    options
        .username(SUPERUSER)
        .database(database)
        .options([("search_path", "pg_catalog")])
}

/// One set-up after the other. The future of a set-up may be dropped, but the server goes on
/// with what it was asked: the next set-up would create the same database beside it, and
/// fail. Waits for the sessions of the superuser that are at work and began earlier; a lock
/// could be taken by others.
const TAKE_TURNS: &str = "
do $$
begin
    while exists (
        select from pg_stat_activity other
        join pg_stat_activity own on own.pid = pg_backend_pid()
        where other.usename = current_user and other.datname = current_database()
          and other.state = 'active'
          and (other.backend_start, other.pid) < (own.backend_start, own.pid))
    loop
        perform pg_sleep(0.05);
        perform pg_stat_clear_snapshot();
    end loop;
end
$$";

/// Creates what is missing and corrects what differs. `connection` is the
/// superuser's; `options` say how to reach the server.
pub(super) async fn set_up(
    connection: &mut PgConnection,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    sqlx::raw_sql(TAKE_TURNS).execute(&mut *connection).await?;
    sqlx::raw_sql(SET_UP_ROLES)
        .execute(&mut *connection)
        .await?;
    let has_database: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = 'advisoryd')")
            .fetch_one(&mut *connection)
            .await?;
    if !has_database {
        sqlx::raw_sql("create database advisoryd owner advisoryd")
            .execute(&mut *connection)
            .await?;
    }
    let mut inside = PgConnection::connect_with(&superuser(options, OWN_NAME)).await?;
    sqlx::raw_sql(CLOSE_PUBLIC).execute(&mut inside).await?;
    inside.close().await
}
