-- Schema `advisoryd_v1`: versions, changes, and the state at a past time.

create view advisoryd.every_advisory_version as
select v.replaced_at, v.said, v.upstream_id, v.title, v.criticality, v.is_rejected, v.severity_rank,
       v.released_at, v.modified_at, v.attack_vector, v.solution_status, v.impacts, v.cves,
       v.cvss2_score, v.cvss2_vector, v.cvss3_score, v.cvss3_vector, v.cvss4_score, v.cvss4_vector,
       v.threat_score, v.is_zero_day, v.description, v.solution, v.products, v.refs, v.unrecognised,
       v.raw, v.run_id, v.version, v.first_seen_at, v.changed_at,
       advisoryd.content_source(v.byte_hash, v.detail_hash) as source
from (
    select * from advisoryd.advisory_version
    union all
    select null, a.* from advisoryd.advisory a) as v;
comment on view advisoryd.every_advisory_version is 'All versions of advisories, replaced ones and current ones (replaced_at is null).';

create view advisoryd.every_ticket_version as
select v.replaced_at, v.id, v.pretty_id, v.title, v.description, v.status_id, v.status,
       v.priority_id, v.priority, v.queue_id, v.queue, v.assignee_id, v.assignee,
       v.watch_list_id, v.watch_list, v.said, v.created_at, v.modified_at, v.deleted_at,
       v.raw, v.run_id, v.version, v.first_seen_at, v.changed_at
from (
    select * from advisoryd.ticket_version
    union all
    select null, t.* from advisoryd.ticket t) as v;
comment on view advisoryd.every_ticket_version is 'All versions of tickets, replaced ones and current ones (replaced_at is null).';

create view advisoryd_v1.advisory_history as
select v.said,
       v.version,
       v.changed_at as valid_from,
       v.replaced_at as valid_to,
       v.modified_at as source_modified_at,
       v.run_id,
       v.title,
       advisoryd.severity_name(v.severity_rank) as severity,
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
       v.raw,
       v.upstream_id,
       v.products,
       v.unrecognised,
       v.first_seen_at,
       v.source
from advisoryd.every_advisory_version v;

comment on view advisoryd_v1.advisory_history is 'All versions of all advisories, and the period in which each was the current one.';
comment on column advisoryd_v1.advisory_history.valid_from is 'When this version was stored.';
comment on column advisoryd_v1.advisory_history.valid_to is 'When the next version was stored; null for the current version.';
comment on column advisoryd_v1.advisory_history.source_modified_at is 'Modification time of this version according to upstream.';
comment on column advisoryd_v1.advisory_history.run_id is 'Run that brought this version.';
comment on column advisoryd_v1.advisory_history.raw is 'Record as received from the feed; if source is json, the JSON. Null if retention has removed it.';
comment on column advisoryd_v1.advisory_history.products is 'Affected products, as a document.';
comment on column advisoryd_v1.advisory_history.source is 'Where the columns of this version come from: feed, json, or feed+json.';

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
       v.raw,
       v.first_seen_at
from advisoryd.every_ticket_version v;

comment on view advisoryd_v1.ticket_history is 'All versions of all tickets, and the period in which each was the current one.';
comment on column advisoryd_v1.ticket_history.valid_from is 'When this version was stored.';
comment on column advisoryd_v1.ticket_history.valid_to is 'When the next version was stored; null for the current version.';
comment on column advisoryd_v1.ticket_history.source_modified_at is 'Modification time of this version according to upstream.';
comment on column advisoryd_v1.ticket_history.run_id is 'Run that brought this version.';
comment on column advisoryd_v1.ticket_history.raw is 'Complete ticket as received. Null if retention has removed it.';

-- The other columns of the two views have the comments of the current views.
do $$
declare
    history record;
begin
    for history in
        select h.relname as view, a.attname as column, col_description(c.oid, b.attnum) as comment
        from (
            values ('advisory_history', 'advisories'), ('ticket_history', 'tickets')) as pair (history, current)
        join pg_class h on h.relname = pair.history and h.relnamespace = 'advisoryd_v1'::regnamespace
        join pg_class c on c.relname = pair.current and c.relnamespace = 'advisoryd_v1'::regnamespace
        join pg_attribute a on a.attrelid = h.oid and a.attnum > 0
        join pg_attribute b on b.attrelid = c.oid and b.attname = a.attname
        where col_description(h.oid, a.attnum) is null
    loop
        execute format('comment on column advisoryd_v1.%I.%I is %L', history.view, history.column, history.comment);
    end loop;
end
$$;

create view advisoryd_v1.field_changes as
select 'advisory' as kind,
       n.said as key,
       n.version,
       case f.key when 'refs' then 'references' else f.key end as field,
       nullif(to_jsonb(o) -> f.key, 'null') as old,
       nullif(f.value, 'null') as new,
       n.changed_at as at
