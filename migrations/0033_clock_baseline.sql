-- The baseline of rules that are evaluated by the clock: what was overdue and matched when
-- the rule was new. What comes into the rule later is told, however long it is overdue.

create table advisoryd.clock_rule (
    rule          text primary key,
    definition_id integer not null,
    evaluated_seq bigint not null
);
comment on table advisoryd.clock_rule is 'How far rules that are evaluated by the clock were evaluated.';
comment on column advisoryd.clock_rule.definition_id is 'Row of `rule`. With another definition, the baseline is taken again.';
comment on column advisoryd.clock_rule.evaluated_seq is 'Last change when the last complete evaluation began.';

create table advisoryd.clock_baseline (
    rule  text not null,
    kind  text not null check (kind in ('advisory', 'ticket')),
    key   text not null,
    since timestamptz not null,
    primary key (rule, kind, key, since)
);
comment on table advisoryd.clock_baseline is 'What was overdue before the rule existed and matched it when the rule was new, or when a first load brought it. A row goes when it no longer matches.';
comment on column advisoryd.clock_baseline.since is 'Beginning of the period in which it has not happened, as in `clock_alert`.';
