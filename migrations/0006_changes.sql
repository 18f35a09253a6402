-- Every change as a fact with a number that a consumer can remember.

create table change (
    seq           bigint primary key,
    at            timestamptz not null,
    kind          text not null check (kind in ('advisory', 'ticket')),
    key           text not null,
    version       integer not null,
    what          text not null check (what in (
                      'appeared', 'joined_watch_list', 'revised', 'escalated', 'deescalated',
                      'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
                      'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
                      'ticket_assigned', 'ticket_gone', 'ticket_returned')),
    watch_list_id bigint,
    run_id        bigint not null
);
create index change_by_key on change (key, seq);
create index change_by_time on change (at);

create table change_counter (
    singleton boolean primary key default true check (singleton),
    last      bigint not null
);
insert into change_counter (last) values (0);

comment on table change is 'What happened to advisories and tickets, one row per fact.';
comment on column change.seq is 'Without holes and in the order of commits: taken from change_counter, whose row stays locked until the commit.';
comment on column change.watch_list_id is 'The watch list it came through; null for extra feeds and tickets.';
comment on table change_counter is 'The last number given. A sequence would leave holes that later fill; this row does not.';

create function is_fixed(solution_status text)
returns boolean language sql immutable parallel safe
as $$
    select coalesce(solution_status, 'None') not in ('None', 'No Fix')
$$;
comment on function is_fixed is 'Whether a solution status means that something can be done.';
