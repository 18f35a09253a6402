-- Acknowledgements, and one alert for an advisory that joins further lists.

create table advisoryd.acknowledgement (
    id           bigint generated always as identity primary key,
    said         text not null,
    created_by   text not null,
    at           timestamptz not null,
    until        timestamptz,
    note         text,
    withdrawn_at timestamptz
);
create index acknowledgement_by_said on advisoryd.acknowledgement (said, at);
create unique index acknowledgement_in_force on advisoryd.acknowledgement (said) where withdrawn_at is null;

comment on table advisoryd.acknowledgement is 'Advisories that somebody takes care of. A new acknowledgement of an advisory withdraws the one before.';

create view advisoryd_v1.acknowledgements as
select a.said,
       a.created_by as by,
       a.at,
       a.until,
       a.note,
       a.withdrawn_at
from advisoryd.acknowledgement a;

comment on view advisoryd_v1.acknowledgements is 'Acknowledgements of advisories, also expired and withdrawn ones. It is kept in this database only; upstream does not know of it.';
comment on column advisoryd_v1.acknowledgements.said is 'Identifier (SAID) of the advisory.';
comment on column advisoryd_v1.acknowledgements.by is 'Login name of who acknowledged it.';
comment on column advisoryd_v1.acknowledgements.at is 'When it was acknowledged.';
comment on column advisoryd_v1.acknowledgements.until is 'When the acknowledgement expires; null if it does not.';
comment on column advisoryd_v1.acknowledgements.note is 'Reason; null if none was given.';
comment on column advisoryd_v1.acknowledgements.withdrawn_at is 'When it was withdrawn, or replaced by the next one; null if it was not.';

create function advisoryd.is_acknowledged(advisory text, moment timestamptz) returns boolean
language sql stable
return exists (
    select
    from advisoryd.acknowledgement a
    where a.said = advisory
      and a.at <= moment
      and coalesce(a.until > moment, true)
      and coalesce(a.withdrawn_at > moment, true));
comment on function advisoryd.is_acknowledged is 'Whether an advisory was acknowledged at a moment.';

comment on view advisoryd_v1.audit is 'Commands that changed stored data: erased tickets and people, acknowledgements.';
comment on column advisoryd_v1.audit.what is 'erase_ticket, erase_person, erase_gone_tickets, acknowledge or withdraw_acknowledgement.';
comment on column advisoryd_v1.audit.key is 'Id of the ticket, or identifier of the advisory; null for people, whose names are not stored.';
comment on column advisoryd_v1.audit.detail is 'Number of rows by table; for acknowledgements their end.';

insert into advisoryd.verdict (code, verdict, clause)
values
    (4, 'already_reported', null),
    (117, 'clause_false', 'state'),
    (217, 'value_missing', 'state');
