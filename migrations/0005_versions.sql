-- Every version that was replaced. Current versions stay where they are, so
-- that a first load writes no history. `replaced_at` comes first: columns that
-- later migrations add to both tables then keep the same order.

create table advisory_version (
    replaced_at timestamptz not null,
    like advisory including comments,
    primary key (said, version)
);
alter table advisory_version alter column raw drop not null;
create index advisory_version_by_time on advisory_version (replaced_at, changed_at);

comment on table advisory_version is 'Versions of advisories that were replaced, with their raw texts. The current version is in `advisory`.';
comment on column advisory_version.replaced_at is 'When the next version was stored here.';
comment on column advisory_version.raw is 'Null where retention removed it.';

create table ticket_version (
    replaced_at timestamptz not null,
    like ticket including comments,
    primary key (id, version)
);
alter table ticket_version alter column raw drop not null;
create index ticket_version_by_time on ticket_version (replaced_at, changed_at);

comment on table ticket_version is 'Versions of tickets that were replaced, with their raw texts. The current version is in `ticket`.';
comment on column ticket_version.replaced_at is 'When the next version was stored here.';
comment on column ticket_version.raw is 'Null where retention removed it.';

create view every_advisory_version as
select replaced_at, v.said, v.upstream_id, v.title, v.criticality, v.is_rejected, v.severity_rank,
       v.released_at, v.modified_at, v.attack_vector, v.solution_status, v.impacts, v.cves,
       v.cvss2_score, v.cvss2_vector, v.cvss3_score, v.cvss3_vector, v.cvss4_score, v.cvss4_vector,
       v.threat_score, v.is_zero_day, v.description, v.solution, v.products, v.refs, v.unrecognised,
       v.raw, v.run_id, v.version, v.first_seen_at, v.changed_at
from advisory_version v
union all
select null, a.said, a.upstream_id, a.title, a.criticality, a.is_rejected, a.severity_rank,
       a.released_at, a.modified_at, a.attack_vector, a.solution_status, a.impacts, a.cves,
       a.cvss2_score, a.cvss2_vector, a.cvss3_score, a.cvss3_vector, a.cvss4_score, a.cvss4_vector,
       a.threat_score, a.is_zero_day, a.description, a.solution, a.products, a.refs, a.unrecognised,
       a.raw, a.run_id, a.version, a.first_seen_at, a.changed_at
from advisory a;

create view every_ticket_version as
select replaced_at, v.id, v.pretty_id, v.title, v.description, v.status_id, v.status,
       v.priority_id, v.priority, v.queue_id, v.queue, v.assignee_id, v.assignee,
       v.watch_list_id, v.watch_list, v.said, v.created_at, v.modified_at, v.deleted_at,
       v.raw, v.run_id, v.version, v.first_seen_at, v.changed_at
from ticket_version v
union all
select null, t.id, t.pretty_id, t.title, t.description, t.status_id, t.status,
       t.priority_id, t.priority, t.queue_id, t.queue, t.assignee_id, t.assignee,
       t.watch_list_id, t.watch_list, t.said, t.created_at, t.modified_at, t.deleted_at,
       t.raw, t.run_id, t.version, t.first_seen_at, t.changed_at
from ticket t;
