-- Alerts: the rules, what each rule found for each change (evaluation), the
-- alerts, the messages that carry them, and their delivery to each sink.

create table advisoryd.alerting (
    singleton     boolean primary key default true check (singleton),
    evaluated_seq bigint not null,
    heartbeat_at  timestamptz
);
insert into advisoryd.alerting (evaluated_seq) values (0);

comment on table advisoryd.alerting is 'Progress of the evaluation. One row, locked while a batch is evaluated.';
comment on column advisoryd.alerting.evaluated_seq is 'All changes up to this one were evaluated by all rules of that time.';
comment on column advisoryd.alerting.heartbeat_at is 'Last time of `[alerts.heartbeat] schedule` that was handled.';

create table advisoryd.rule (
    id               integer generated always as identity primary key,
    name             text not null,
    definition       jsonb not null,
    is_current       boolean not null default true,
    at               timestamptz not null,
    after_seq        bigint not null,
    until_seq        bigint,
    baseline_matches bigint
);
create unique index rule_current on advisoryd.rule (name) where is_current;

comment on table advisoryd.rule is 'All definitions that the rules of the configuration have had.';
comment on column advisoryd.rule.after_seq is 'It evaluates the changes after this one. What was stored before is its baseline.';
comment on column advisoryd.rule.until_seq is 'Last change that it evaluated; null while it is current.';
comment on column advisoryd.rule.baseline_matches is 'Number of advisories in the baseline that match; null until they were counted.';

create table advisoryd.verdict (
    code    smallint primary key,
    verdict text not null,
    clause  text
);
insert into advisoryd.verdict (code, verdict, clause)
values
    (0, 'matched', null),
    (1, 'not_asked', null),
    (2, 'not_followed', null),
    (3, 'baseline', null);
insert into advisoryd.verdict (code, verdict, clause)
select base.code + c.code, base.verdict, c.clause
from (values (100, 'clause_false'), (200, 'value_missing')) as base (code, verdict)
cross join (
    values
        (0, 'severity'), (1, 'watch_lists'), (2, 'cvss2'), (3, 'cvss3'), (4, 'cvss4'), (5, 'zero_day'),
        (6, 'attack_vector'), (7, 'cve'), (8, 'product'), (9, 'title'), (10, 'threat_score'),
        (11, 'solution_status'), (12, 'ticket_status'), (13, 'ticket_assignee'), (14, 'ticket_priority'),
        (15, 'ticket_queue'), (16, 'not')) as c (code, clause);
comment on table advisoryd.verdict is 'Possible results of an evaluation. `model::Verdict` has the same codes.';

create table advisoryd.evaluation (
    seq      bigint primary key,
    at       timestamptz not null,
    rules    integer[] not null,
    verdicts smallint[] not null
);
create index evaluation_by_time on advisoryd.evaluation (at);
comment on table advisoryd.evaluation is 'Result of each rule for each change of a kind in its `on`: rules, and their verdicts in the same order.';

create table advisoryd.silence (
    id         bigint generated always as identity primary key,
    matchers   jsonb not null,
    reason     text not null,
    created_by text not null,
    created_at timestamptz not null,
    until      timestamptz not null,
    expired_at timestamptz
);
comment on table advisoryd.silence is 'Silences. Alerts that a silence matches are stored and not sent.';
comment on column advisoryd.silence.matchers is 'Patterns by field; all must match.';
comment on column advisoryd.silence.expired_at is 'When it was ended before `until`.';

create table advisoryd.message (
    id        uuid primary key,
    rule      text not null,
    purpose   text not null check (purpose in ('alert', 'health', 'heartbeat', 'test')),
    opened_at timestamptz not null,
    closes_at timestamptz not null,
    sealed_at timestamptz,
    alerts    integer not null default 0,
    has_ends  boolean not null default false
);
create unique index message_gathering on advisoryd.message (rule) where sealed_at is null;
create index message_by_time on advisoryd.message (opened_at);
create index message_to_seal on advisoryd.message (closes_at) where sealed_at is null;

comment on table advisoryd.message is 'Notifications: one alert, or the alerts of a rule within its `group` time.';
comment on column advisoryd.message.id is 'Id of its first alert. It stays the same when the message is sent again.';
comment on column advisoryd.message.sealed_at is 'When it was closed for further alerts. Only then it is sent.';
comment on column advisoryd.message.has_ends is 'Whether one of its alerts is a resolution. To sinks that keep alerts, it is sent after the alert that it resolves.';

