-- Which daemons run, and what state a watch list is in.

create table advisoryd.daemon (
    id         bigint primary key generated always as identity,
    host       text not null,
    pid        integer not null,
    machine    text,
    started    bigint,
    version    text not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null,
    stopped_at timestamptz,
    refused    text
);

comment on table advisoryd.daemon is 'Daemons that work with this database, and the last ones that did. By the clock of the database.';
comment on column advisoryd.daemon.host is 'Name of its machine.';
comment on column advisoryd.daemon.pid is 'Its process.';
comment on column advisoryd.daemon.machine is 'Boot and process namespace in which pid is valid. Null if unknown.';
comment on column advisoryd.daemon.started is 'When the process started, in clock ticks since the boot.';
comment on column advisoryd.daemon.version is 'Its version.';
comment on column advisoryd.daemon.started_at is 'When it began to work with this database.';
comment on column advisoryd.daemon.seen_at is 'When it last renewed this row, which it does every 15 seconds.';
comment on column advisoryd.daemon.stopped_at is 'When it stopped in good order; null while it runs and after a crash.';
comment on column advisoryd.daemon.refused is 'Why its last reload of the configuration was refused; null if it was not.';

create or replace view advisoryd_v1.watch_lists as
select s.watch_list_id as id,
       s.name,
       s.configured,
       (select count(*) from advisoryd.sighting g where g.source_id = s.id and g.left_at is null) as advisories,
       s.last_attempt_at,
       s.last_success_at,
       greatest(now() - upper(s.covered), interval '0') as data_age,
       s.last_error,
       d.id is not null and d.vanished_at is null as discovered,
       d.enabled,
       d.discovered_at,
       d.vanished_at,
       s.full_at as last_full_at,
       case
           when not s.configured then 'off'
           when s.last_failure = 'list_missing' then 'missing'
           when s.last_error is not null or upper(s.covered) > now() + interval '5 minutes' then 'failing'
           when s.last_success_at is null then null
           when exists (
               select
               from advisoryd.condition c
               where c.what = 'list_quiet'
                 and c.key = 'watch list ' || s.watch_list_id
                 and c.is_raised) then 'quiet'
           else 'ok'
       end as state
from advisoryd.source s
left join advisoryd.discovered_list d on d.id = s.watch_list_id
where s.kind = 'watch_list';

comment on column advisoryd_v1.watch_lists.state is '`off` (not followed), `missing` (upstream has no such list), `failing` (the last run failed, or the coverage ends in the future), `quiet` (it brings less than usual) or `ok`. Null before the first run has ended. Whether the data is fresh is data_age.';
