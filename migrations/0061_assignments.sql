-- Who is to take care of an advisory.

create table advisoryd.assignment (
    id         bigint generated always as identity primary key,
    said       text not null,
    assignee   text not null check (assignee <> ''),
    created_by text not null,
    at         timestamptz not null,
    ended_at   timestamptz
);
create index assignment_by_said on advisoryd.assignment (said, at);
create unique index assignment_in_force on advisoryd.assignment (said) where ended_at is null;

comment on table advisoryd.assignment is 'Who is to take care of an advisory. A new assignment ends the one before. It is independent of acknowledgements.';

create view advisoryd_v1.assignments as
select a.said,
       a.assignee,
       a.created_by as by,
       a.at,
       a.ended_at
from advisoryd.assignment a;

comment on view advisoryd_v1.assignments is 'Assignments of advisories, also those that have ended. They are kept in this database only; upstream does not know of them.';
comment on column advisoryd_v1.assignments.said is 'Identifier (SAID) of the advisory.';
comment on column advisoryd_v1.assignments.assignee is 'Name of who is to take care of it.';
comment on column advisoryd_v1.assignments.by is 'Login name of who assigned it.';
comment on column advisoryd_v1.assignments.at is 'When it was assigned.';
comment on column advisoryd_v1.assignments.ended_at is 'When the assignment was ended, or replaced by the next one; null if it was not.';

create function advisoryd.assignee(advisory text, moment timestamptz) returns text
language sql stable
return (
    select a.assignee
    from advisoryd.assignment a
    where a.said = advisory
      and a.at <= moment
      and coalesce(a.ended_at > moment, true)
    order by a.at desc, a.id desc
    limit 1);
comment on function advisoryd.assignee is 'To whom an advisory was assigned at a moment; null if to nobody.';

create or replace view advisoryd_v1.acknowledgements as
select a.said,
       a.created_by as by,
       a.at,
       a.until,
       a.note,
       a.withdrawn_at,
       s.assignee as assigned_to
from advisoryd.acknowledgement a
left join advisoryd.assignment s on s.said = a.said and s.ended_at is null;

comment on column advisoryd_v1.acknowledgements.assigned_to is 'To whom the advisory is assigned now; null if to nobody. assignments has all assignments.';

comment on view advisoryd_v1.audit is 'Commands that changed stored data: erased tickets and people, acknowledgements, assignments, dismissed dead letters.';
comment on column advisoryd_v1.audit.what is 'erase_ticket, erase_person, erase_gone_tickets, acknowledge, withdraw_acknowledgement, assign, unassign or dismiss_dead_letters.';

create or replace view advisoryd_v1.advisories as
select a.said,
       a.upstream_id,
       a.title,
       advisoryd.severity_name(a.severity_rank) as severity,
       a.severity_rank,
       a.criticality,
       a.released_at,
       a.modified_at,
       coalesce(a.attack_vector, 'unknown') as attack_vector,
       a.solution_status,
       a.impacts,
       a.cves,
       a.cvss2_score,
       a.cvss2_vector,
       a.cvss3_score,
       a.cvss3_vector,
       a.cvss4_score,
       a.cvss4_vector,
       a.threat_score,
       a.is_zero_day,
       a.is_rejected,
       a.description,
       a.solution,
       array(
           select s.watch_list_id
           from advisoryd.sighting g
           join advisoryd.source s on s.id = g.source_id
           where g.said = a.said
             and g.left_at is null
             and s.kind = 'watch_list'
           order by s.watch_list_id) as watch_list_ids,
       a.version,
       a.first_seen_at,
       a.changed_at,
       a.unrecognised,
       advisoryd.advisory_text(a.title, a.description, a.solution) as search,
       advisoryd.product_text(a.products) as product_search,
       a.raw,
       d.fetched_at as detail_fetched_at,
       advisoryd.content_source(a.byte_hash, a.detail_hash) as source,
       d.custom_info,
       coalesce(a.unrecognised ? 'repaired', false) as repaired,
       case when (select e.read_at is not null from advisoryd.enrichment e where e.kind = 'kev') then exists (
           select
           from advisoryd.known_exploited k
           where k.cve = any(a.cves)
             and k.removed_at is null)
       end as kev,
       (select min(k.due_on)
        from advisoryd.known_exploited k
        where k.cve = any(a.cves)
          and k.removed_at is null) as kev_due,
       case when (select e.read_at is not null from advisoryd.enrichment e where e.kind = 'kev') then exists (
           select
           from advisoryd.known_exploited k
           where k.cve = any(a.cves)
             and k.removed_at is null
             and k.is_ransomware)
       end as ransomware,
       (select max(x.score)
        from advisoryd.epss_score x
        where x.cve = any(a.cves)) as epss,
       n.assignee as assigned_to
from advisoryd.advisory a
left join advisoryd.detail d on d.said = a.said
left join advisoryd.assignment n on n.said = a.said and n.ended_at is null;

comment on column advisoryd_v1.advisories.assigned_to is 'To whom it is assigned (advisoryd ack --assign); null if to nobody.';
