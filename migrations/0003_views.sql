-- Schema `advisoryd_v1`, the public interface: the current state. Later
-- migrations only add views, and columns at the end of views.

create schema advisoryd_v1;
comment on schema advisoryd_v1 is 'Public views of advisoryd. Columns are only ever added. All other schemas of this database are internal and may change. "Upstream" is Flexera Software Vulnerability Research (SVR), the API that advisoryd mirrors.';

create view advisoryd_v1.watch_lists as
select s.watch_list_id as id,
       s.name,
       s.configured,
       (select count(*) from advisoryd.sighting g where g.source_id = s.id) as advisories,
       s.last_attempt_at,
       s.last_success_at,
       greatest(now() - upper(s.covered), interval '0') as data_age,
       s.last_error,
       d.id is not null and d.vanished_at is null as discovered,
       d.enabled,
       d.discovered_at,
       d.vanished_at
from advisoryd.source s
left join advisoryd.discovered_list d on d.id = s.watch_list_id
where s.kind = 'watch_list';

comment on view advisoryd_v1.watch_lists is 'Watch lists that are or were followed or discovered, and how fresh their data is.';
comment on column advisoryd_v1.watch_lists.id is 'Id of the list upstream.';
comment on column advisoryd_v1.watch_lists.name is 'Name from the configuration, otherwise the name upstream.';
comment on column advisoryd_v1.watch_lists.configured is 'Whether it is followed now: it is configured, or discovery found it enabled.';
comment on column advisoryd_v1.watch_lists.advisories is 'Number of advisories received through it.';
comment on column advisoryd_v1.watch_lists.last_attempt_at is 'Start of the last run.';
comment on column advisoryd_v1.watch_lists.last_success_at is 'End of the last complete run. A failed run does not change it.';
comment on column advisoryd_v1.watch_lists.data_age is 'Time since the end of the period that was read completely; null before the first complete run.';
comment on column advisoryd_v1.watch_lists.last_error is 'Error of the last failed run; null after a successful run.';
comment on column advisoryd_v1.watch_lists.discovered is 'Whether the last discovery found it upstream.';
comment on column advisoryd_v1.watch_lists.enabled is 'Whether it is enabled upstream; null if it was never discovered.';
comment on column advisoryd_v1.watch_lists.discovered_at is 'When it was first discovered.';
comment on column advisoryd_v1.watch_lists.vanished_at is 'When discovery no longer found it; null while it exists upstream.';

create view advisoryd_v1.advisories as
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
       d.custom_info
from advisoryd.advisory a
left join advisoryd.detail d on d.said = a.said;

