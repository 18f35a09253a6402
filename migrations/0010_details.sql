-- What the JSON API says of an advisory (its detail), laid over what the feed
-- says; which details are still wanted; and the sweep over all advisories.

alter table source
    drop constraint source_kind_check,
    add constraint source_kind_check check (kind in ('watch_list', 'extra_feed', 'tickets', 'sweep', 'details')),
    add column served_by   text not null default 'feed' check (served_by in ('feed', 'json')),
    add column served_why  text,
    add column rests_until timestamptz;
create unique index source_sweep on source (kind) where kind = 'sweep';
create unique index source_details on source (kind) where kind = 'details';

comment on table source is 'Everything that is read: one row per watch list, per extra feed, and one each for the tickets, the sweep and the details.';
comment on column source.served_by is 'Where a watch list''s advisories come from: its feed, or the JSON API.';
comment on column source.served_why is 'Why they come from the JSON API.';
comment on column source.rests_until is 'What upstream refused (a list''s feed, the sweep, the details) is not asked for again before.';

alter table sync_run
    drop constraint sync_run_job_check,
    add constraint sync_run_job_check check (job in ('feed', 'tickets', 'sweep', 'details')),
    drop constraint sync_run_mode_check,
    add constraint sync_run_mode_check check (mode in ('window', 'full', 'incremental', 'import', 'reconcile', 'json', 'details'));
comment on column advisoryd_v1.sync_runs.job is 'feed, tickets, sweep (all advisories'' modification times compared with what is stored) or details (whole advisories from the JSON API, one by one).';
comment on column advisoryd_v1.sync_runs.mode is 'window (a feed''s last days), full (all there is), incremental (what changed), import (a saved document), reconcile (old time again), json (a watch list''s advisories from the JSON API) or details (those wanted).';

alter table advisory
    alter column byte_hash drop not null,
    alter column content_hash drop not null,
    add column record_modified_at timestamptz,
    add column detail_hash        bytea,
    add column whole_hash         bytea;
alter table advisory_version
    alter column byte_hash drop not null,
    alter column content_hash drop not null,
    add column record_modified_at timestamptz,
    add column detail_hash        bytea,
    add column whole_hash         bytea;

comment on column advisory.raw is 'The record as the feed sent it, decoded to UTF-8; where no feed has sent one (byte_hash is null), the detail as JSON.';
comment on column advisory.byte_hash is 'Fingerprint of the feed''s record; null where no feed has sent one.';
comment on column advisory.content_hash is 'Fingerprint of the model of the feed''s record alone; equal means the same in other bytes.';
comment on column advisory.record_modified_at is 'What the feed''s record alone says it was modified; only where there is a detail, else modified_at.';
comment on column advisory.detail_hash is 'The detail that is laid over the record (detail.byte_hash or former_detail.byte_hash); null where there is none.';
comment on column advisory.whole_hash is 'Fingerprint of record and detail together, which is what the columns say; null where there is no detail: then content_hash.';

create table detail (
    said        text primary key,
    raw         text not null,
    byte_hash   bytea not null,
    model       jsonb not null,
    modified_at timestamptz,
    custom_info jsonb,
    lists       bigint[],
    fetched_at  timestamptz not null,
    run_id      bigint not null
);
comment on table detail is 'The last answer of the JSON API to "what is this advisory"; also of advisories that are in no followed list and therefore not in advisory.';
comment on column detail.raw is 'The whole answer as it came.';
comment on column detail.byte_hash is 'Fingerprint of what it says, without custom_info, whatever the order of its keys.';
comment on column detail.model is 'What it says, as the model of an advisory: derived from raw.';
comment on column detail.modified_at is 'When upstream says that it made it.';
comment on column detail.custom_info is 'What belongs to the account (related tickets, affected watch lists). It changes without modified_at and makes no version.';
comment on column detail.lists is 'Watch lists that custom_info names as affected; null where it does not say.';

create table former_detail (
    said      text not null,
    byte_hash bytea not null,
    raw       text not null,
    primary key (said, byte_hash)
);
comment on table former_detail is 'Details that versions were made with and that another one has replaced.';

