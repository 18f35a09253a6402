-- Which watch lists upstream has, where `[discovery] watch_lists` asks for them.

create table discovered_list (
    id            bigint primary key,
    name          text,
    enabled       boolean not null,
    discovered_at timestamptz not null,
    vanished_at   timestamptz
);

comment on table discovered_list is 'The watch lists of upstream as the last discovery that was believed found them, and those that are gone since.';
comment on column discovered_list.name is 'As upstream calls it.';
comment on column discovered_list.enabled is 'As upstream says; a list that is not enabled is not followed.';
comment on column discovered_list.discovered_at is 'When it was first found.';
comment on column discovered_list.vanished_at is 'When upstream no longer named it; null while it does.';

create table discovery (
    singleton       boolean primary key default true check (singleton),
    last_attempt_at timestamptz,
    last_success_at timestamptz,
    last_error      text,
    doubted_at      timestamptz,
    doubted         bigint[] not null default '{}'
);
insert into discovery default values;

comment on table discovery is 'How discovery fares: one row.';
comment on column discovery.last_error is 'What the last one failed with; null once one has succeeded.';
comment on column discovery.doubted_at is 'When an answer first was not believed because it lost too many lists; null when the last complete one was believed.';
comment on column discovery.doubted is 'The lists that this answer lost.';

create table discovery_request (
    at       timestamptz not null,
    requests bigint not null
);
create index discovery_request_by_time on discovery_request (at);

comment on table discovery_request is 'What discovery asked of upstream in the last days, for the account''s daily limit.';

comment on column source.configured is 'Whether it is followed now: the configuration names it, or discovery found it. A list that is no longer followed keeps its rows.';

create or replace view advisoryd_v1.watch_lists as
select s.watch_list_id as id,
       s.name,
       s.configured,
       (select count(*) from sighting g where g.source_id = s.id) as advisories,
       s.last_attempt_at,
       s.last_success_at,
       greatest(now() - upper(s.covered), interval '0') as data_age,
       s.last_error,
       d.id is not null and d.vanished_at is null as discovered,
       d.enabled,
       d.discovered_at,
       d.vanished_at
from source s
left join discovered_list d on d.id = s.watch_list_id
where s.kind = 'watch_list';

comment on view advisoryd_v1.watch_lists is 'The watch lists that are or were followed or discovered, and how fresh what we know of each is.';
comment on column advisoryd_v1.watch_lists.name is 'From the configuration, else as upstream calls it.';
comment on column advisoryd_v1.watch_lists.configured is 'Whether it is followed now: the configuration names it, or discovery found it enabled.';
comment on column advisoryd_v1.watch_lists.discovered is 'Whether the last discovery found it upstream.';
comment on column advisoryd_v1.watch_lists.enabled is 'Whether upstream says that it is enabled; null where it was never discovered.';
comment on column advisoryd_v1.watch_lists.discovered_at is 'When it was first discovered.';
comment on column advisoryd_v1.watch_lists.vanished_at is 'When upstream no longer named it; null while it does.';
