//! Databases with and without a past.

use sqlx::Connection as _;

use crate::Result;
use crate::place::Database;

/// A trigger that drops what a first load writes for history's sake, or keeps
/// it: both databases of a pair pay for the trigger.
const TRIGGER: [&str; 2] = [
    "create function kept() returns trigger language plpgsql as 'begin return null; end';
     create trigger kept before insert on change for each row execute function kept()",
    "create function kept() returns trigger language plpgsql as 'begin return new; end';
     create trigger kept before insert on change for each row execute function kept()",
];

/// Four former versions of every advisory, a version each 25 days, spread over
/// the days, and the changes that they were. The bench's own load is moved to
/// the beginning of that past, so that the last day is a day like others.
const VERSIONS: &str = "
    update change set at = at - interval '150 days';
    create temp table past as select * from advisory;
    do $$
    begin
        for former in 1..4 loop
            update past
            set version = former,
                title = title || ' (' || former || ')',
                severity_rank = 1 + (upstream_id + former) % 5,
                first_seen_at = now() - interval '125 days',
                changed_at = now() - (125 - 25 * former) * interval '1 day' - (upstream_id * 7919 % 36000) * interval '1 minute';
            insert into advisory_version
            select past.changed_at + interval '25 days', past.*
            from past;
        end loop;
        update advisory
        set version = 5,
            first_seen_at = now() - interval '125 days',
            changed_at = now() - (upstream_id * 7919 % 36000) * interval '1 minute';
    end
    $$;
    with fact as (
        select v.changed_at as at, v.said, v.version, w.what, v.run_id
        from every_advisory_version v
        cross join (values ('revised'), ('escalated')) as w (what)
        where v.version > 1),
    base as (
        update change_counter
        set last = last + (select count(*) from fact)
        returning last - (select count(*) from fact) as base)
    insert into change (seq, at, kind, key, version, what, watch_list_id, run_id)
    select base.base + row_number() over (order by fact.at, fact.said, fact.what),
           fact.at, 'advisory', fact.said, fact.version, fact.what, 1, fact.run_id
    from fact, base";

pub async fn keep_history(database: &Database, keep: bool) -> Result<()> {
    run(database, TRIGGER[usize::from(keep)]).await
}

pub async fn four_former_versions(database: &Database) -> Result<()> {
    run(database, VERSIONS).await
}

async fn run(database: &Database, sql: &'static str) -> Result<()> {
    let pool = advisoryd::store::database::pool(database.options.clone(), 1);
    let mut connection = advisoryd::store::database::connect(&pool).await?;
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
