-- The baseline of rules that are evaluated by the clock: what was overdue and matched when
-- the rule was new. What comes into the rule later is told, however long it is overdue.

create table advisoryd.clock_rule (
    rule          text primary key,
    definition_id integer not null,
    evaluated_seq bigint not null
);
comment on table advisoryd.clock_rule is 'Progress of each rule that is evaluated by the clock.';
comment on column advisoryd.clock_rule.definition_id is 'References `rule.id`. If the definition of the rule changes, the baseline is determined again.';
comment on column advisoryd.clock_rule.evaluated_seq is 'Value of `change.seq` of the newest change when the last complete evaluation began.';

create table advisoryd.clock_baseline (
    rule  text not null,
    kind  text not null check (kind in ('advisory', 'ticket')),
    key   text not null,
    since timestamptz not null,
    primary key (rule, kind, key, since)
);
comment on table advisoryd.clock_baseline is 'What was overdue before the rule existed and matched it when the rule was new, or when a first load brought it. A row is deleted when its advisory or ticket no longer matches the rule.';
comment on column advisoryd.clock_baseline.since is 'Start of the period during which the expected event has not happened; same value as in `clock_alert`.';