from advisoryd.every_advisory_version n
join advisoryd.every_advisory_version o on o.said = n.said and o.version = n.version - 1
cross join lateral jsonb_each(
    to_jsonb(n) - array['raw', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at', 'source']) as f
where f.value is distinct from to_jsonb(o) -> f.key
union all
select 'ticket',
       n.id::text,
       n.version,
       f.key,
       nullif(to_jsonb(o) -> f.key, 'null'),
       nullif(f.value, 'null'),
       n.changed_at
from advisoryd.every_ticket_version n
join advisoryd.every_ticket_version o on o.id = n.id and o.version = n.version - 1
cross join lateral jsonb_each(
    to_jsonb(n) - array['raw', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at']) as f
where f.value is distinct from to_jsonb(o) -> f.key;

comment on view advisoryd_v1.field_changes is 'Changed fields of each version after the first, with the old and the new value.';
comment on column advisoryd_v1.field_changes.kind is 'advisory or ticket.';
comment on column advisoryd_v1.field_changes.key is 'Identifier (SAID) of the advisory, or id of the ticket.';
comment on column advisoryd_v1.field_changes.version is 'Version that brought the change.';
comment on column advisoryd_v1.field_changes.field is 'Name of the column; products and references are documents.';
comment on column advisoryd_v1.field_changes.old is 'Old value; null if there was none.';
comment on column advisoryd_v1.field_changes.new is 'New value; null if there is none.';
comment on column advisoryd_v1.field_changes.at is 'When this version was stored.';

create view advisoryd_v1.changes as
select c.seq,
       c.at,
       c.kind,
       c.key,
       c.version,
       c.what,
       c.watch_list_id,
       c.run_id
from advisoryd.change c;

comment on view advisoryd_v1.changes is 'Change log of advisories and tickets, one row per event, in the order in which the events become visible: a consumer that stores its last seq misses none. NOTIFY advisoryd_changes signals new rows.';
comment on column advisoryd_v1.changes.seq is 'Sequence number, without gaps and in the order of commits.';
comment on column advisoryd_v1.changes.at is 'When the change was stored.';
comment on column advisoryd_v1.changes.kind is 'advisory or ticket.';
comment on column advisoryd_v1.changes.key is 'Identifier (SAID) of the advisory, or id of the ticket.';
comment on column advisoryd_v1.changes.version is 'Version that it created, or the current version at that time.';
comment on column advisoryd_v1.changes.what is 'Advisories: appeared, joined_watch_list, revised (every new version made by upstream), completed (a new version because feed and JSON together hold more of the same upstream version; events beside it compare with the version before), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated. Tickets: ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned. Both: corrected (`replay` parsed the raw text of the current version differently; the content upstream did not change), drifted (reading a past period again found it new or changed, although a complete run should have found it before).';
comment on column advisoryd_v1.changes.watch_list_id is 'Watch list through which it came; null for extra feeds and tickets.';
comment on column advisoryd_v1.changes.run_id is 'Run that found it.';

-- Functions have the rights of their caller: they read only public views.

create function advisoryd_v1.advisories_as_of(at timestamptz)
returns table (
    said text, upstream_id bigint, title text, severity text, severity_rank smallint, criticality integer,
    released_at timestamptz, modified_at timestamptz, attack_vector text, solution_status text,
    impacts text[], cves text[], cvss2_score double precision, cvss2_vector text,
    cvss3_score double precision, cvss3_vector text, cvss4_score double precision, cvss4_vector text,
    threat_score double precision, is_zero_day boolean, is_rejected boolean, description text, solution text,
    watch_list_ids bigint[], version integer, first_seen_at timestamptz, changed_at timestamptz,
    unrecognised jsonb, search tsvector, product_search tsvector, raw text,
    detail_fetched_at timestamptz, source text, custom_info jsonb)
language sql stable
begin atomic
    select v.said, v.upstream_id, v.title, v.severity, v.severity_rank, v.criticality,
           v.released_at, v.source_modified_at, v.attack_vector, v.solution_status, v.impacts, v.cves,
           v.cvss2_score, v.cvss2_vector, v.cvss3_score, v.cvss3_vector, v.cvss4_score, v.cvss4_vector,
           v.threat_score, v.is_zero_day, v.is_rejected, v.description, v.solution,
           array(
               select w.watch_list_id
               from advisoryd_v1.advisory_watch_lists w
               where w.said = v.said
                 and w.first_seen_at <= advisories_as_of.at
               order by w.watch_list_id),
           v.version, v.first_seen_at, v.valid_from, v.unrecognised,
           advisoryd.advisory_text(v.title, v.description, v.solution),
           advisoryd.product_text(v.products), v.raw,
           case when a.detail_fetched_at <= advisories_as_of.at then a.detail_fetched_at end,
           v.source,
           case when a.detail_fetched_at <= advisories_as_of.at then a.custom_info end
    from advisoryd_v1.advisory_history v
    left join advisoryd_v1.advisories a on a.said = v.said
    where v.valid_from <= advisories_as_of.at
      and (v.valid_to is null or v.valid_to > advisories_as_of.at);
end;
comment on function advisoryd_v1.advisories_as_of is 'The view advisories as it was at the given time. Only the latest detail_fetched_at and custom_info are stored; they are null if they are from a later time.';

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
           v.created_at, v.source_modified_at, v.deleted_at, v.version, v.first_seen_at, v.valid_from, v.raw
    from advisoryd_v1.ticket_history v
    where v.valid_from <= tickets_as_of.at
      and (v.valid_to is null or v.valid_to > tickets_as_of.at);
end;
comment on function advisoryd_v1.tickets_as_of is 'The view tickets as it was at the given time.';