create table wanted_detail (
    said         text primary key,
    wanted_since timestamptz not null,
    reason       text not null check (reason in ('lacks', 'always', 'older', 'sweep', 'json')),
    modified_at  timestamptz,
    attempts     integer not null default 0,
    next_at      timestamptz not null,
    last_error   text,
    listed       jsonb
);
create index wanted_detail_by_time on wanted_detail (next_at);
comment on table wanted_detail is 'Details that are to be fetched: the promise that nothing is forgotten, whatever happens to the process.';
comment on column wanted_detail.reason is 'lacks (the feed gave no products, CVEs or description), always ([feeds] details), older (the known detail is older than the record), sweep (upstream has a newer one than is stored), json (the JSON API listed it for a watch list).';
comment on column wanted_detail.modified_at is 'When upstream says that it made what is wanted.';
comment on column wanted_detail.listed is 'What the JSON API''s collection said of it, as it came.';
comment on column wanted_detail.next_at is 'Not before; far away where upstream has none.';

create table detail_request (
    at timestamptz not null
);
create index detail_request_by_time on detail_request (at);
comment on table detail_request is 'The requests for details of the last day, written before they are sent, for [feeds] details_per_day.';

create table feed_days (
    singleton  boolean primary key default true check (singleton),
    counts     text not null check (counts in ('releases', 'modifications')),
    settled_at timestamptz not null,
    said       text not null,
    run_id     bigint not null
);
comment on table feed_days is 'What `days` of this account''s feeds counts, once something has shown it.';
comment on column feed_days.said is 'The advisory that showed it: released before the window of a complete run and modified in it.';
comment on column feed_days.run_id is 'That run: it held the advisory (modifications), or did not (releases).';

alter table change
    drop constraint change_what_check,
    add constraint change_what_check check (what in (
        'appeared', 'joined_watch_list', 'revised', 'completed', 'escalated', 'deescalated',
        'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
        'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
        'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected', 'drifted'));
comment on column advisoryd_v1.changes.what is 'appeared, joined_watch_list, revised (every new version that upstream made), completed (a new version because feed and JSON together say more of the same statement; the facts beside it are against the statement before), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated, ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned; corrected (a replay read the current version''s raw text otherwise than before: its columns changed, upstream''s statement did not); drifted (reading old time again found it new or changed, though a complete run should have shown it).';

create or replace view advisoryd_v1.advisories as
select a.said,
       a.upstream_id,
       a.title,
       case a.severity_rank
           when 5 then 'extremely_critical'
           when 4 then 'highly_critical'
           when 3 then 'moderately_critical'
           when 2 then 'less_critical'
           when 1 then 'not_critical'
           when 0 then 'rejected'
           else 'unknown'
       end as severity,
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
           from sighting g
           join source s on s.id = g.source_id
           where g.said = a.said
             and s.kind = 'watch_list'
           order by s.watch_list_id) as watch_list_ids,
       a.version,
       a.first_seen_at,
       a.changed_at,
       a.unrecognised,
       advisory_text(a.title, a.description, a.solution) as search,
       product_text(a.products) as product_search,
       a.raw,
       d.fetched_at as detail_fetched_at,
       case
           when a.byte_hash is null then 'json'
           when a.detail_hash is null then 'feed'
           else 'feed+json'
       end as source,
       d.custom_info
from advisory a
left join detail d on d.said = a.said;

comment on column advisoryd_v1.advisories.raw is 'The record as upstream''s feed sent it; where source is json, the JSON.';
comment on column advisoryd_v1.advisories.detail_fetched_at is 'When the JSON API was last asked for the whole advisory; null where it never answered.';
comment on column advisoryd_v1.advisories.source is 'Where the columns come from: feed, json, or feed+json (of two statements the newer wins field by field, JSON at the same time).';
comment on column advisoryd_v1.advisories.custom_info is 'What belongs to the account, as of detail_fetched_at: related tickets, affected watch lists. It makes no version.';

