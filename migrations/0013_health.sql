-- The program's own condition: what is wrong with what it reads and whom it
-- tells, since when, and how often it was.

alter table source
    add column last_failure   text check (last_failure in ('token_rejected', 'structure_not_recognised', 'request_budget_exhausted', 'other')),
    add column followed_since timestamptz;
comment on column source.last_failure is 'What kind of failure `last_error` is, for programs; null once a run has succeeded.';
comment on column source.followed_since is 'Since when the configuration names it without a break: a source that never was complete is as old as that.';

alter table alerting add column heartbeat_at timestamptz;
comment on column alerting.heartbeat_at is 'The time of `[alerts.heartbeat] schedule` that was last seen to.';

create table condition (
    what        text not null check (what in (
        'data_stale', 'token_rejected', 'structure_not_recognised', 'quarantine_grew',
        'coverage_hole', 'sink_failing', 'request_budget_exhausted')),
    key         text not null,
    occurrence  integer not null,
    is_raised   boolean not null,
    since       timestamptz not null,
    quiet_since timestamptz,
    over_at     timestamptz,
    value       bigint not null,
    summary     text not null,
    primary key (what, key)
);
comment on table condition is 'What was ever wrong, and whether it is. `model::Condition` knows the same names.';
comment on column condition.occurrence is 'How often it was told of as begun; the version of its alerts.';
comment on column condition.quiet_since is 'Since when it no longer holds, while it is watched whether that lasts.';
comment on column condition.over_at is 'When it was last over, before `since` where it has come back.';

create view advisoryd_v1.conditions as
select c.what,
       c.key,
       c.is_raised as holds,
       c.since,
       case when not c.is_raised then c.over_at end as over_at,
       c.occurrence,
       c.value,
       c.summary
from condition c;

comment on view advisoryd_v1.conditions is 'What is or was wrong with this program: each is told when it begins and when it is over.';
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, coverage_hole, sink_failing or request_budget_exhausted; docs/operations.md says what each means.';
comment on column advisoryd_v1.conditions.key is 'What it is about: a watch list, an extra feed, tickets, a sink, or upstream.';
comment on column advisoryd_v1.conditions.holds is 'Whether it does now.';
comment on column advisoryd_v1.conditions.since is 'When it last began.';
comment on column advisoryd_v1.conditions.over_at is 'When it was over; null while it holds.';
comment on column advisoryd_v1.conditions.occurrence is 'How often it was told of as begun.';
comment on column advisoryd_v1.conditions.value is 'The number behind it when it was last told of: seconds of age, sources, records, holes, or failures in a row.';
comment on column advisoryd_v1.conditions.summary is 'What was last told of it.';

do $$
begin
    if exists (select from pg_roles where rolname = 'advisoryd_reader') then
        grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
    end if;
end
$$;
