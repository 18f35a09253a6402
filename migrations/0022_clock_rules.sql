-- Rules that are evaluated by the clock: what has not happened for some time, and reminders.
-- Messages that wait for a digest or the end of a mute time.

create table advisoryd.clock_alert (
    rule     text not null,
    kind     text not null check (kind in ('advisory', 'ticket')),
    key      text not null,
    since    timestamptz not null,
    at       timestamptz not null,
    alert_id uuid not null,
    primary key (rule, kind, key, since)
);
comment on table advisoryd.clock_alert is 'What rules with ticket_open_for, without_ticket_for or no_solution_for have found, and reminders. It stays when retention deletes the alert, so that it is not raised again.';
comment on column advisoryd.clock_alert.since is 'Beginning of the period in which it has not happened. Each period has one alert.';
comment on column advisoryd.clock_alert.at is 'When the rule found it.';

comment on column advisoryd_v1.alerts.what is 'Kind of change, as in changes; for rules that are evaluated by the clock ticket_open, without_ticket, no_solution, unacknowledged or reminder; for alerts about advisoryd itself, the condition.';
comment on column advisoryd_v1.alerts.version is 'Version that the change created, or the current one; for alerts about advisoryd itself, the number of the occurrence.';

alter table advisoryd.message add column is_held boolean not null default false;
comment on column advisoryd.message.is_held is 'Whether it waits for a digest or the end of a mute time: nothing sends it before closes_at.';
