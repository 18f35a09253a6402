//! What the daemon's role may do, whatever an earlier version left.

use std::path::Path;

use advisoryd::cluster::{Cluster, Role, SUPERUSER};
use sqlx::{Connection, Executor, PgConnection};

use super::{connect, open, seeded_state_dir};
use crate::support::state_dir;

async fn as_superuser(cluster: &Cluster) -> PgConnection {
    let options = cluster.connect_options().username(SUPERUSER);
    PgConnection::connect_with(&options).await.unwrap()
}

/// What the role can do beyond its own database; nothing, if all is well.
async fn excess_rights(cluster: &Cluster) -> Vec<String> {
    sqlx::query_scalar(
        "select 'attribute of ' || rolname from pg_roles
         where rolname in ('advisoryd', 'advisoryd_reader')
           and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
                or rolcanlogin <> (rolname = 'advisoryd'))
         union all
         select 'member of ' || granted.rolname
         from pg_auth_members m
         join pg_roles granted on granted.oid = m.roleid
         where m.member = 'advisoryd'::regrole
           and granted.rolname <> 'advisoryd_reader'
         union all
         select 'creates in public: ' || role
         from unnest(array['advisoryd', 'advisoryd_reader']) as role
         where has_schema_privilege(role, 'public', 'create')
         union all
         select 'everybody creates in public'
         from pg_namespace, aclexplode(nspacl) as granted
         where nspname = 'public' and grantee = 0 and privilege_type = 'CREATE'
         union all
         select 'everybody calls ' || proname
         from pg_proc
         where proname ~ 'advisory.*lock' and has_function_privilege('public', oid, 'execute')",
    )
    .fetch_all(&mut as_superuser(cluster).await)
    .await
    .unwrap()
}

async fn refused(cluster: &Cluster, statement: &'static str) {
    let outcome = connect(cluster).await.execute(statement).await;
    let code = outcome.as_ref().err().and_then(|error| {
        error
            .as_database_error()?
            .code()
            .map(std::borrow::Cow::into_owned)
    });
    // insufficient_privilege
    assert_eq!(code.as_deref(), Some("42501"), "{statement}: {outcome:?}");
}

async fn assert_confined(state_dir: &Path) {
    let cluster = open(state_dir, Role::Daemon).await.unwrap();
    assert_eq!(excess_rights(&cluster).await, Vec::<String>::new());
    refused(&cluster, "grant pg_execute_server_program to advisoryd").await;
    refused(&cluster, "create role another").await;
    refused(&cluster, "create table public.planted ()").await;
    refused(&cluster, "copy (select 1) to program 'cat >/dev/null'").await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_role_of_a_new_server_cannot_leave_its_database() {
    let state = state_dir();
    assert_confined(state.path()).await;
}

#[tokio::test]
async fn the_role_of_an_existing_server_is_confined_at_the_next_start() {
    let state = seeded_state_dir();
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    // As an earlier version left it, and what could be done with that.
    as_superuser(&cluster)
        .await
        .execute(
            "drop role advisoryd_reader;
             alter role advisoryd createrole createdb;
             alter schema public owner to pg_database_owner;
             grant execute on function pg_try_advisory_lock(bigint) to public;
             grant create on schema public to public, pg_database_owner",
        )
        .await
        .unwrap();
    connect(&cluster)
        .await
        .execute(
            "create role advisoryd_reader nologin;
             grant pg_execute_server_program to advisoryd;
             grant pg_read_server_files to advisoryd",
        )
        .await
        .unwrap();
    assert!(!excess_rights(&cluster).await.is_empty());
    cluster.stop().await.unwrap();
    assert_confined(state.path()).await;
}

#[tokio::test]
async fn the_daemons_role_can_grant_the_readers_role() {
    let state = seeded_state_dir();
    let cluster = open(state.path(), Role::Daemon).await.unwrap();
    as_superuser(&cluster)
        .await
        .execute("create role grafana login")
        .await
        .unwrap();
    connect(&cluster)
        .await
        .execute("grant advisoryd_reader to grafana")
        .await
        .unwrap();
    cluster.stop().await.unwrap();
}
