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
        'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected'));
comment on column advisoryd_v1.changes.what is 'appeared, joined_watch_list, revised (every new version), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated, ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned; corrected (a replay read the current version''s raw text otherwise than before: its columns changed, upstream''s statement did not).';

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

comment on column advisoryd_v1.sync_runs.accounted is 'How many different records there were to set against claimed, quarantined ones included.';
comment on column advisoryd_v1.sync_runs.digest is 'Chained over all runs of the source; `advisoryd prove` recomputes it.';
