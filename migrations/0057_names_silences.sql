-- An alert that several silences match counts for each of them.

alter table advisoryd.alert add column other_silences bigint[] not null default '{}';
comment on column advisoryd.alert.other_silences is 'Further silences that matched it when it was raised, besides silence_id.';

create or replace view advisoryd_v1.silences as
select s.id,
       s.matchers,
       s.reason,
       s.created_by,
       s.created_at,
       least(s.until, s.expired_at) as until,
       (select count(*)
        from advisoryd.alert a
        where a.silence_id is not null
          and (a.silence_id = s.id or s.id = any (a.other_silences))) as alerts
from advisoryd.silence s;
comment on column advisoryd_v1.silences.alerts is 'Number of alerts that it suppressed, alone or with other silences.';
comment on column advisoryd_v1.alerts.silence_id is 'Silence that suppressed it; if there are several, the one that ended last.';

-- Watch lists have the names of the configuration, also where tickets name them.

create or replace view advisoryd_v1.tickets as
select t.id,
       t.pretty_id,
       t.title,
       t.description,
       t.status_id,
       t.status,
       t.priority_id,
       t.priority,
       t.queue_id,
       t.queue,
       t.assignee_id,
       t.assignee,
       t.watch_list_id,
       coalesce(
           (select s.name
            from advisoryd.source s
            where s.kind = 'watch_list'
              and s.watch_list_id = t.watch_list_id),
           t.watch_list) as watch_list,
       t.said,
       t.created_at,
       t.modified_at,
       t.deleted_at,
       t.version,
       t.first_seen_at,
       t.changed_at,
       t.raw
from advisoryd.ticket t;
comment on column advisoryd_v1.tickets.watch_list is 'Name of that watch list, as in watch_lists; upstream''s if it has none there.';
