-- Erased texts of tickets and people, and the audit log of such commands.

-- In this order: a replaced version is copied with all columns of its ticket.
alter table advisoryd.ticket add column erased_at timestamptz;
alter table advisoryd.ticket_version add column erased_at timestamptz;

comment on column advisoryd.ticket.erased_at is 'When texts of this version were erased; null if they are as received. The content hash stays that of the received text, so that the same text is not stored again.';
comment on column advisoryd.ticket_version.erased_at is 'As in `ticket`.';

create index ticket_to_erase on advisoryd.ticket (deleted_at) where deleted_at is not null and erased_at is null;

create table advisoryd.audit (
    id     bigint generated always as identity primary key,
    at     timestamptz not null,
    who    text not null,
    what   text not null,
    key    text,
    detail jsonb not null
);
create index audit_by_time on advisoryd.audit (at desc);

comment on table advisoryd.audit is 'Commands that changed stored data. It contains nothing of what was erased.';

create view advisoryd_v1.audit as
select a.at, a.who, a.what, a.key, a.detail
from advisoryd.audit a;

comment on view advisoryd_v1.audit is 'Commands that changed stored data: erased tickets and people.';
comment on column advisoryd_v1.audit.at is 'When it was done.';
comment on column advisoryd_v1.audit.who is 'Login name of who ran the command, or advisoryd for retention.';
comment on column advisoryd_v1.audit.what is 'erase_ticket, erase_person or erase_gone_tickets.';
comment on column advisoryd_v1.audit.key is 'Id of the ticket; null for people, whose names are not stored.';
comment on column advisoryd_v1.audit.detail is 'Number of rows by table.';
