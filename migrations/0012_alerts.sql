-- Alerts: what deserves one (rules), what was found of every change
-- (evaluation), the facts (alert), what carries them (message), and the duty to
-- tell each sink (delivery).

alter table source add column baseline_seq bigint;
comment on column source.baseline_seq is 'The last change when the first complete run of this source ended: what it brought until then is no news. Null before.';
update source
set baseline_seq = (select last from change_counter)
where last_success_at is not null;

create table alerting (
    singleton     boolean primary key default true check (singleton),
    evaluated_seq bigint not null
);
insert into alerting (evaluated_seq) select last from change_counter;
comment on table alerting is 'How far the changes were evaluated: all up to this seq, by every rule of that time. Its row is locked while a batch is evaluated.';

create table rule (
    id               integer generated always as identity primary key,
    name             text not null,
    definition       jsonb not null,
    is_current       boolean not null default true,
    at               timestamptz not null,
    after_seq        bigint not null,
    until_seq        bigint,
    baseline_matches bigint
);
create unique index rule_current on rule (name) where is_current;
comment on table rule is 'Every definition that a rule of the configuration has had.';
comment on column rule.after_seq is 'It sees the changes after this one. What was stored when the rule was new is its baseline.';
comment on column rule.until_seq is 'The last change that it saw; null while it is followed.';
comment on column rule.baseline_matches is 'How many advisories were stored when the rule was new that it would have matched; null until they were counted.';

create table verdict (
    code    smallint primary key,
    verdict text not null,
    clause  text
);
comment on table verdict is 'What an evaluation can find; `model::Verdict` knows the same codes.';
insert into verdict (code, verdict, clause)
values
    (0, 'matched', null),
    (1, 'not_asked', null),
    (2, 'not_followed', null),
    (3, 'baseline', null);
insert into verdict (code, verdict, clause)
select base.code + c.code, base.verdict, c.clause
from (values (100, 'clause_false'), (200, 'value_missing')) as base (code, verdict)
cross join (
    values
        (0, 'severity'), (1, 'watch_lists'), (2, 'cvss2'), (3, 'cvss3'), (4, 'cvss4'), (5, 'zero_day'),
        (6, 'attack_vector'), (7, 'cve'), (8, 'product'), (9, 'title'), (10, 'threat_score'),
        (11, 'solution_status'), (12, 'ticket_status'), (13, 'ticket_assignee'), (14, 'ticket_priority'),
        (15, 'ticket_queue'), (16, 'not')) as c (code, clause);

create table evaluation (
    seq      bigint primary key,
    at       timestamptz not null,
    rules    integer[] not null,
    verdicts smallint[] not null
);
create index evaluation_by_time on evaluation (at);
comment on table evaluation is 'What every rule that asks for a change of its kind found of it: a verdict for each rule, in the same order.';

create table silence (
    id         bigint generated always as identity primary key,
    matchers   jsonb not null,
    reason     text not null,
    created_by text not null,
    created_at timestamptz not null,
    until      timestamptz not null,
    expired_at timestamptz
);
comment on table silence is 'What nobody wants to hear of for a while. An alert that it silences is recorded and not sent.';
comment on column silence.matchers is 'Patterns by field; all must match.';

create table message (
    id        uuid primary key,
    rule      text not null,
    purpose   text not null check (purpose in ('alert', 'health', 'heartbeat', 'test')),
    opened_at timestamptz not null,
    closes_at timestamptz not null,
    sealed_at timestamptz,
    alerts    integer not null default 0,
    has_ends  boolean not null default false
);
create unique index message_gathering on message (rule) where sealed_at is null;
create index message_by_time on message (opened_at);
create index message_to_seal on message (closes_at) where sealed_at is null;
comment on table message is 'What is sent at once: one alert, or those of a rule that came within its `group` time.';
comment on column message.id is 'The id of its first alert: sent again, it is the same.';
comment on column message.has_ends is 'Whether one of its alerts says that something is over: where alerts are kept, it goes after what it ends.';
comment on column message.sealed_at is 'When it took no more alerts; only then it is sent.';

