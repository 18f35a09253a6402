-- What users ask of history.

create view advisoryd_v1.advisory_history as
select v.said,
       v.version,
       v.changed_at as valid_from,
       v.replaced_at as valid_to,
       v.modified_at as source_modified_at,
       v.run_id,
       v.title,
       case v.severity_rank
           when 5 then 'extremely_critical'
           when 4 then 'highly_critical'
           when 3 then 'moderately_critical'
           when 2 then 'less_critical'
           when 1 then 'not_critical'
           when 0 then 'rejected'
           else 'unknown'
       end as severity,
       v.severity_rank,
       v.criticality,
       v.released_at,
       coalesce(v.attack_vector, 'unknown') as attack_vector,
       v.solution_status,
       v.impacts,
       v.cves,
       v.cvss2_score,
       v.cvss2_vector,
       v.cvss3_score,
       v.cvss3_vector,
       v.cvss4_score,
       v.cvss4_vector,
       v.threat_score,
       v.is_zero_day,
       v.is_rejected,
       v.description,
       v.solution,
       v.raw
from every_advisory_version v;

comment on view advisoryd_v1.advisory_history is 'Every version of every advisory, and when it was what we knew.';

create view advisoryd_v1.ticket_history as
select v.id,
       v.version,
       v.changed_at as valid_from,
       v.replaced_at as valid_to,
       v.modified_at as source_modified_at,
       v.run_id,
       v.pretty_id,
       v.title,
       v.description,
       v.status_id,
       v.status,
       v.priority_id,
       v.priority,
       v.queue_id,
       v.queue,
       v.assignee_id,
       v.assignee,
       v.watch_list_id,
       v.watch_list,
       v.said,
       v.created_at,
       v.deleted_at,
       v.raw
from every_ticket_version v;

comment on view advisoryd_v1.ticket_history is 'Every version of every ticket, and when it was what we knew.';

create view advisoryd_v1.field_changes as
select 'advisory' as kind,
       n.said as key,
       n.version,
       case f.key when 'refs' then 'references' else f.key end as field,
       nullif(to_jsonb(o) -> f.key, 'null') as old,
       nullif(f.value, 'null') as new,
       n.changed_at as at