create or replace view advisoryd_v1.quarantine as
select q.id,
       q.run_id,
       q.at,
       case s.kind
           when 'watch_list' then 'watch list ' || s.watch_list_id
           when 'extra_feed' then 'extra feed ' || s.extra_feed
           else s.kind
       end as source,
       q.key,
       q.reason,
       q.raw
from quarantine q
join source s on s.id = q.source_id;

create or replace view advisoryd_v1.coverage as
select case s.kind
           when 'watch_list' then 'watch list ' || s.watch_list_id
           when 'extra_feed' then 'extra feed ' || s.extra_feed
           else s.kind
       end as source,
       s.watch_list_id,
       s.covered,
       case
           when isempty(s.covered) then '{}'::tstzmultirange
           else tstzmultirange(range_merge(s.covered)) - s.covered
       end as gaps
from source s
where s.kind <> 'details';
comment on column advisoryd_v1.coverage.source is 'What is read: a watch list, an extra feed, tickets, or sweep (all advisories'' modification times).';
comment on column advisoryd_v1.coverage.watch_list_id is 'Which watch list; null for all others.';

create or replace view every_advisory_version as
select replaced_at, v.said, v.upstream_id, v.title, v.criticality, v.is_rejected, v.severity_rank,
       v.released_at, v.modified_at, v.attack_vector, v.solution_status, v.impacts, v.cves,
       v.cvss2_score, v.cvss2_vector, v.cvss3_score, v.cvss3_vector, v.cvss4_score, v.cvss4_vector,
       v.threat_score, v.is_zero_day, v.description, v.solution, v.products, v.refs, v.unrecognised,
       v.raw, v.run_id, v.version, v.first_seen_at, v.changed_at,
       case
           when v.byte_hash is null then 'json'
           when v.detail_hash is null then 'feed'
           else 'feed+json'
       end as source
from advisory_version v
union all
select null, a.said, a.upstream_id, a.title, a.criticality, a.is_rejected, a.severity_rank,
       a.released_at, a.modified_at, a.attack_vector, a.solution_status, a.impacts, a.cves,
       a.cvss2_score, a.cvss2_vector, a.cvss3_score, a.cvss3_vector, a.cvss4_score, a.cvss4_vector,
       a.threat_score, a.is_zero_day, a.description, a.solution, a.products, a.refs, a.unrecognised,
       a.raw, a.run_id, a.version, a.first_seen_at, a.changed_at,
       case
           when a.byte_hash is null then 'json'
           when a.detail_hash is null then 'feed'
           else 'feed+json'
       end
from advisory a;

create or replace view advisoryd_v1.field_changes as
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
from every_ticket_version n
join every_ticket_version o on o.id = n.id and o.version = n.version - 1
cross join lateral jsonb_each(
    to_jsonb(n) - array['raw', 'run_id', 'version', 'first_seen_at', 'changed_at', 'replaced_at']) as f
where f.value is distinct from to_jsonb(o) -> f.key;

create or replace view advisoryd_v1.advisory_history as
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
       v.raw,
       v.upstream_id,
       v.products,
       v.unrecognised,
       v.first_seen_at,
       v.source
from every_advisory_version v;
comment on column advisoryd_v1.advisory_history.source is 'Where the version''s columns come from: feed, json, or feed+json.';
comment on column advisoryd_v1.advisory_history.raw is 'The record as upstream''s feed sent it; where source is json, the JSON. Null where retention removed it.';

-- It is what the view advisories is, so it gains the same columns.
drop function advisoryd_v1.advisories_as_of;
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
    select v.said, v.upstream_id, v.title,
           v.severity,
           v.severity_rank, v.criticality, v.released_at, v.source_modified_at,
           v.attack_vector, v.solution_status, v.impacts, v.cves,
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
comment on function advisoryd_v1.advisories_as_of is 'The view advisories as it was at this time: what we knew then. Of what makes no version (detail_fetched_at, custom_info) the last state is known, and shown where it is not later.';