comment on view advisoryd_v1.advisories is 'Current version of each advisory.';
comment on column advisoryd_v1.advisories.said is 'Advisory identifier (SAID), such as SA87735.';
comment on column advisoryd_v1.advisories.upstream_id is 'Numeric id of the advisory upstream.';
comment on column advisoryd_v1.advisories.title is 'Title, one line.';
comment on column advisoryd_v1.advisories.severity is 'extremely_critical, highly_critical, moderately_critical, less_critical, not_critical, rejected, or unknown if the criticality is missing or undocumented.';
comment on column advisoryd_v1.advisories.severity_rank is 'Severity as a number: 5 = extremely critical, 4 = highly, 3 = moderately, 2 = less, 1 = not critical, 0 = rejected; null = unknown. severity_rank >= 4 selects highly critical and worse.';
comment on column advisoryd_v1.advisories.criticality is 'Code used by upstream, in reverse order: 1 = extremely critical to 5 = not critical, 0 = rejected. Prefer severity_rank.';
comment on column advisoryd_v1.advisories.released_at is 'When upstream first published it.';
comment on column advisoryd_v1.advisories.modified_at is 'When upstream last modified it.';
comment on column advisoryd_v1.advisories.attack_vector is 'remote, local_network, local, none, or unknown if missing or undocumented.';
comment on column advisoryd_v1.advisories.solution_status is 'None, No Fix, Vendor Patched, Vendor Workaround, Partial Fix, or an undocumented code as received.';
comment on column advisoryd_v1.advisories.impacts is 'Impacts of an attack, by the names of upstream.';
comment on column advisoryd_v1.advisories.cves is 'CVE identifiers, in upper case.';
comment on column advisoryd_v1.advisories.cvss2_score is 'CVSS version 2 score, 0.0 to 10.0; null if not scored.';
comment on column advisoryd_v1.advisories.cvss2_vector is 'CVSS version 2 vector.';
comment on column advisoryd_v1.advisories.cvss3_score is 'CVSS version 3.x score, 0.0 to 10.0; null if not scored.';
comment on column advisoryd_v1.advisories.cvss3_vector is 'CVSS version 3.x vector.';
comment on column advisoryd_v1.advisories.cvss4_score is 'CVSS version 4 score, 0.0 to 10.0; null if not scored.';
comment on column advisoryd_v1.advisories.cvss4_vector is 'CVSS version 4 vector.';
comment on column advisoryd_v1.advisories.threat_score is 'Threat score of upstream; null if the account has no licence for it.';
comment on column advisoryd_v1.advisories.is_zero_day is 'Whether it was exploited before a fix was available; null if upstream does not say.';
comment on column advisoryd_v1.advisories.is_rejected is 'Whether upstream has withdrawn it.';
comment on column advisoryd_v1.advisories.description is 'Description, plain text.';
comment on column advisoryd_v1.advisories.solution is 'Solution, plain text.';
comment on column advisoryd_v1.advisories.watch_list_ids is 'All watch lists through which it was received. To select by watch list, join advisory_watch_lists, which is indexed.';
comment on column advisoryd_v1.advisories.version is '1 for the first version, incremented with each change of the content.';
comment on column advisoryd_v1.advisories.first_seen_at is 'When its first version was stored.';
comment on column advisoryd_v1.advisories.changed_at is 'When its current version was stored.';
comment on column advisoryd_v1.advisories.unrecognised is 'Values that upstream sent and that were not recognised, by field.';
comment on column advisoryd_v1.advisories.search is 'Full-text search in title, description and solution (English), indexed: search @@ websearch_to_tsquery(''english'', ''openssl remote'').';
comment on column advisoryd_v1.advisories.product_search is 'Full-text search in product names and CPEs, indexed: product_search @@ plainto_tsquery(''simple'', ''openssl'').';
comment on column advisoryd_v1.advisories.raw is 'Record as received from the feed; if source is json, the JSON.';
comment on column advisoryd_v1.advisories.detail_fetched_at is 'When its detail was last fetched from the JSON API; null if it never was.';
comment on column advisoryd_v1.advisories.source is 'Where the columns come from: feed, json, or feed+json (both merged: for each field the newer one wins; JSON if they are equally new).';
comment on column advisoryd_v1.advisories.custom_info is 'Data of the account as of detail_fetched_at: related tickets, affected watch lists. A change of it creates no version.';

create view advisoryd_v1.advisory_products as
select a.said,
       p.id as product_id,
       p.name,
       p.os as is_os,
       p.cpes
from advisoryd.advisory a
cross join lateral jsonb_to_recordset(a.products) as p (id text, name text, os boolean, cpes text[]);

comment on view advisoryd_v1.advisory_products is 'Affected products of each advisory.';
comment on column advisoryd_v1.advisory_products.said is 'Advisory identifier (SAID).';
comment on column advisoryd_v1.advisory_products.product_id is 'Id of the product upstream.';
comment on column advisoryd_v1.advisory_products.name is 'Name of the product.';
comment on column advisoryd_v1.advisory_products.is_os is 'Whether it is an operating system; null if upstream does not say.';
comment on column advisoryd_v1.advisory_products.cpes is 'CPE names.';

create view advisoryd_v1.advisory_references as
select a.said,
       r.ordinal,
       r.url,
       r.description
from advisoryd.advisory a
cross join lateral jsonb_to_recordset(a.refs) as r (ordinal integer, url text, description text);