from every_advisory_version n
join every_advisory_version o on o.said = n.said and o.version = n.version - 1
cross join lateral jsonb_each(
    to_jsonb(n) - array['raw', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at']) as f
where f.value is distinct from to_jsonb(o) -> f.key
union all
select 'ticket',
       n.id::text,
       n.version,
       f.key,
       nullif(to_jsonb(o) -> f.key, 'null'),
       nullif(f.value, 'null'),
       n.changed_at
from every_ticket_version n
join every_ticket_version o on o.id = n.id and o.version = n.version - 1
cross join lateral jsonb_each(
    to_jsonb(n) - array['raw', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at']) as f
where f.value is distinct from to_jsonb(o) -> f.key;

comment on view advisoryd_v1.field_changes is 'Which field of which advisory or ticket became what, with each version after the first.';

create view advisoryd_v1.changes as
select seq, at, kind, key, version, what, watch_list_id, run_id
from change;

comment on view advisoryd_v1.changes is 'What happened, in the order in which it can be seen: who remembers the last seq misses nothing. NOTIFY advisoryd_changes wakes listeners.';

create view advisoryd_v1.coverage as
select case s.kind
           when 'watch_list' then 'watch list ' || s.watch_list_id
           when 'extra_feed' then 'extra feed ' || s.extra_feed
           else 'tickets'
       end as source,
       s.watch_list_id,
       s.covered,
       case
           when isempty(s.covered) then '{}'::tstzmultirange
           else tstzmultirange(range_merge(s.covered)) - s.covered
       end as gaps
from source s;

comment on view advisoryd_v1.coverage is 'Which time was read completely, by upstream''s clock, and where the holes are.';

create function advisoryd_v1.advisories_as_of(at timestamptz)
returns table (
    said text, upstream_id bigint, title text, severity text, severity_rank smallint, criticality integer,
    released_at timestamptz, modified_at timestamptz, attack_vector text, solution_status text,
    impacts text[], cves text[], cvss2_score double precision, cvss2_vector text,
    cvss3_score double precision, cvss3_vector text, cvss4_score double precision, cvss4_vector text,
    threat_score double precision, is_zero_day boolean, is_rejected boolean, description text, solution text,
    watch_list_ids bigint[], version integer, first_seen_at timestamptz, changed_at timestamptz,
    unrecognised jsonb, search tsvector, product_search tsvector, raw text)
language sql stable
begin atomic
    select v.said, v.upstream_id, v.title,
           case v.severity_rank
               when 5 then 'extremely_critical'
               when 4 then 'highly_critical'
               when 3 then 'moderately_critical'
               when 2 then 'less_critical'
               when 1 then 'not_critical'
               when 0 then 'rejected'
               else 'unknown'
           end,
           v.severity_rank, v.criticality, v.released_at, v.modified_at,
           coalesce(v.attack_vector, 'unknown'), v.solution_status, v.impacts, v.cves,
           v.cvss2_score, v.cvss2_vector, v.cvss3_score, v.cvss3_vector, v.cvss4_score, v.cvss4_vector,
           v.threat_score, v.is_zero_day, v.is_rejected, v.description, v.solution,
           array(
               select s.watch_list_id
               from advisoryd.sighting g
               join advisoryd.source s on s.id = g.source_id
               where g.said = v.said
                 and s.kind = 'watch_list'
                 and g.first_seen_at <= advisories_as_of.at
               order by s.watch_list_id),
           v.version, v.first_seen_at, v.changed_at, v.unrecognised,
           advisoryd.advisory_text(v.title, v.description, v.solution),
           advisoryd.product_text(v.products), v.raw
    from advisoryd.every_advisory_version v
    where v.changed_at <= advisories_as_of.at
      and (v.replaced_at is null or v.replaced_at > advisories_as_of.at);
end;
comment on function advisoryd_v1.advisories_as_of is 'The view advisories as it was at this time: what we knew then.';

create function advisoryd_v1.tickets_as_of(at timestamptz)
returns table (
    id bigint, pretty_id bigint, title text, description text, status_id bigint, status text,
    priority_id bigint, priority text, queue_id bigint, queue text, assignee_id bigint, assignee text,
    watch_list_id bigint, watch_list text, said text, created_at timestamptz, modified_at timestamptz,
    deleted_at timestamptz, version integer, first_seen_at timestamptz, changed_at timestamptz, raw jsonb)
language sql stable
begin atomic
    select v.id, v.pretty_id, v.title, v.description, v.status_id, v.status, v.priority_id, v.priority,
           v.queue_id, v.queue, v.assignee_id, v.assignee, v.watch_list_id, v.watch_list, v.said,
           v.created_at, v.modified_at, v.deleted_at, v.version, v.first_seen_at, v.changed_at, v.raw
    from advisoryd.every_ticket_version v
    where v.changed_at <= tickets_as_of.at
      and (v.replaced_at is null or v.replaced_at > tickets_as_of.at);
end;
comment on function advisoryd_v1.tickets_as_of is 'The view tickets as it was at this time: what we knew then.';

comment on column advisoryd_v1.changes.seq is 'Without holes, in the order of commits: a consumer that remembers its last seq misses nothing.';
comment on column advisoryd_v1.changes.at is 'When we learned it.';
comment on column advisoryd_v1.changes.kind is 'advisory or ticket.';
comment on column advisoryd_v1.changes.key is 'The advisory''s said, or the ticket''s id.';
comment on column advisoryd_v1.changes.version is 'The version that it made, or that was current.';
comment on column advisoryd_v1.changes.what is 'appeared, joined_watch_list, revised (every new version), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated, ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned.';
comment on column advisoryd_v1.changes.watch_list_id is 'The watch list it came through; null for extra feeds and tickets.';
comment on column advisoryd_v1.changes.run_id is 'The run that found it.';
comment on column advisoryd_v1.coverage.source is 'What is read.';
comment on column advisoryd_v1.coverage.watch_list_id is 'Which watch list; null for tickets and extra feeds.';
comment on column advisoryd_v1.coverage.covered is 'Union of the windows of complete runs.';
comment on column advisoryd_v1.coverage.gaps is 'Holes between them; the next runs ask for them again.';
comment on column advisoryd_v1.field_changes.kind is 'advisory or ticket.';
comment on column advisoryd_v1.field_changes.key is 'The advisory''s said, or the ticket''s id.';
comment on column advisoryd_v1.field_changes.version is 'The version that brought the change.';
comment on column advisoryd_v1.field_changes.field is 'Name of the column; products and references are documents.';
comment on column advisoryd_v1.field_changes.old is 'Before; null where there was no value.';
comment on column advisoryd_v1.field_changes.new is 'After; null where there is no value any more.';
comment on column advisoryd_v1.field_changes.at is 'When we learned it.';

-- The history views' other columns are those of the plain views.
do $$
declare
    pair record;
    described text;
begin
    for pair in
        select h.relname as history, p.relname as plain, a.attname, a.attnum, p.oid as plain_oid
        from (values ('advisory_history', 'advisories'), ('ticket_history', 'tickets')) as v (history, plain)
        join pg_class h on h.relname = v.history and h.relnamespace = 'advisoryd_v1'::regnamespace
        join pg_class p on p.relname = v.plain and p.relnamespace = 'advisoryd_v1'::regnamespace
        join pg_attribute a on a.attrelid = h.oid and a.attnum > 0
    loop
        described := case pair.attname
            when 'valid_from' then 'When we learned this version.'
            when 'valid_to' then 'When we learned the next one; null for the current version.'
            when 'source_modified_at' then 'When upstream says that it made this version.'
            when 'run_id' then 'The run that brought it.'
            when 'version' then '1 when first seen, one more with each change.'
            else (
                select col_description(pair.plain_oid, b.attnum)
                from pg_attribute b
                where b.attrelid = pair.plain_oid
                  and b.attname = pair.attname)
        end;
        execute format('comment on column advisoryd_v1.%I.%I is %L', pair.history, pair.attname, described);
    end loop;

    if exists (select from pg_roles where rolname = 'advisoryd_reader') then
        grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
    end if;
end
$$;
