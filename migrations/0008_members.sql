-- Full pulls of lists, members that have left a list, and records that were repaired.

alter table advisoryd.source
    add column full_at         timestamptz,
    add column full_attempt_at timestamptz,
    add column full_seen       int8multirange not null default '{}',
    add column full_seen_at    timestamptz,
    add column doubted         int8multirange not null default '{}',
    add column doubted_at      timestamptz,
    add column doubted_known   bigint;

comment on column advisoryd.source.full_at is 'Start of the last complete full pull (the look-back of a first pull). Null before.';
comment on column advisoryd.source.full_attempt_at is 'Start of the last full pull, complete or not.';
comment on column advisoryd.source.seen is 'Ids in `sighting` of all records of its last complete run, except full pulls. It replaces an update of last_seen_at in each row, so that a run without changes writes one row.';
comment on column advisoryd.source.full_seen is 'The same as `seen`, of the last complete full pull.';
comment on column advisoryd.source.full_seen_at is 'Start of the run that wrote `full_seen`.';
comment on column advisoryd.source.doubted is 'Ids in `sighting` of the members that a full pull did not contain, while that is not believed because there are too many. Empty if the last full pull was believed.';
comment on column advisoryd.source.doubted_at is 'Start of the first full pull without them.';
comment on column advisoryd.source.doubted_known is 'Number of members that this full pull should have contained.';

alter table advisoryd.sighting
    add column left_at timestamptz,
    add column away    tstzmultirange;

comment on column advisoryd.sighting.last_seen_at is 'Valid if the id is neither in `seen` nor in `full_seen` of the source; otherwise seen_at or full_seen_at of the source may be newer.';
comment on column advisoryd.sighting.left_at is 'When a complete full pull of the list no longer contained it; null while it is a member.';
comment on column advisoryd.sighting.away is 'Earlier periods in which it was not a member: from leaving to coming back. Null if it has never come back.';

create function advisoryd.is_member(first_seen_at timestamptz, left_at timestamptz, away tstzmultirange, at timestamptz)
returns boolean
language sql immutable parallel safe
return first_seen_at <= at
   and (left_at is null or left_at > at)
   and not coalesce(away @> at, false);
comment on function advisoryd.is_member is 'Whether a row of sighting was a member of its list at a time.';

alter table advisoryd.change
    drop constraint change_what_check,
    add constraint change_what_check check (what in (
        'appeared', 'joined_watch_list', 'left_watch_list', 'revised', 'completed', 'escalated', 'deescalated',
        'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
        'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
        'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected', 'drifted'));

create or replace view advisoryd_v1.advisory_watch_lists as
select g.said,
       s.watch_list_id,
       g.first_seen_at,
       greatest(g.last_seen_at,
                case when s.seen @> g.id then s.seen_at end,
                case when s.full_seen @> g.id then s.full_seen_at end) as last_seen_at,
       g.left_at,
       g.away
from advisoryd.sighting g
join advisoryd.source s on s.id = g.source_id
where s.kind = 'watch_list';

comment on view advisoryd_v1.advisory_watch_lists is 'Which advisory was received through which watch list, and when. Members of a list are the rows with left_at is null.';
comment on column advisoryd_v1.advisory_watch_lists.left_at is 'When a complete full pull of the list no longer contained it; null while it is a member.';
comment on column advisoryd_v1.advisory_watch_lists.away is 'Earlier periods in which it was not a member: from leaving to coming back. Null if it has never come back.';

create or replace view advisoryd_v1.watch_lists as
select s.watch_list_id as id,
       s.name,
       s.configured,
       (select count(*) from advisoryd.sighting g where g.source_id = s.id and g.left_at is null) as advisories,
       s.last_attempt_at,
       s.last_success_at,
       greatest(now() - upper(s.covered), interval '0') as data_age,
       s.last_error,
       d.id is not null and d.vanished_at is null as discovered,
       d.enabled,
       d.discovered_at,
       d.vanished_at,
       s.full_at as last_full_at
from advisoryd.source s
left join advisoryd.discovered_list d on d.id = s.watch_list_id
where s.kind = 'watch_list';

comment on column advisoryd_v1.watch_lists.advisories is 'Number of advisories that are members of it.';
comment on column advisoryd_v1.watch_lists.last_full_at is 'Start of the last complete full pull ([schedule] full_feeds); null before the first.';

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
       coalesce(a.unrecognised ? 'repaired', false) as repaired
from advisoryd.advisory a
left join advisoryd.detail d on d.said = a.said;

comment on column advisoryd_v1.advisories.watch_list_ids is 'All watch lists of which it is a member. To select by watch list, join advisory_watch_lists (left_at is null), which is indexed.';
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
                 and (w.left_at is null or w.left_at > advisories_as_of.at)
                 and not coalesce(w.away @> advisories_as_of.at, false)
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

comment on column advisoryd_v1.changes.what is 'Advisories: appeared, joined_watch_list, left_watch_list (a complete full pull of the list no longer contained it), revised (every new version made by upstream), completed (a new version because feed and JSON together hold more of the same upstream version; events beside it compare with the version before), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated. Tickets: ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned. Both: corrected (`replay` parsed the raw text of the current version differently; the content upstream did not change), drifted (reading a past period again found it new or changed, although a complete run should have found it before).';

alter table advisoryd.condition
    drop constraint condition_what_check,
    add constraint condition_what_check check (what in (
        'data_stale', 'token_rejected', 'structure_not_recognised', 'quarantine_grew',
        'coverage_hole', 'sink_failing', 'request_budget_exhausted', 'removals_unconfirmed'));
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, coverage_hole, sink_failing, request_budget_exhausted or removals_unconfirmed; see docs/operations.md.';
