-- The ledger as a chain of digests, what retention has dropped, and changes
-- that a replay makes.

alter table sync_run
    add column accounted bigint,
    add column received  bytea,
    add column place     bigint,
    add column digest    bytea;
create unique index sync_run_by_place on sync_run (source_id, place);

comment on column sync_run.accounted is 'How many different records there were to set against `claimed`, quarantined ones included; null where the run did not come so far.';
comment on column sync_run.received is 'Sum of the fingerprints of all records received, quarantined ones included, whatever their order; null where the process died before it could be told.';
comment on column sync_run.place is 'Which of its source''s ended runs it is, counted from 1; null while it runs.';
comment on column sync_run.digest is 'SHA-256 over the digest of the run before it and all columns of this row.';

alter table source
    add column runs             bigint not null default 0,
    add column head             bytea,
    add column dropped_runs     bigint not null default 0,
    add column dropped_head     bytea,
    add column dropped_covers   tstzmultirange not null default '{}',
    add column unchained_run_id bigint not null default 0;

-- What happened before this migration is taken as it is.
update source s
set dropped_covers = s.covered,
    unchained_run_id = coalesce((
        select max(r.id)
        from sync_run r
        where r.source_id = s.id
          and r.outcome <> 'running'), 0);

comment on column source.runs is 'How many runs have ended: the place of the newest one in the chain.';
comment on column source.head is 'The newest run''s digest, so that its row cannot go unnoticed.';
comment on column source.dropped_runs is 'The place of the newest run that retention has dropped.';
comment on column source.dropped_head is 'That run''s digest: where the chain is now anchored.';
comment on column source.dropped_covers is 'What the complete ones of the dropped runs covered, and all that was covered before the chain began.';
comment on column source.unchained_run_id is 'The last run that ended before the chain began; 0 where the chain is as old as the source.';

create table retained (
    singleton       boolean primary key default true check (singleton),
    versions_before timestamptz not null default '-infinity'
);
insert into retained default values;

comment on table retained is 'What retention has dropped, so that it is not taken for a loss.';
comment on column retained.versions_before is 'Versions that were replaced before may be gone.';

create index advisory_version_with_raw on advisory_version (replaced_at) where raw is not null;
create index ticket_version_with_raw on ticket_version (replaced_at) where raw is not null;

alter table change
    drop constraint change_what_check,
    add constraint change_what_check check (what in (
        'appeared', 'joined_watch_list', 'revised', 'escalated', 'deescalated',
        'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
        'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
        'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected', 'drifted'));
alter table sync_run
    drop constraint sync_run_mode_check,
    add constraint sync_run_mode_check check (mode in ('window', 'full', 'incremental', 'import', 'reconcile'));
comment on column advisoryd_v1.changes.what is 'appeared, joined_watch_list, revised (every new version), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated, ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned; corrected (a replay read the current version''s raw text otherwise than before: its columns changed, upstream''s statement did not); drifted (reading old time again found it new or changed, though a complete run should have shown it).';

create or replace view advisoryd_v1.sync_runs as
select r.id,
       r.job,
       r.mode,
       s.watch_list_id,
       s.extra_feed,
       r.started_at,
       r.finished_at,
       r.outcome,
       lower(r.covers) as window_from,
       upper(r.covers) as window_to,
       r.requests,
       r.bytes,
       r.claimed,
       r.seen,
       r.added,
       r.changed,
       r.unchanged,
       r.quarantined,
       r.error,
       r.accounted,
       r.digest
from sync_run r
join source s on s.id = r.source_id;

comment on column advisoryd_v1.sync_runs.mode is 'window (a feed''s last days), full (all there is), incremental (what changed), import (a saved document) or reconcile (old time again).';
comment on column advisoryd_v1.sync_runs.accounted is 'How many different records there were to set against claimed, quarantined ones included.';
comment on column advisoryd_v1.sync_runs.digest is 'Chained over all runs of the source; `advisoryd prove` recomputes it.';

-- What readers may call reads views only: a function has no rights of its own.
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
       v.first_seen_at
from every_advisory_version v;


create or replace view advisoryd_v1.ticket_history as
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
from every_ticket_version v;


comment on column advisoryd_v1.advisory_history.upstream_id is 'Upstream''s numeric id.';
comment on column advisoryd_v1.advisory_history.products is 'The products it named as affected, as a document.';
comment on column advisoryd_v1.advisory_history.unrecognised is 'What the record said that has no column.';
comment on column advisoryd_v1.advisory_history.first_seen_at is 'When its first version came.';
comment on column advisoryd_v1.ticket_history.first_seen_at is 'When its first version came.';

create or replace function advisoryd_v1.advisories_as_of(at timestamptz)
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
           advisoryd.product_text(v.products), v.raw
    from advisoryd_v1.advisory_history v
    where v.valid_from <= advisories_as_of.at
      and (v.valid_to is null or v.valid_to > advisories_as_of.at);
end;

create or replace function advisoryd_v1.tickets_as_of(at timestamptz)
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
