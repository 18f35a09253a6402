-- What a list's first load brings is no news, also where JSON serves the list: then
-- its members come with details, long after the run that asked for them has ended.

alter table source add column baseline_at timestamptz;
comment on column source.baseline_at is 'When the first complete run of this source ended: a detail that was wanted by then is no news. Null before, and where it is long ago.';
update source s
set baseline_at = (
    select min(r.finished_at)
    from sync_run r
    where r.source_id = s.id
      and r.outcome = 'ok')
where baseline_seq is not null;

alter table change add column is_first_load boolean not null default false;
comment on column change.is_first_load is 'Whether a detail brought it that a watch list''s first load had asked for.';
