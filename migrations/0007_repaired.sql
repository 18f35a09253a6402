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
