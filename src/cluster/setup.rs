//! Roles, database and privileges of the private server, brought to this state
//! by the superuser at every start, whatever an earlier version left:
//!
//! - `advisoryd`, the daemon's role: owns its database and nothing else; no
//!   superuser, no `CREATEROLE`, `CREATEDB`, `REPLICATION` or `BYPASSRLS`, no
//!   member of PostgreSQL's predefined roles (`pg_execute_server_program` and
//!   the like would let it leave the database);
//! - `advisoryd_reader`, for readers of the views: no login. The daemon's role
//!   may grant it to others;
//! - for the group of `[database] share_with`, if there is one: `advisoryd_group`, which
//!   people and Grafana connect as and which is nothing but a reader of the views, and
//!   `advisoryd_commands`, which commands of members connect as and which may read all
//!   tables, as commands do;
//! - schema `public`: only the superuser creates objects in it;
//! - advisory locks: only the superuser takes any.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// The role of the server that may do everything. Whoever can connect at all
/// can connect as this role; the daemon uses it only for the set-up.
pub const SUPERUSER: &str = "postgres";

/// The daemon's role and its database.
pub(super) const OWN_NAME: &str = "advisoryd";

/// The role that members of the group connect as, with psql or Grafana.
pub(super) const GROUP_ROLE: &str = "advisoryd_group";

/// The role that commands of members connect as.
pub(super) const COMMANDS_ROLE: &str = "advisoryd_commands";

/// Creates and corrects the roles of the group. Together they leave most of the server's
/// hundred connections to the daemon, and each query of theirs most of the disk. A role may
/// change its own settings, for all of its sessions: every start removes that.
const SET_UP_GROUP: &str = "
do $$
declare
    revoke_other_role text;
begin
    if not exists (select from pg_roles where rolname = 'advisoryd_group') then
        create role advisoryd_group;
    end if;
    if not exists (select from pg_roles where rolname = 'advisoryd_commands') then
        create role advisoryd_commands;
    end if;
    alter role advisoryd_group login inherit nosuperuser nocreaterole nocreatedb noreplication
        nobypassrls connection limit 30;
    alter role advisoryd_commands login inherit nosuperuser nocreaterole nocreatedb
        noreplication nobypassrls connection limit 30;
    alter role advisoryd_group reset all;
    alter role advisoryd_commands reset all;
    alter role advisoryd_group in database advisoryd reset all;
    alter role advisoryd_commands in database advisoryd reset all;
    alter role advisoryd_group set default_transaction_read_only = on;
    alter role advisoryd_commands set default_transaction_read_only = on;
    alter role advisoryd_group set temp_file_limit = '1GB';
    alter role advisoryd_commands set temp_file_limit = '1GB';
    alter role advisoryd_group set client_connection_check_interval = '10s';
    alter role advisoryd_commands set client_connection_check_interval = '10s';
    for revoke_other_role in
        select format('revoke %I from %I granted by %I cascade', granted.rolname, member.rolname, grantor.rolname)
        from pg_auth_members m
        join pg_roles granted on granted.oid = m.roleid
        join pg_roles member on member.oid = m.member
        join pg_roles grantor on grantor.oid = m.grantor
        where (member.rolname = 'advisoryd_group' and granted.rolname <> 'advisoryd_reader')
           or (member.rolname = 'advisoryd_commands' and granted.rolname <> 'pg_read_all_data')
    loop
        execute revoke_other_role;
    end loop;
    grant advisoryd_reader to advisoryd_group;
    grant pg_read_all_data to advisoryd_commands;
end
$$";

/// Members of the group cannot make temporary tables; the daemon's role, as the owner of the
/// database, still can.
const CLOSE_TEMPORARY: &str = "revoke temporary on database advisoryd from public";

/// Large objects need no privilege on any table; advisoryd uses none.
const CLOSE_LARGE_OBJECTS: &str = "
do $$
begin
    if has_function_privilege('public', 'pg_catalog.lo_create(oid)', 'execute') then
        revoke execute on function
            pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
            pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_put(oid, bigint, bytea),
            pg_catalog.lowrite(integer, bytea), pg_catalog.lo_truncate(integer, integer),
            pg_catalog.lo_truncate64(integer, bigint)
        from public;
    end if;
end
$$";

/// Advisory locks need no privilege on any table, and share the lock table of the whole server
/// with all other locks: a loop of one session could fill it. advisoryd takes none.
const CLOSE_ADVISORY_LOCKS: &str = "
do $$
declare
    lock_function regprocedure;
begin
    for lock_function in
        select oid from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace
          and proname ~ '^pg_(try_)?advisory_'
          and has_function_privilege('public', oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', lock_function);
    end loop;
end
$$";

/// The privileges of functions are those of one database: members of the group connect to no
/// other one.
const CLOSE_OTHER_DATABASES: &str = "
do $$
declare
    other_database text;
begin
    for other_database in
        select datname from pg_database
        where datname <> 'advisoryd' and has_database_privilege('public', oid, 'connect')
    loop
        execute format('revoke connect on database %I from public', other_database);
    end loop;
end
$$";

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
/// superuser's; `options` say how to reach the server. `is_shared`: members of a group may
/// read.
pub(super) async fn set_up(
    connection: &mut PgConnection,
    options: PgConnectOptions,
    is_shared: bool,
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
    if is_shared {
        for statement in [SET_UP_GROUP, CLOSE_TEMPORARY, CLOSE_OTHER_DATABASES] {
            sqlx::raw_sql(statement).execute(&mut *connection).await?;
        }
    }
    let mut inside = PgConnection::connect_with(&superuser(options, OWN_NAME)).await?;
    for statement in [CLOSE_PUBLIC, CLOSE_LARGE_OBJECTS, CLOSE_ADVISORY_LOCKS] {
        sqlx::raw_sql(statement).execute(&mut inside).await?;
    }
    inside.close().await
}