create table alert (
    id            uuid primary key,
    rule          text not null,
    kind          text not null check (kind in ('advisory', 'ticket', 'advisoryd')),
    key           text not null,
    version       integer not null,
    what          text not null,
    watch_list_id bigint,
    seq           bigint,
    at            timestamptz not null,
    raised_at     timestamptz not null,
    is_resolved   boolean not null default false,
    is_shadow     boolean not null default false,
    silence_id    bigint references silence (id),
    message_id    uuid references message (id),
    body          jsonb not null
);
create index alert_by_key on alert (key, rule);
create index alert_by_time on alert (raised_at desc);
create index alert_by_message on alert (message_id);
create index alert_by_silence on alert (silence_id) where silence_id is not null;
comment on table alert is 'One fact that a rule found worth telling. Its id is derived from rule, key, version, kind of change and list, so that there is one row for it whatever happens.';
comment on column alert.body is 'What receivers are told of it, as it was when it was raised.';

create table delivery (
    id           bigint generated always as identity primary key,
    message_id   uuid not null references message (id),
    sink         text not null,
    state        text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead_letter')),
    failures     integer not null default 0,
    due_at       timestamptz not null,
    leased_until timestamptz,
    fence        integer not null default 0,
    settled_at   timestamptz,
    last_status  integer,
    last_error   text,
    unique (message_id, sink)
);
create index delivery_due on delivery (sink, due_at, id) where state = 'waiting';
create index delivery_dead on delivery (sink, settled_at) where state = 'dead_letter';
comment on table delivery is 'The duty to tell one sink of one message.';
comment on column delivery.leased_until is 'A claim that is neither settled nor renewed by then is due again: a crash costs a repeat, never a loss.';
comment on column delivery.fence is 'Counts the claims: whoever settles must name the last one.';

create table delivery_attempt (
    delivery_id bigint not null references delivery (id) on delete cascade,
    attempt     integer not null,
    at          timestamptz not null,
    latency     interval not null,
    outcome     text not null check (outcome in ('delivered', 'postponed', 'abandoned')),
    status      integer,
    answer      text not null,
    error       text,
    primary key (delivery_id, attempt)
);
comment on table delivery_attempt is 'What came of each attempt that ended.';

create table sink (
    name            text primary key,
    kind            text not null,
    configured      boolean not null default true,
    failures        integer not null default 0,
    failing_since   timestamptz,
    last_error      text,
    last_success_at timestamptz
);
comment on table sink is 'The sinks of the configuration, and how they are.';
comment on column sink.failures is 'Attempts that failed since the last one that did not.';

create view advisoryd_v1.alerts as
select a.id,
       a.rule,
       a.what,
       a.kind,
       a.key,
       a.version,
       a.watch_list_id,
       a.at,
       a.raised_at,
       case
           when a.silence_id is not null then 'silenced'
           when a.is_shadow then 'shadow'
           when a.message_id is null then 'recorded'
           when m.sealed_at is null then 'gathering'
           when d.waiting > 0 then 'waiting'
           when d.dead > 0 then 'dead_letter'
           else 'delivered'
       end as state,
       a.is_resolved,
       a.message_id,
       a.silence_id,
       a.seq,
       a.body ->> 'title' as title,
       a.body ->> 'summary' as summary,
       a.body ->> 'severity' as severity,
       a.body
from alert a
left join message m on m.id = a.message_id
left join lateral (
    select count(*) filter (where state = 'waiting') as waiting,
           count(*) filter (where state = 'dead_letter') as dead
    from delivery
    where delivery.message_id = a.message_id) as d on true;

comment on view advisoryd_v1.alerts is 'Every fact that a rule found worth telling, once. NOTIFY advisoryd_alerts wakes listeners.';
comment on column advisoryd_v1.alerts.id is 'Derived from rule, key, version, kind of change and list: the same fact has the same id.';
comment on column advisoryd_v1.alerts.rule is 'The rule of the configuration; advisoryd for the program''s own.';
comment on column advisoryd_v1.alerts.what is 'What happened, as in changes; for the program''s own alerts, the condition.';
comment on column advisoryd_v1.alerts.kind is 'advisory, ticket, or advisoryd for the program''s own.';
comment on column advisoryd_v1.alerts.key is 'The advisory''s said, the ticket''s id, or what of the program it is about.';
comment on column advisoryd_v1.alerts.version is 'The version that the change made; for the program''s own alerts, which time it happened.';
comment on column advisoryd_v1.alerts.watch_list_id is 'The watch list that the change came through.';
comment on column advisoryd_v1.alerts.at is 'When we learned of the change.';
comment on column advisoryd_v1.alerts.raised_at is 'When a rule matched it.';
comment on column advisoryd_v1.alerts.state is 'gathering (its message still takes in others), waiting (not told to every sink yet), delivered, dead_letter (a sink was given up), silenced, shadow (a rule that sends nothing), recorded (a rule without sinks).';
comment on column advisoryd_v1.alerts.is_resolved is 'It says that it is over: the advisory was rejected, the program recovered.';
comment on column advisoryd_v1.alerts.message_id is 'What carries it; webhook-id of a webhook.';
comment on column advisoryd_v1.alerts.silence_id is 'The silence that kept it from being sent.';
comment on column advisoryd_v1.alerts.seq is 'The change; null for what was raised without one.';
comment on column advisoryd_v1.alerts.title is 'Title of the advisory or ticket then.';
comment on column advisoryd_v1.alerts.summary is 'One sentence: what happened.';
comment on column advisoryd_v1.alerts.severity is 'Severity then.';
comment on column advisoryd_v1.alerts.body is 'What receivers are told of it.';