create table advisoryd.alert (
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
    silence_id    bigint references advisoryd.silence (id),
    message_id    uuid references advisoryd.message (id),
    body          jsonb not null
);
create index alert_by_key on advisoryd.alert (key, rule);
create index alert_by_time on advisoryd.alert (raised_at desc);
create index alert_by_message on advisoryd.alert (message_id);
create index alert_by_silence on advisoryd.alert (silence_id) where silence_id is not null;

comment on table advisoryd.alert is 'Alerts. The id is derived from rule, key, version, kind of change and watch list, so that the same event has one row, however often it is evaluated.';
comment on column advisoryd.alert.body is 'Content for receivers, as of the time when the alert was raised.';

create table advisoryd.delivery (
    id           bigint generated always as identity primary key,
    message_id   uuid not null references advisoryd.message (id),
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
create index delivery_due on advisoryd.delivery (sink, due_at, id) where state = 'waiting';
create index delivery_dead on advisoryd.delivery (sink, settled_at) where state = 'dead_letter';

comment on table advisoryd.delivery is 'Delivery queue: one row per message and sink.';
comment on column advisoryd.delivery.leased_until is 'End of the lease of the last claim. A claim neither settled nor renewed by then is due again: a crash costs a repetition, never a loss.';
comment on column advisoryd.delivery.fence is 'Fencing token: the number of claims. Only the last claim can settle the delivery.';

create table advisoryd.delivery_attempt (
    delivery_id bigint not null references advisoryd.delivery (id) on delete cascade,
    attempt     integer not null,
    at          timestamptz not null,
    latency     interval not null,
    outcome     text not null check (outcome in ('delivered', 'postponed', 'abandoned')),
    status      integer,
    answer      text not null,
    error       text,
    primary key (delivery_id, attempt)
);
comment on table advisoryd.delivery_attempt is 'Result of each finished attempt to deliver.';

create table advisoryd.sink (
    name            text primary key,
    kind            text not null,
    configured      boolean not null default true,
    failures        integer not null default 0,
    failing_since   timestamptz,
    last_error      text,
    last_success_at timestamptz
);
comment on table advisoryd.sink is 'Sinks of the configuration, and their state.';
comment on column advisoryd.sink.failures is 'Failed attempts since the last successful one.';

create table advisoryd.condition (
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
comment on table advisoryd.condition is 'Problems of advisoryd itself, past and present. `model::Condition` has the same names.';
comment on column advisoryd.condition.occurrence is 'Number of times it was notified as begun; the version of its alerts.';
comment on column advisoryd.condition.quiet_since is 'Since when the problem is gone, while it is not yet regarded as resolved.';
comment on column advisoryd.condition.over_at is 'When it was last resolved; before `since` if it has come back.';

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
from advisoryd.alert a
left join advisoryd.message m on m.id = a.message_id
left join lateral (
    select count(*) filter (where state = 'waiting') as waiting,
           count(*) filter (where state = 'dead_letter') as dead
    from advisoryd.delivery
    where delivery.message_id = a.message_id) as d on true;

comment on view advisoryd_v1.alerts is 'Alerts, each event once per rule. NOTIFY advisoryd_alerts signals new rows.';
comment on column advisoryd_v1.alerts.id is 'Derived from rule, key, version, kind of change and watch list: the same event has the same id.';
comment on column advisoryd_v1.alerts.rule is 'Name of the rule; advisoryd for alerts about advisoryd itself.';
comment on column advisoryd_v1.alerts.what is 'Kind of change, as in changes; for alerts about advisoryd itself, the condition.';
comment on column advisoryd_v1.alerts.kind is 'advisory, ticket, or advisoryd (about advisoryd itself).';
comment on column advisoryd_v1.alerts.key is 'Identifier (SAID) of the advisory, id of the ticket, or the affected part of advisoryd.';
comment on column advisoryd_v1.alerts.version is 'Version that the change created; for alerts about advisoryd itself, the number of the occurrence.';
comment on column advisoryd_v1.alerts.watch_list_id is 'Watch list through which the change came.';
comment on column advisoryd_v1.alerts.at is 'When the change was stored.';
comment on column advisoryd_v1.alerts.raised_at is 'When the rule matched it.';
comment on column advisoryd_v1.alerts.state is 'gathering (its message still accepts further alerts), waiting (not yet delivered to all sinks), delivered, dead_letter (delivery to a sink was given up), silenced, shadow (the rule sends nothing) or recorded (the rule has no sinks).';
comment on column advisoryd_v1.alerts.is_resolved is 'Whether it is a resolution: the advisory was rejected, or the problem is gone.';
comment on column advisoryd_v1.alerts.message_id is 'Message that carries it; the webhook-id of webhooks.';
comment on column advisoryd_v1.alerts.silence_id is 'Silence that suppressed it.';
comment on column advisoryd_v1.alerts.seq is 'Change that caused it; null if there is none.';
comment on column advisoryd_v1.alerts.title is 'Title of the advisory or ticket at that time.';
comment on column advisoryd_v1.alerts.summary is 'What happened, one sentence.';
comment on column advisoryd_v1.alerts.severity is 'Severity at that time.';
comment on column advisoryd_v1.alerts.body is 'Content for receivers.';

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
from advisoryd.delivery d
join advisoryd.message m on m.id = d.message_id;

comment on view advisoryd_v1.deliveries is 'Delivery of each message to each sink, and its state.';
comment on column advisoryd_v1.deliveries.id is 'Id of the delivery.';
comment on column advisoryd_v1.deliveries.message_id is 'Message to deliver.';
comment on column advisoryd_v1.deliveries.sink is 'Name of the sink.';
comment on column advisoryd_v1.deliveries.rule is 'Name of the rule.';
comment on column advisoryd_v1.deliveries.purpose is 'alert, health (about advisoryd itself), heartbeat or test.';
comment on column advisoryd_v1.deliveries.alerts is 'Number of alerts in the message.';
comment on column advisoryd_v1.deliveries.state is 'waiting, delivered or dead_letter.';
comment on column advisoryd_v1.deliveries.failures is 'Failed attempts.';
comment on column advisoryd_v1.deliveries.due_at is 'Time of the next attempt; null once delivered or given up.';
comment on column advisoryd_v1.deliveries.settled_at is 'When it was delivered or given up.';
comment on column advisoryd_v1.deliveries.last_status is 'Status of the last response: HTTP or SMTP status, or exit status.';
comment on column advisoryd_v1.deliveries.last_error is 'Error of the last attempt.';
comment on column advisoryd_v1.deliveries.opened_at is 'When the message received its first alert.';
comment on column advisoryd_v1.deliveries.sealed_at is 'When the message was closed for further alerts; null while it is open.';

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
from advisoryd.delivery_attempt a
join advisoryd.delivery d on d.id = a.delivery_id;

comment on view advisoryd_v1.delivery_attempts is 'Finished attempts to deliver.';
comment on column advisoryd_v1.delivery_attempts.delivery_id is 'Id of the delivery.';
comment on column advisoryd_v1.delivery_attempts.attempt is 'Number of the attempt. A number is missing if a process died during the attempt.';
comment on column advisoryd_v1.delivery_attempts.message_id is 'Message to deliver.';
comment on column advisoryd_v1.delivery_attempts.sink is 'Name of the sink.';
comment on column advisoryd_v1.delivery_attempts.at is 'When it started.';
comment on column advisoryd_v1.delivery_attempts.latency is 'How long it took.';
comment on column advisoryd_v1.delivery_attempts.outcome is 'delivered, postponed (will be retried) or abandoned (dead letter).';
comment on column advisoryd_v1.delivery_attempts.status is 'Status of the response, if there was one.';
comment on column advisoryd_v1.delivery_attempts.answer is 'Beginning of the response.';
comment on column advisoryd_v1.delivery_attempts.error is 'Why it failed.';

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
from advisoryd.evaluation e
join advisoryd.change c on c.seq = e.seq
cross join lateral unnest(e.rules, e.verdicts) as found (rule_id, code)
join advisoryd.rule r on r.id = found.rule_id
join advisoryd.verdict v on v.code = found.code;

comment on view advisoryd_v1.rule_evaluations is 'Result of each rule for each change of a kind in its `on`. Kept for [retention] evaluations.';
comment on column advisoryd_v1.rule_evaluations.seq is 'The change.';
comment on column advisoryd_v1.rule_evaluations.at is 'When it was evaluated.';
comment on column advisoryd_v1.rule_evaluations.kind is 'advisory or ticket.';
comment on column advisoryd_v1.rule_evaluations.key is 'Identifier (SAID) of the advisory, or id of the ticket.';
comment on column advisoryd_v1.rule_evaluations.version is 'Version that was evaluated.';
comment on column advisoryd_v1.rule_evaluations.what is 'Kind of change.';
comment on column advisoryd_v1.rule_evaluations.rule is 'Name of the rule.';
comment on column advisoryd_v1.rule_evaluations.verdict is 'matched, clause_false, value_missing (and the rule has missing = skip), baseline (first load) or not_followed.';
comment on column advisoryd_v1.rule_evaluations.clause is 'Clause that decided.';

create view advisoryd_v1.silences as
select s.id,
       s.matchers,
       s.reason,
       s.created_by,
       s.created_at,
       least(s.until, s.expired_at) as until,
       (select count(*) from advisoryd.alert a where a.silence_id = s.id) as alerts
from advisoryd.silence s;

comment on view advisoryd_v1.silences is 'Silences, active and expired ones. Alerts that a silence matches are stored and not sent.';
comment on column advisoryd_v1.silences.id is 'Id of the silence.';
comment on column advisoryd_v1.silences.matchers is 'Patterns by field; all must match.';
comment on column advisoryd_v1.silences.reason is 'Reason given by its creator.';
comment on column advisoryd_v1.silences.created_by is 'Who created it.';
comment on column advisoryd_v1.silences.created_at is 'When it was created.';
comment on column advisoryd_v1.silences.until is 'When it ends or has ended.';
comment on column advisoryd_v1.silences.alerts is 'Number of alerts that it suppressed.';

create view advisoryd_v1.alert_rules as
select r.name,
       r.at,
       r.after_seq,
       r.baseline_matches,
       r.definition
from advisoryd.rule r
where r.is_current;

comment on view advisoryd_v1.alert_rules is 'Current alert rules.';
comment on column advisoryd_v1.alert_rules.name is 'Name of the rule.';
comment on column advisoryd_v1.alert_rules.at is 'Since when it has this definition.';
comment on column advisoryd_v1.alert_rules.after_seq is 'It evaluates the changes after this one.';
comment on column advisoryd_v1.alert_rules.baseline_matches is 'Number of advisories stored when the rule was new that match; no alerts were sent for them.';
comment on column advisoryd_v1.alert_rules.definition is 'Definition of the rule.';

create view advisoryd_v1.alert_sinks as
select s.name,
       s.kind,
       s.configured,
       s.failures,
       s.failing_since,
       s.last_error,
       s.last_success_at,
       (select count(*) from advisoryd.delivery d where d.sink = s.name and d.state = 'waiting') as waiting,
       (select count(*) from advisoryd.delivery d where d.sink = s.name and d.state = 'dead_letter') as dead_letters
from advisoryd.sink s;

comment on view advisoryd_v1.alert_sinks is 'Sinks of alerts, and their state.';
comment on column advisoryd_v1.alert_sinks.name is 'Name of the sink.';
comment on column advisoryd_v1.alert_sinks.kind is 'webhook, alertmanager, email, hook, command or log.';
comment on column advisoryd_v1.alert_sinks.configured is 'Whether it is in the current configuration.';
comment on column advisoryd_v1.alert_sinks.failures is 'Failed attempts since the last successful one.';
comment on column advisoryd_v1.alert_sinks.failing_since is 'Time of the first of them.';
comment on column advisoryd_v1.alert_sinks.last_error is 'Error of the last of them.';
comment on column advisoryd_v1.alert_sinks.last_success_at is 'Time of the last successful delivery.';
comment on column advisoryd_v1.alert_sinks.waiting is 'Number of deliveries waiting.';
comment on column advisoryd_v1.alert_sinks.dead_letters is 'Number of deliveries given up.';

create view advisoryd_v1.conditions as
select c.what,
       c.key,
       c.is_raised as holds,
       c.since,
       case when not c.is_raised then c.over_at end as over_at,
       c.occurrence,
       c.value,
       c.summary
from advisoryd.condition c;

comment on view advisoryd_v1.conditions is 'Problems of advisoryd itself, past and present. One notification is sent when a problem begins and one when it is resolved.';
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, coverage_hole, sink_failing or request_budget_exhausted; see docs/operations.md.';
comment on column advisoryd_v1.conditions.key is 'What is affected: a watch list, an extra feed, tickets, a sink, or upstream.';
comment on column advisoryd_v1.conditions.holds is 'Whether the problem exists now.';
comment on column advisoryd_v1.conditions.since is 'When it last began.';
comment on column advisoryd_v1.conditions.over_at is 'When it was resolved; null while it exists.';
comment on column advisoryd_v1.conditions.occurrence is 'Number of times it was notified as begun.';
comment on column advisoryd_v1.conditions.value is 'Value at the last notification: seconds of age, or number of sources, records, gaps or consecutive failures.';
comment on column advisoryd_v1.conditions.summary is 'Text of the last notification.';