comment on view advisoryd_v1.advisory_references is 'References of each advisory. The URLs are untrusted data.';
comment on column advisoryd_v1.advisory_references.said is 'Advisory identifier (SAID).';
comment on column advisoryd_v1.advisory_references.ordinal is 'Position according to upstream.';
comment on column advisoryd_v1.advisory_references.url is 'URL as received.';
comment on column advisoryd_v1.advisory_references.description is 'Description as received.';

create view advisoryd_v1.advisory_watch_lists as
select g.said,
       s.watch_list_id,
       g.first_seen_at,
       case when s.seen @> g.id then greatest(s.seen_at, g.last_seen_at) else g.last_seen_at end as last_seen_at
from advisoryd.sighting g
join advisoryd.source s on s.id = g.source_id
where s.kind = 'watch_list';

comment on view advisoryd_v1.advisory_watch_lists is 'Which advisory was received through which watch list, and when.';
comment on column advisoryd_v1.advisory_watch_lists.said is 'Advisory identifier (SAID).';
comment on column advisoryd_v1.advisory_watch_lists.watch_list_id is 'Id of the watch list.';
comment on column advisoryd_v1.advisory_watch_lists.first_seen_at is 'When it was first received through this list.';
comment on column advisoryd_v1.advisory_watch_lists.last_seen_at is 'Start of the last complete run in which it was received through this list, or the time when its record was last stored.';

create view advisoryd_v1.tickets as
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
       t.watch_list,
       t.said,
       t.created_at,
       t.modified_at,
       t.deleted_at,
       t.version,
       t.first_seen_at,
       t.changed_at,
       t.raw
from advisoryd.ticket t;

comment on view advisoryd_v1.tickets is 'Current version of each ticket. Tickets deleted upstream stay, with deleted_at set.';
comment on column advisoryd_v1.tickets.id is 'Id of the ticket upstream, used in its URLs.';
comment on column advisoryd_v1.tickets.pretty_id is 'Ticket number shown to users.';
comment on column advisoryd_v1.tickets.title is 'Title, one line.';
comment on column advisoryd_v1.tickets.description is 'Description, plain text.';
comment on column advisoryd_v1.tickets.status_id is 'Id of the status upstream. Each account defines its own statuses.';
comment on column advisoryd_v1.tickets.status is 'Name of the status.';
comment on column advisoryd_v1.tickets.priority_id is 'Id of the priority upstream.';
comment on column advisoryd_v1.tickets.priority is 'Name of the priority.';
comment on column advisoryd_v1.tickets.queue_id is 'Id of the queue upstream.';
comment on column advisoryd_v1.tickets.queue is 'Name of the queue.';
comment on column advisoryd_v1.tickets.assignee_id is 'Id of the assignee upstream.';
comment on column advisoryd_v1.tickets.assignee is 'Name of the assignee.';
comment on column advisoryd_v1.tickets.watch_list_id is 'Id of the watch list that created it.';
comment on column advisoryd_v1.tickets.watch_list is 'Name of that watch list.';
comment on column advisoryd_v1.tickets.said is 'Identifier (SAID) of its advisory.';
comment on column advisoryd_v1.tickets.created_at is 'When it was created upstream.';
comment on column advisoryd_v1.tickets.modified_at is 'When it was last modified upstream.';
comment on column advisoryd_v1.tickets.deleted_at is 'When a complete full scan no longer found it; null while it exists upstream.';
comment on column advisoryd_v1.tickets.version is '1 for the first version, incremented with each change.';
comment on column advisoryd_v1.tickets.first_seen_at is 'When its first version was stored.';
comment on column advisoryd_v1.tickets.changed_at is 'When its current version was stored.';
comment on column advisoryd_v1.tickets.raw is 'Complete ticket as received.';

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
       r.error,
       r.accounted,
       r.digest
from advisoryd.sync_run r
join advisoryd.source s on s.id = r.source_id;

