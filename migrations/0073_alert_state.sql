-- The state of an alert whose message was given up after the receiver took this alert.

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
    select count(*) filter (where one.state = 'waiting') as waiting,
           count(*) filter (where one.state = 'dead_letter' and not one.is_taken) as dead,
           count(*) filter (where one.state = 'dismissed' and not one.is_taken) as dismissed
    from (
        select delivery.state,
               delivery.state <> 'waiting'
               and delivery.parts_done >= m.alerts
               and exists (
                   select
                   from advisoryd.passed_over p
                   where p.delivery_id = delivery.id)
               and not exists (
                   select
                   from advisoryd.passed_over p
                   where p.delivery_id = delivery.id
                     and p.alert_id = a.id) as is_taken
        from advisoryd.delivery
        where delivery.message_id = a.message_id) as one) as d on true;

comment on column advisoryd_v1.alerts.state is 'gathering (its message still accepts further alerts), waiting (not yet delivered to all sinks), delivered, dead_letter (delivery to a sink was given up; an alert that the receiver took before that counts as delivered), dismissed (it was given up, and somebody dismissed that), silenced, shadow (the rule sends nothing) or recorded (the rule has no sinks).';
