-- Advisories that were stored from a damaged record.

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
       coalesce(a.unrecognised ? 'repaired', false) as repaired
from advisoryd.advisory a
left join advisoryd.detail d on d.said = a.said;

comment on column advisoryd_v1.advisories.repaired is 'Whether the record was damaged and was repaired when it was parsed; unrecognised -> ''repaired'' says what was repaired.';
comment on column advisoryd_v1.advisories.unrecognised is 'Values that upstream sent and that no other column holds, by field, or by path in the record (advisory/name). repaired: what was repaired in a damaged record, and where.';

drop function advisoryd_v1.advisories_as_of(timestamptz);
create function advisoryd_v1.advisories_as_of(at timestamptz)
returns table (
    said text, upstream_id bigint, title text, severity text, severity_rank smallint, criticality integer,
    released_at timestamptz, modified_at timestamptz, attack_vector text, solution_status text,
    impacts text[], cves text[], cvss2_score double precision, cvss2_vector text,
    cvss3_score double precision, cvss3_vector text, cvss4_score double precision, cvss4_vector text,
    threat_score double precision, is_zero_day boolean, is_rejected boolean, description text, solution text,
    watch_list_ids bigint[], version integer, first_seen_at timestamptz, changed_at timestamptz,
    unrecognised jsonb, search tsvector, product_search tsvector, raw text,
    detail_fetched_at timestamptz, source text, custom_info jsonb,
    repaired boolean)
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
           case when a.detail_fetched_at <= advisories_as_of.at then a.custom_info end,
           coalesce(v.unrecognised ? 'repaired', false)
    from advisoryd_v1.advisory_history v
    left join advisoryd_v1.advisories a on a.said = v.said
    where v.valid_from <= advisories_as_of.at
      and (v.valid_to is null or v.valid_to > advisories_as_of.at);
end;
comment on function advisoryd_v1.advisories_as_of is 'The view advisories as it was at the given time. Only the latest detail_fetched_at and custom_info are stored; they are null if they are from a later time.';