create view advisoryd_v1.deliveries as
select d.id,
       d.message_id,
       d.sink,
       m.rule,
       m.purpose,
       m.alerts,
       d.state,
       d.failures,
       case when d.state = 'waiting' then d.due_at end as due_at,
       d.settled_at,
       d.last_status,
       d.last_error,
       m.opened_at,
       m.sealed_at
from delivery d
join message m on m.id = d.message_id;

comment on view advisoryd_v1.deliveries is 'The duty to tell each sink of each message, and what became of it.';
comment on column advisoryd_v1.deliveries.id is 'Our number for it.';
comment on column advisoryd_v1.deliveries.message_id is 'What is to be told.';
comment on column advisoryd_v1.deliveries.sink is 'To whom.';
comment on column advisoryd_v1.deliveries.rule is 'Which rule asks for it.';
comment on column advisoryd_v1.deliveries.purpose is 'alert, health (the program''s own), heartbeat or test.';
comment on column advisoryd_v1.deliveries.alerts is 'How many alerts the message holds.';
comment on column advisoryd_v1.deliveries.state is 'waiting, delivered or dead_letter.';
comment on column advisoryd_v1.deliveries.failures is 'Attempts that failed so far.';
comment on column advisoryd_v1.deliveries.due_at is 'When it is tried next; null when it is settled.';
comment on column advisoryd_v1.deliveries.settled_at is 'When it was delivered or given up.';
comment on column advisoryd_v1.deliveries.last_status is 'Status of the last answer: HTTP''s, SMTP''s, an exit status.';
comment on column advisoryd_v1.deliveries.last_error is 'What the last attempt failed with.';
comment on column advisoryd_v1.deliveries.opened_at is 'When the message began to gather alerts.';
comment on column advisoryd_v1.deliveries.sealed_at is 'When it took no more; null while it gathers.';

create view advisoryd_v1.delivery_attempts as
select a.delivery_id,
       a.attempt,
       d.message_id,
       d.sink,
       a.at,
       a.latency,
       a.outcome,
       a.status,
       a.answer,
       a.error
from delivery_attempt a
join delivery d on d.id = a.delivery_id;

comment on view advisoryd_v1.delivery_attempts is 'Every attempt to deliver that ended.';
comment on column advisoryd_v1.delivery_attempts.delivery_id is 'Which delivery.';
comment on column advisoryd_v1.delivery_attempts.attempt is 'Which claim of it; a number is missing where a process died between claim and settlement.';
comment on column advisoryd_v1.delivery_attempts.message_id is 'What was told.';
comment on column advisoryd_v1.delivery_attempts.sink is 'To whom.';
comment on column advisoryd_v1.delivery_attempts.at is 'When it began.';
comment on column advisoryd_v1.delivery_attempts.latency is 'How long it took.';
comment on column advisoryd_v1.delivery_attempts.outcome is 'delivered, postponed (tried again later) or abandoned (dead letter).';
comment on column advisoryd_v1.delivery_attempts.status is 'Status of the answer, where there was one.';
comment on column advisoryd_v1.delivery_attempts.answer is 'The beginning of the answer.';
comment on column advisoryd_v1.delivery_attempts.error is 'What it failed with.';

create view advisoryd_v1.rule_evaluations as
select e.seq,
       e.at,
       c.kind,
       c.key,
       c.version,
       c.what,
       r.name as rule,
       v.verdict,
       v.clause
