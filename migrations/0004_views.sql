-- What users query: schema `advisoryd_v1`. Extend it; never rename or remove.

create schema advisoryd_v1;
comment on schema advisoryd_v1 is 'What users of advisoryd query. Everything else in this database is internal and may change.';

create view advisoryd_v1.watch_lists as
select s.watch_list_id as id,
       s.name,
       s.configured,
       (select count(*) from sighting g where g.source_id = s.id) as advisories,
       s.last_attempt_at,
       s.last_success_at,
       greatest(now() - upper(s.covered), interval '0') as data_age,
       s.last_error
from source s
where s.kind = 'watch_list';

comment on view advisoryd_v1.watch_lists is 'The watch lists that are or were followed, and how fresh what we know of each is.';
comment on column advisoryd_v1.watch_lists.id is 'Upstream''s number of the list.';
comment on column advisoryd_v1.watch_lists.name is 'From the configuration.';
comment on column advisoryd_v1.watch_lists.configured is 'Whether the configuration names it now.';
comment on column advisoryd_v1.watch_lists.advisories is 'How many advisories were seen through it.';
comment on column advisoryd_v1.watch_lists.last_attempt_at is 'When a run last began.';
comment on column advisoryd_v1.watch_lists.last_success_at is 'When the last complete run ended. A failed run never moves it.';
comment on column advisoryd_v1.watch_lists.data_age is 'Time since the end of what was read completely; null before the first complete run.';
comment on column advisoryd_v1.watch_lists.last_error is 'What the last run failed with; null once a run has succeeded.';

create view advisoryd_v1.advisories as
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
       a.raw
from advisory a;

comment on view advisoryd_v1.advisories is 'One row per advisory: what its newest version says.';
comment on column advisoryd_v1.advisories.said is 'The advisory''s identifier, such as SA87735.';
comment on column advisoryd_v1.advisories.upstream_id is 'Upstream''s number for it.';
comment on column advisoryd_v1.advisories.title is 'One line.';
comment on column advisoryd_v1.advisories.severity is 'extremely_critical, highly_critical, moderately_critical, less_critical, not_critical, rejected, or unknown where the code is missing or undocumented.';
comment on column advisoryd_v1.advisories.severity_rank is '5 = extremely critical, 4 = highly, 3 = moderately, 2 = less, 1 = not critical, 0 = rejected; null = unknown. severity_rank >= 4 means highly critical or worse.';
comment on column advisoryd_v1.advisories.criticality is 'The vendor''s code, which runs the other way: 1 = extremely critical … 5 = not critical, 0 = rejected. Prefer severity_rank.';
comment on column advisoryd_v1.advisories.released_at is 'When the vendor first published it.';
comment on column advisoryd_v1.advisories.modified_at is 'When the vendor last revised it.';
comment on column advisoryd_v1.advisories.attack_vector is 'remote, local_network, local, none, or unknown where missing or undocumented.';
comment on column advisoryd_v1.advisories.solution_status is 'None, No Fix, Vendor Patched, Vendor Workaround, Partial Fix, or an undocumented code as it came.';
comment on column advisoryd_v1.advisories.impacts is 'What an attacker gains, by the vendor''s names.';
comment on column advisoryd_v1.advisories.cves is 'CVE identifiers, in upper case.';
comment on column advisoryd_v1.advisories.cvss2_score is 'CVSS version 2, 0.0 to 10.0; null where not scored.';
comment on column advisoryd_v1.advisories.cvss2_vector is 'CVSS version 2 vector.';
comment on column advisoryd_v1.advisories.cvss3_score is 'CVSS version 3.x, 0.0 to 10.0; null where not scored.';
comment on column advisoryd_v1.advisories.cvss3_vector is 'CVSS version 3.x vector.';
comment on column advisoryd_v1.advisories.cvss4_score is 'CVSS version 4, 0.0 to 10.0; null where not scored.';
comment on column advisoryd_v1.advisories.cvss4_vector is 'CVSS version 4 vector.';
comment on column advisoryd_v1.advisories.threat_score is 'The vendor''s threat score; null without the licence for it.';
comment on column advisoryd_v1.advisories.is_zero_day is 'Exploited before a fix was known; null where upstream does not say.';
comment on column advisoryd_v1.advisories.is_rejected is 'Withdrawn by the vendor.';
comment on column advisoryd_v1.advisories.description is 'Plain text.';
comment on column advisoryd_v1.advisories.solution is 'Plain text.';
comment on column advisoryd_v1.advisories.watch_list_ids is 'Every watch list it was seen through. To select by list, join advisory_watch_lists, which is indexed.';
comment on column advisoryd_v1.advisories.version is '1 when first seen, one more with each change of what it says.';
comment on column advisoryd_v1.advisories.first_seen_at is 'When it was first stored here.';
comment on column advisoryd_v1.advisories.changed_at is 'When its newest version was stored here.';
comment on column advisoryd_v1.advisories.unrecognised is 'Values that upstream sent and that were not understood, by field.';
comment on column advisoryd_v1.advisories.search is 'Full text of title, description and solution (English), indexed: search @@ websearch_to_tsquery(''english'', ''openssl remote'').';
comment on column advisoryd_v1.advisories.product_search is 'Words of product names and CPEs, indexed: product_search @@ plainto_tsquery(''simple'', ''openssl'').';
comment on column advisoryd_v1.advisories.raw is 'The record as upstream sent it.';

