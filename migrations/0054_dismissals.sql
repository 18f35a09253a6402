-- Dead letters that somebody has dismissed.

alter table advisoryd.delivery
    add column dismissed_at timestamptz,
    add column dismissed_by text,
    add column dismissed_note text,
    drop constraint delivery_state_check,
    add constraint delivery_state_check check (state in ('waiting', 'delivered', 'dead_letter', 'dismissed'));

create index delivery_dismissed on advisoryd.delivery (message_id) where state = 'dismissed';

comment on column advisoryd.delivery.dismissed_at is 'When a dead letter was dismissed. Sending it again ends that; the audit log keeps it.';

create or replace view advisoryd_v1.alerts as
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
           when d.dismissed > 0 then 'dismissed'
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
           count(*) filter (where state = 'dead_letter') as dead,
           count(*) filter (where state = 'dismissed') as dismissed
    from advisoryd.delivery
    where delivery.message_id = a.message_id) as d on true;

comment on column advisoryd_v1.alerts.state is 'gathering (its message still accepts further alerts), waiting (not yet delivered to all sinks), delivered, dead_letter (delivery to a sink was given up), dismissed (it was given up, and somebody dismissed that), silenced, shadow (the rule sends nothing) or recorded (the rule has no sinks).';

create or replace view advisoryd_v1.deliveries as
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
       m.sealed_at,
       d.dismissed_at,
       d.dismissed_by,
       d.dismissed_note
from advisoryd.delivery d
join advisoryd.message m on m.id = d.message_id;

comment on column advisoryd_v1.deliveries.state is 'waiting, delivered, dead_letter or dismissed (a dead letter that somebody has dismissed).';
comment on column advisoryd_v1.deliveries.dismissed_at is 'When the dead letter was dismissed; null if it was not, or is sent again.';
comment on column advisoryd_v1.deliveries.dismissed_by is 'Login name of who dismissed it.';
comment on column advisoryd_v1.deliveries.dismissed_note is 'Reason; null if none was given.';

comment on column advisoryd_v1.alert_sinks.dead_letters is 'Number of deliveries that became dead letters, without those that were dismissed.';

comment on view advisoryd_v1.audit is 'Commands that changed stored data: erased tickets and people, acknowledgements, dismissed dead letters.';
comment on column advisoryd_v1.audit.what is 'erase_ticket, erase_person, erase_gone_tickets, acknowledge, withdraw_acknowledgement or dismiss_dead_letters.';
comment on column advisoryd_v1.audit.key is 'Id of the ticket, identifier of the advisory, or id of the alert; null for people, whose names are not stored, and for dead letters that were not dismissed by their id.';
comment on column advisoryd_v1.audit.detail is 'Number of rows by table; for acknowledgements their end.';
