-- Alerts of a message that a receiver did not take while it took the others.

create table advisoryd.passed_over (
    delivery_id bigint not null references advisoryd.delivery (id) on delete cascade,
    alert_id    uuid not null references advisoryd.alert (id) on delete cascade,
    at          timestamptz not null,
    reason      text not null check (reason in ('too_large', 'object_without_id')),
    status      integer,
    primary key (delivery_id, alert_id)
);
create index passed_over_by_alert on advisoryd.passed_over (alert_id);

comment on table advisoryd.passed_over is 'Alerts of a delivery that the receiver did not take, while those behind them were sent. Each attempt sends them again, and nothing that was accepted. The row goes when the alert is accepted.';
comment on column advisoryd.passed_over.reason is 'too_large: the receiver found the alert too large, also abridged. object_without_id: its object exists, and its id is not known.';

comment on column advisoryd.delivery.parts_done is 'How many alerts of the message were sent, of a sink whose messages can be divided into several requests: all but those in passed_over are accepted. The next attempt continues there.';

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
       d.dismissed_note,
       (select jsonb_agg(
                   jsonb_build_object('alert_id', p.alert_id, 'key', a.key, 'reason', p.reason, 'status', p.status, 'at', p.at)
                   order by a.seq, a.id)
        from advisoryd.passed_over p
        join advisoryd.alert a on a.id = p.alert_id
        where p.delivery_id = d.id) as passed_over
from advisoryd.delivery d
join advisoryd.message m on m.id = d.message_id;

comment on column advisoryd_v1.deliveries.passed_over is 'Alerts of the message that the receiver did not take, while it took the others: alert_id, key, reason (too_large or object_without_id), status of the response, and time. Null if there are none.';