create view advisoryd_v1.advisory_products as
select a.said,
       p.id as product_id,
       p.name,
       p.os as is_os,
       p.cpes
from advisory a
cross join lateral jsonb_to_recordset(a.products) as p (id text, name text, os boolean, cpes text[]);

comment on view advisoryd_v1.advisory_products is 'The products an advisory names as affected.';
comment on column advisoryd_v1.advisory_products.said is 'The advisory.';
comment on column advisoryd_v1.advisory_products.product_id is 'Upstream''s identifier of the product.';
comment on column advisoryd_v1.advisory_products.name is 'As people call it.';
comment on column advisoryd_v1.advisory_products.is_os is 'Whether it is an operating system; null where upstream does not say.';
comment on column advisoryd_v1.advisory_products.cpes is 'CPE names.';

create view advisoryd_v1.advisory_references as
select a.said,
       r.ordinal,
       r.url,
       r.description
from advisory a
cross join lateral jsonb_to_recordset(a.refs) as r (ordinal integer, url text, description text);

comment on view advisoryd_v1.advisory_references is 'What an advisory refers to. Data from outside: do not follow blindly.';
comment on column advisoryd_v1.advisory_references.said is 'The advisory.';
comment on column advisoryd_v1.advisory_references.ordinal is 'Position, as upstream numbers it.';
comment on column advisoryd_v1.advisory_references.url is 'As it came.';
comment on column advisoryd_v1.advisory_references.description is 'As it came.';

create view advisoryd_v1.advisory_watch_lists as
select g.said,
       s.watch_list_id,
       g.first_seen_at,
       case when s.seen @> g.id then greatest(s.seen_at, g.last_seen_at) else g.last_seen_at end as last_seen_at
from sighting g
join source s on s.id = g.source_id
where s.kind = 'watch_list';

comment on view advisoryd_v1.advisory_watch_lists is 'Which advisory was seen through which watch list, and when.';
comment on column advisoryd_v1.advisory_watch_lists.said is 'The advisory.';
comment on column advisoryd_v1.advisory_watch_lists.watch_list_id is 'The watch list.';
comment on column advisoryd_v1.advisory_watch_lists.first_seen_at is 'When it first came through this list.';
comment on column advisoryd_v1.advisory_watch_lists.last_seen_at is 'Beginning of the last complete run in which it came through this list, or when its record was last written.';

create view advisoryd_v1.tickets as
select id,
       pretty_id,
       title,
       description,
       status_id,
       status,
       priority_id,
       priority,
       queue_id,
       queue,
       assignee_id,
       assignee,
       watch_list_id,
       watch_list,
       said,
       created_at,
       modified_at,
       deleted_at,
       version,
       first_seen_at,
       changed_at,
       raw
from ticket;

comment on view advisoryd_v1.tickets is 'One row per ticket: what it says now. A ticket that is gone upstream stays, with deleted_at.';
comment on column advisoryd_v1.tickets.id is 'Upstream''s number, key in its URLs.';
comment on column advisoryd_v1.tickets.pretty_id is 'The number people use.';
comment on column advisoryd_v1.tickets.title is 'One line.';
comment on column advisoryd_v1.tickets.description is 'Plain text.';
comment on column advisoryd_v1.tickets.status_id is 'Statuses are rows that the customer defines: upstream''s number.';
comment on column advisoryd_v1.tickets.status is 'The status'' name.';
comment on column advisoryd_v1.tickets.priority_id is 'Upstream''s number of the priority.';
comment on column advisoryd_v1.tickets.priority is 'The priority''s name.';
comment on column advisoryd_v1.tickets.queue_id is 'Upstream''s number of the queue.';
comment on column advisoryd_v1.tickets.queue is 'The queue''s name.';
comment on column advisoryd_v1.tickets.assignee_id is 'Upstream''s number of the person.';
comment on column advisoryd_v1.tickets.assignee is 'The person''s name.';
comment on column advisoryd_v1.tickets.watch_list_id is 'The watch list that made it.';
comment on column advisoryd_v1.tickets.watch_list is 'That list''s name.';
comment on column advisoryd_v1.tickets.said is 'The advisory it is about.';
comment on column advisoryd_v1.tickets.created_at is 'When upstream made it.';
comment on column advisoryd_v1.tickets.modified_at is 'When upstream last changed it.';
comment on column advisoryd_v1.tickets.deleted_at is 'When a complete full walk no longer found it; null while it exists.';
comment on column advisoryd_v1.tickets.version is '1 when first seen, one more with each change.';
comment on column advisoryd_v1.tickets.first_seen_at is 'When it was first stored here.';
comment on column advisoryd_v1.tickets.changed_at is 'When its newest version was stored here.';
comment on column advisoryd_v1.tickets.raw is 'The whole ticket as it came.';

