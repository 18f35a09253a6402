//! What the schema does must not depend on the search_path of whoever uses it:
//! a user who may create functions in `public` must not run code as a superuser
//! that selects from the views, or maintains the tables.

use advisoryd::cluster::SUPERUSER;
use advisoryd::job::tickets::sync::TicketSync;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::support::{World, database};

/// A namesake in `public` of every function and operator of PostgreSQL that can
/// have one, and overloads that fit an untyped literal better than the original.
const HOSTILE: &str = r"
do $$
declare
    original record;
begin
    for original in
        select p.proname, pg_get_function_identity_arguments(p.oid) as arguments,
               pg_get_function_result(p.oid) as result
        from pg_proc p
        where p.pronamespace = 'pg_catalog'::regnamespace
          and p.prokind = 'f'
          and not p.proretset
          and p.prorettype <> 'internal'::regtype
        union all
        values ('to_tsvector', 'text, text', 'tsvector'),
               ('jsonb_to_tsvector', 'text, jsonb, text', 'tsvector')
    loop
        begin
            execute format(
                'create function public.%I(%s) returns %s language plpgsql immutable as %L',
                original.proname, original.arguments, original.result,
                format('begin raise exception ''hostile %s ran''; end', original.proname));
        exception
            when others then null; -- of a type that such a function cannot have
        end;
    end loop;
    for original in
        select o.oprname, p.proname,
               concat_ws(', ', 'leftarg = ' || nullif(o.oprleft, 0)::regtype, 'rightarg = ' || o.oprright::regtype) as arguments
        from pg_operator o
        join pg_proc p on p.oid = o.oprcode
        where o.oprnamespace = 'pg_catalog'::regnamespace
    loop
        begin
            execute format(
                'create operator public.%s (%s, function = public.%I)',
                original.oprname, original.arguments, original.proname);
        exception
            when others then null; -- its function could not be made
        end;
    end loop;
end
$$";

/// The default, where an overload comes into play, and one that puts the
/// namesakes before the originals; each with a call that shows that it does.
const PATHS: &[(&str, &str)] = &[
    (
        r#""$user", public"#,
        "copy (select to_tsvector('pg_catalog.english', 'a'::text)) to '/dev/null'",
    ),
    (
        "public, pg_catalog",
        "copy (select 'a'::text || 'b'::text) to '/dev/null'",
    ),
];

/// What is asked for with them: by `copy`, since sqlx would ask for the columns'
/// types through operators of its own.
const STATEMENTS: &[&str] = &[
    "copy (select * from advisoryd_v1.advisories_as_of('2999-01-01')) to '/dev/null'",
    "copy (select * from advisoryd_v1.tickets_as_of('2999-01-01')) to '/dev/null'",
    "update advisoryd.advisory set title = title, criticality = criticality, products = products",
    "update advisoryd.advisory_version set title = title",
    "update advisoryd.ticket set title = title",
    "update advisoryd.source set kind = kind",
    "update advisoryd.sync_run set outcome = outcome",
    "reindex index advisoryd.advisory_by_text",
    "reindex index advisoryd.advisory_by_product",
    "reindex schema advisoryd",
    "analyze advisoryd.advisory",
    "analyze",
];

async fn views(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select format('copy (select * from advisoryd_v1.%I) to ''/dev/null''', viewname)
         from pg_views
         where schemaname = 'advisoryd_v1'",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

async fn as_superuser(world: &World) -> PgConnection {
    let options = world.pool().connect_options().as_ref().clone();
    options.username(SUPERUSER).connect().await.unwrap()
}

async fn ask(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}

#[tokio::test]
async fn functions_in_public_never_run_for_who_uses_the_schema() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let statements: Vec<String> = views(&world)
        .await
        .into_iter()
        .chain(STATEMENTS.iter().map(|&statement| statement.to_owned()))
        .collect();
    assert!(statements.len() > 25, "{statements:?}");

    let mut superuser = as_superuser(&world).await;
    let mallory = format!("mallory_{}", world.database.name);
    let setup = format!(
        "create role {mallory}; grant create, usage on schema public to {mallory}; set role {mallory}"
    );
    ask(&mut superuser, &setup).await.unwrap();
    ask(&mut superuser, HOSTILE).await.unwrap();
    ask(&mut superuser, "reset role").await.unwrap();

    for (path, effective) in PATHS {
        let set = format!("set search_path = {path}");
        ask(&mut superuser, &set).await.unwrap();
        let error = ask(&mut superuser, effective).await.unwrap_err();
        assert!(error.to_string().contains("hostile"), "{path}: {error}");
        for statement in &statements {
            ask(&mut superuser, statement)
                .await
                .unwrap_or_else(|error| panic!("search_path {path}: {statement}: {error}"));
        }
    }
}

#[tokio::test]
async fn every_function_is_bound_when_it_is_created() {
    let database = database().await;
    let (all, unbound): (i64, Vec<String>) = sqlx::query_as(
        "select count(*),
                coalesce(array_agg(p.oid::regprocedure::text) filter (
                    where p.prosqlbody is null
                      and not exists (
                          select
                          from unnest(p.proconfig) as setting
                          where setting like 'search_path=%')), '{}')
         from pg_proc p
         where p.pronamespace in ('advisoryd'::regnamespace, 'advisoryd_v1'::regnamespace)",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert!(all >= 9, "{all} functions");
    assert!(
        unbound.is_empty(),
        "write `return …` or `begin atomic`, not a body in quotes: {unbound:?}"
    );
}
