-- Objects outside (issues, incidents, records) that alerts created, deliveries that
-- proceed alert by alert, and deliveries in strict order.

create table advisoryd.remote_object (
    sink        text not null,
    rule        text not null,
    key         text not null,
    id          text not null,
    is_resolved boolean not null default false,
    created_at  timestamptz not null,
    changed_at  timestamptz not null,
    primary key (sink, rule, key)
);
create index remote_object_by_key on advisoryd.remote_object (key);
create index remote_object_by_time on advisoryd.remote_object (changed_at);

comment on table advisoryd.remote_object is 'Objects in other systems, at most one per sink, rule and key. Written in the transaction that settles the delivery.';
comment on column advisoryd.remote_object.id is 'Its id there, from the response to its creation.';
comment on column advisoryd.remote_object.is_resolved is 'Whether the last alert that it was told about is resolved.';

alter table advisoryd.delivery add column parts_done integer not null default 0;
comment on column advisoryd.delivery.parts_done is 'How many alerts of the message the receiver has accepted, of a sink that gets one request per alert. The next attempt continues there.';

create index delivery_in_order on advisoryd.delivery (sink, id) where state = 'waiting';

create view advisoryd_v1.remote_objects as
select o.sink,
       o.rule,
       o.key,
       o.id,
       o.is_resolved as resolved,
       o.created_at,
       o.changed_at
from advisoryd.remote_object o;

comment on view advisoryd_v1.remote_objects is 'Objects in other systems (issues, incidents, records) that alerts created, of sinks with `remember`.';
comment on column advisoryd_v1.remote_objects.sink is 'Name of the sink.';
comment on column advisoryd_v1.remote_objects.rule is 'Name of the rule.';
comment on column advisoryd_v1.remote_objects.key is 'What it is about: identifier of the advisory, or id of the ticket.';
comment on column advisoryd_v1.remote_objects.id is 'Its id in the other system, such as the key of an issue.';
comment on column advisoryd_v1.remote_objects.resolved is 'Whether it was told that the alert is resolved.';
comment on column advisoryd_v1.remote_objects.created_at is 'When its id was first stored.';
comment on column advisoryd_v1.remote_objects.changed_at is 'When it was last told about an alert.';

comment on column advisoryd_v1.alert_sinks.kind is 'webhook, alertmanager, email, hook or the name of a preset, syslog, command or log.';