comment on view advisoryd_v1.sync_runs is 'Run log: every attempt to sync a source, and its result.';
comment on column advisoryd_v1.sync_runs.id is 'Increases with time.';
comment on column advisoryd_v1.sync_runs.job is 'feed, tickets, sweep (revision scan: the modification times of all advisories are compared with the stored ones) or details (complete advisories from the JSON API, one by one).';
comment on column advisoryd_v1.sync_runs.mode is 'window (the last days of a feed), full (everything), incremental (what changed), import (a saved document), reconcile (a past period again), json (the advisories of a watch list from the JSON API) or details (those in the fetch queue).';
comment on column advisoryd_v1.sync_runs.watch_list_id is 'Id of the watch list; null for other sources.';
comment on column advisoryd_v1.sync_runs.extra_feed is 'Name of the extra feed; null for other sources.';
comment on column advisoryd_v1.sync_runs.started_at is 'By the clock of advisoryd.';
comment on column advisoryd_v1.sync_runs.finished_at is 'By the clock of advisoryd; null while it runs.';
comment on column advisoryd_v1.sync_runs.outcome is 'running, ok (complete), failed, or interrupted (its process stopped or died).';
comment on column advisoryd_v1.sync_runs.window_from is 'Start of the requested window, by upstream''s clock.';
comment on column advisoryd_v1.sync_runs.window_to is 'End of the requested window, by upstream''s clock.';
comment on column advisoryd_v1.sync_runs.requests is 'Requests sent, including retries.';
comment on column advisoryd_v1.sync_runs.bytes is 'Bytes received, after decompression.';
comment on column advisoryd_v1.sync_runs.claimed is 'Number of records according to upstream, if upstream says it.';
comment on column advisoryd_v1.sync_runs.seen is 'Records received and parsed.';
comment on column advisoryd_v1.sync_runs.added is 'New records.';
comment on column advisoryd_v1.sync_runs.changed is 'Records that became a new version.';
comment on column advisoryd_v1.sync_runs.unchanged is 'Records without a change.';
comment on column advisoryd_v1.sync_runs.quarantined is 'Records that could not be parsed; see quarantine.';
comment on column advisoryd_v1.sync_runs.error is 'Why it failed.';
comment on column advisoryd_v1.sync_runs.accounted is 'Number of distinct records to compare with claimed, including quarantined ones.';
comment on column advisoryd_v1.sync_runs.digest is 'Digest chained over all runs of the source, verified by `advisoryd prove`.';

create view advisoryd_v1.quarantine as
select q.id,
       q.run_id,
       q.at,
       advisoryd.source_in_words(s.kind, s.watch_list_id, s.extra_feed) as source,
       q.key,
       q.reason,
       q.raw
from advisoryd.quarantine q
join advisoryd.source s on s.id = q.source_id;

comment on view advisoryd_v1.quarantine is 'Records that were received and could not be parsed.';
comment on column advisoryd_v1.quarantine.id is 'Increases with time.';
comment on column advisoryd_v1.quarantine.run_id is 'Run that first received it.';
comment on column advisoryd_v1.quarantine.at is 'When it was first received.';
comment on column advisoryd_v1.quarantine.source is 'Source that sent it, such as watch list 4 or tickets.';
comment on column advisoryd_v1.quarantine.key is 'Its identifier, if one was found.';
comment on column advisoryd_v1.quarantine.reason is 'Why it could not be parsed.';
comment on column advisoryd_v1.quarantine.raw is 'Record as received; bytes that text cannot hold are written as \x00.';

create view advisoryd_v1.coverage as
select advisoryd.source_in_words(s.kind, s.watch_list_id, s.extra_feed) as source,
       s.watch_list_id,
       s.covered,
       case
           when isempty(s.covered) then '{}'::tstzmultirange
           else tstzmultirange(range_merge(s.covered)) - s.covered
       end as gaps
from advisoryd.source s
where s.kind <> 'details';

comment on view advisoryd_v1.coverage is 'Which periods were read completely, by upstream''s clock, and the gaps between them.';
comment on column advisoryd_v1.coverage.source is 'watch list N, extra feed NAME, tickets, or sweep (revision scan: the modification times of all advisories).';
comment on column advisoryd_v1.coverage.watch_list_id is 'Id of the watch list; null for other sources.';
comment on column advisoryd_v1.coverage.covered is 'Union of the windows of complete runs.';
comment on column advisoryd_v1.coverage.gaps is 'Gaps between them. The next runs request them again.';