create view advisoryd_v1.sync_runs as
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
       r.error
from sync_run r
join source s on s.id = r.source_id;

comment on view advisoryd_v1.sync_runs is 'Every attempt to read a source, and what came of it.';
comment on column advisoryd_v1.sync_runs.id is 'Grows with time.';
comment on column advisoryd_v1.sync_runs.job is 'feed or tickets.';
comment on column advisoryd_v1.sync_runs.mode is 'window (a feed''s last days), full (all there is), incremental (what changed) or import (a saved document).';
comment on column advisoryd_v1.sync_runs.watch_list_id is 'Which watch list; null for tickets and extra feeds.';
comment on column advisoryd_v1.sync_runs.extra_feed is 'Which extra feed; null for tickets and watch lists.';
comment on column advisoryd_v1.sync_runs.started_at is 'By our clock.';
comment on column advisoryd_v1.sync_runs.finished_at is 'By our clock; null while running.';
comment on column advisoryd_v1.sync_runs.outcome is 'running, ok (complete), failed, or interrupted (its process stopped or died).';
comment on column advisoryd_v1.sync_runs.window_from is 'Beginning of the window asked for, by upstream''s clock.';
comment on column advisoryd_v1.sync_runs.window_to is 'End of the window, by upstream''s clock.';
comment on column advisoryd_v1.sync_runs.requests is 'Requests sent, retries included.';
comment on column advisoryd_v1.sync_runs.bytes is 'Bytes received, after decompression.';
comment on column advisoryd_v1.sync_runs.claimed is 'How many records upstream said there are, where it says so.';
comment on column advisoryd_v1.sync_runs.seen is 'Records received and understood.';
comment on column advisoryd_v1.sync_runs.added is 'Records that were new.';
comment on column advisoryd_v1.sync_runs.changed is 'Records that became a new version.';
comment on column advisoryd_v1.sync_runs.unchanged is 'Records that said nothing new.';
comment on column advisoryd_v1.sync_runs.quarantined is 'Records that could not be understood; see quarantine.';
comment on column advisoryd_v1.sync_runs.error is 'Why it failed.';

create view advisoryd_v1.quarantine as
select q.id,
       q.run_id,
       q.at,
       case s.kind
           when 'watch_list' then 'watch list ' || s.watch_list_id
           when 'extra_feed' then 'extra feed ' || s.extra_feed
           else 'tickets'
       end as source,
       q.key,
       q.reason,
       q.raw
from quarantine q
join source s on s.id = q.source_id;

comment on view advisoryd_v1.quarantine is 'Records that were received and could not be understood.';
comment on column advisoryd_v1.quarantine.id is 'Grows with time.';
comment on column advisoryd_v1.quarantine.run_id is 'The run that first received it.';
comment on column advisoryd_v1.quarantine.at is 'When it was first received.';
comment on column advisoryd_v1.quarantine.source is 'Where it came from.';
comment on column advisoryd_v1.quarantine.key is 'Its identifier, where one could be found.';
comment on column advisoryd_v1.quarantine.reason is 'Why it could not be understood.';
comment on column advisoryd_v1.quarantine.raw is 'The record as it came; what text cannot hold is written \x00.';

-- Search by the indexed words needs these; the tables behind the views stay closed.
do $$
begin
    if not exists (select from pg_roles where rolname = 'advisoryd_reader') then
        begin
            create role advisoryd_reader nologin;
        exception
            when insufficient_privilege then
                raise notice 'role advisoryd_reader was not created: this user may not create roles. As a superuser run: create role advisoryd_reader nologin; grant usage on schema advisoryd_v1 to advisoryd_reader; grant select on all tables in schema advisoryd_v1 to advisoryd_reader;';
                return;
            when duplicate_object or unique_violation then
                null; -- another database of this cluster was migrated at the same moment
        end;
    end if;
    grant usage on schema advisoryd_v1 to advisoryd_reader;
    grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
    alter default privileges in schema advisoryd_v1 grant select on tables to advisoryd_reader;
end
$$;