from evaluation e
join change c on c.seq = e.seq
cross join lateral unnest(e.rules, e.verdicts) as found (rule_id, code)
join rule r on r.id = found.rule_id
join verdict v on v.code = found.code;

comment on view advisoryd_v1.rule_evaluations is 'What every rule found of every change of a kind that it asks for. Kept as long as [retention] evaluations says.';
comment on column advisoryd_v1.rule_evaluations.seq is 'The change.';
comment on column advisoryd_v1.rule_evaluations.at is 'When it was evaluated.';
comment on column advisoryd_v1.rule_evaluations.kind is 'advisory or ticket.';
comment on column advisoryd_v1.rule_evaluations.key is 'The advisory''s said, or the ticket''s id.';
comment on column advisoryd_v1.rule_evaluations.version is 'The version that was looked at.';
comment on column advisoryd_v1.rule_evaluations.what is 'What happened.';
comment on column advisoryd_v1.rule_evaluations.rule is 'The rule.';
comment on column advisoryd_v1.rule_evaluations.verdict is 'matched, clause_false, value_missing (and the rule says missing = skip), baseline (first load), not_followed.';
comment on column advisoryd_v1.rule_evaluations.clause is 'The clause that decided.';

create view advisoryd_v1.silences as
select id,
       matchers,
       reason,
       created_by,
       created_at,
       least(until, expired_at) as until,
       (select count(*) from alert a where a.silence_id = s.id) as alerts
from silence s;

comment on view advisoryd_v1.silences is 'What nobody wants to hear of for a while.';
comment on column advisoryd_v1.silences.id is 'Our number for it.';
comment on column advisoryd_v1.silences.matchers is 'Patterns by field; all must match.';
comment on column advisoryd_v1.silences.reason is 'Why.';
comment on column advisoryd_v1.silences.created_by is 'Who.';
comment on column advisoryd_v1.silences.created_at is 'Since when.';
comment on column advisoryd_v1.silences.until is 'Until when.';
comment on column advisoryd_v1.silences.alerts is 'How many alerts it kept from being sent.';

create view advisoryd_v1.alert_rules as
select r.name,
       r.at,
       r.after_seq,
       r.baseline_matches,
       r.definition
from rule r
where r.is_current;

comment on view advisoryd_v1.alert_rules is 'The rules that are followed.';
comment on column advisoryd_v1.alert_rules.name is 'Its name in the configuration.';
comment on column advisoryd_v1.alert_rules.at is 'Since when it reads as it does.';
comment on column advisoryd_v1.alert_rules.after_seq is 'It sees the changes after this one.';
comment on column advisoryd_v1.alert_rules.baseline_matches is 'How many advisories it would have matched that were stored when it was new.';
comment on column advisoryd_v1.alert_rules.definition is 'What it says.';

create view advisoryd_v1.alert_sinks as
select s.name,
       s.kind,
       s.configured,
       s.failures,
       s.failing_since,
       s.last_error,
       s.last_success_at,
       (select count(*) from delivery d where d.sink = s.name and d.state = 'waiting') as waiting,
       (select count(*) from delivery d where d.sink = s.name and d.state = 'dead_letter') as dead_letters
from sink s;

comment on view advisoryd_v1.alert_sinks is 'Where alerts go, and how the receivers are.';
comment on column advisoryd_v1.alert_sinks.name is 'Its name in the configuration.';
comment on column advisoryd_v1.alert_sinks.kind is 'webhook, alertmanager, email, hook, command or log.';
comment on column advisoryd_v1.alert_sinks.configured is 'Whether the configuration names it now.';
comment on column advisoryd_v1.alert_sinks.failures is 'Attempts that failed since the last one that did not.';
comment on column advisoryd_v1.alert_sinks.failing_since is 'When the first of them failed.';
comment on column advisoryd_v1.alert_sinks.last_error is 'What the last one failed with.';
comment on column advisoryd_v1.alert_sinks.last_success_at is 'When it last took a message.';
comment on column advisoryd_v1.alert_sinks.waiting is 'Deliveries that wait.';
comment on column advisoryd_v1.alert_sinks.dead_letters is 'Deliveries that were given up.';

do $$
begin
    if exists (select from pg_roles where rolname = 'advisoryd_reader') then
        grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
    end if;
end
$$;
