-- Known exploited vulnerabilities (KEV) and exploit predictions (EPSS).

create table advisoryd.enrichment (
    kind          text primary key check (kind in ('kev', 'epss')),
    origin        text,
    followed_since timestamptz,
    attempted_at  timestamptz,
    read_at       timestamptz,
    changed_at    timestamptz,
    released_at   timestamptz,
    release       text,
    entries       bigint,
    digest        bytea,
    entity_tag    text,
    last_modified text,
    last_error    text,
    last_error_at timestamptz
);
insert into advisoryd.enrichment (kind) values ('kev'), ('epss');

comment on table advisoryd.enrichment is 'State of the published files about CVEs of [enrichment], one row for each.';
comment on column advisoryd.enrichment.origin is 'URL or path in the configuration; null if it is not configured.';
comment on column advisoryd.enrichment.followed_since is 'Since when it is configured without interruption.';
comment on column advisoryd.enrichment.attempted_at is 'When it was last requested or read from a file.';
comment on column advisoryd.enrichment.read_at is 'When it was last read completely, also if it had not changed.';
comment on column advisoryd.enrichment.changed_at is 'When its content was last found changed.';
comment on column advisoryd.enrichment.released_at is 'Date of the file according to its publisher. An older file is refused.';
comment on column advisoryd.enrichment.release is 'Version of the catalogue (KEV) or of the model (EPSS).';
comment on column advisoryd.enrichment.entries is 'Number of CVEs in the file.';
comment on column advisoryd.enrichment.digest is 'SHA-256 of the content.';
comment on column advisoryd.enrichment.entity_tag is 'Header `ETag` of the last response, for the next request.';
comment on column advisoryd.enrichment.last_modified is 'Header `Last-Modified` of the last response, for the next request.';
comment on column advisoryd.enrichment.last_error is 'Why the last attempt failed; null after a successful one.';

create table advisoryd.known_exploited (
    cve           text primary key,
    added_on      date not null,
    due_on        date,
    is_ransomware boolean not null,
    listed_at     timestamptz not null,
    removed_at    timestamptz
);
comment on table advisoryd.known_exploited is 'The KEV catalogue. A CVE that was removed from it keeps its row.';
comment on column advisoryd.known_exploited.listed_at is 'Since when it counts as listed: when it was found in the catalogue; for entries of the first catalogue that was read, the date on which it was added.';
comment on column advisoryd.known_exploited.removed_at is 'When it was no longer found in the catalogue; null while it is listed.';

create table advisoryd.epss_score (
    cve   text primary key,
    score double precision not null
);
comment on table advisoryd.epss_score is 'EPSS scores of CVEs that stored advisories name, and of all with a high score. A score is written again when it differs by 0.001 or crosses the threshold.';

create table advisoryd.epss_crossing (
    said   text not null,
    at     timestamptz not null,
    former double precision,
    score  double precision not null,
    primary key (said, at)
);
comment on table advisoryd.epss_crossing is 'Highest EPSS score of an advisory before and after it crossed the threshold. Rules compare it for that change, whatever the score is by then.';

create function advisoryd.exploitation(names text[], moment timestamptz)
returns table (kev boolean, kev_due date, ransomware boolean, epss double precision)
language sql stable
begin atomic
    select case when r.kev then k.listed > 0 end,
           k.due_on,
           case when r.kev then k.is_ransomware end,
           case when r.epss then coalesce(s.score, 0) end
    from (
        select bool_or(e.read_at is not null) filter (where e.kind = 'kev') as kev,
               bool_or(e.read_at is not null) filter (where e.kind = 'epss') as epss
        from advisoryd.enrichment e) as r
    cross join (
        select count(*) as listed,
               min(x.due_on) as due_on,
               coalesce(bool_or(x.is_ransomware), false) as is_ransomware
        from advisoryd.known_exploited x
        where x.cve = any(names)
          and x.listed_at <= moment
          and coalesce(x.removed_at > moment, true)) as k
    cross join (
        select max(x.score) as score
        from advisoryd.epss_score x
        where x.cve = any(names)) as s;
end;
comment on function advisoryd.exploitation is 'What KEV and EPSS say about CVEs at a moment. Null while nothing was read; without a score, EPSS counts as 0.';

alter table advisoryd.change
    drop constraint change_what_check,
    add constraint change_what_check check (what in (
        'appeared', 'joined_watch_list', 'left_watch_list', 'revised', 'completed', 'escalated', 'deescalated',
        'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
        'kev_added', 'epss_crossed',
        'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
        'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected', 'drifted'));

insert into advisoryd.verdict (code, verdict, clause)
select base.code + c.code, base.verdict, c.clause
from (values (100, 'clause_false'), (200, 'value_missing')) as base (code, verdict)
cross join (values (19, 'kev'), (20, 'ransomware'), (21, 'epss')) as c (code, clause);

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
       coalesce(a.unrecognised ? 'repaired', false) as repaired,
       case when (select e.read_at is not null from advisoryd.enrichment e where e.kind = 'kev') then exists (
           select
           from advisoryd.known_exploited k
           where k.cve = any(a.cves)
             and k.removed_at is null)
       end as kev,
       (select min(k.due_on)
        from advisoryd.known_exploited k
        where k.cve = any(a.cves)
          and k.removed_at is null) as kev_due,
       case when (select e.read_at is not null from advisoryd.enrichment e where e.kind = 'kev') then exists (
           select
           from advisoryd.known_exploited k
           where k.cve = any(a.cves)
             and k.removed_at is null
             and k.is_ransomware)
       end as ransomware,
       (select max(x.score)
        from advisoryd.epss_score x
        where x.cve = any(a.cves)) as epss
from advisoryd.advisory a
left join advisoryd.detail d on d.said = a.said;

comment on column advisoryd_v1.advisories.kev is 'Whether one of its CVEs is in the KEV catalogue (known to be exploited); null while the catalogue was not read.';
comment on column advisoryd_v1.advisories.kev_due is 'Earliest due date of its CVEs in the KEV catalogue.';
comment on column advisoryd_v1.advisories.ransomware is 'Whether the KEV catalogue says that one of its CVEs is used in ransomware campaigns; null while the catalogue was not read.';
comment on column advisoryd_v1.advisories.epss is 'Highest EPSS score of its CVEs, 0 to 1: the probability of exploitation in the next 30 days. Null if none has a score.';

create view advisoryd_v1.enrichment as
select e.kind,
       e.origin is not null as configured,
       e.attempted_at as last_attempt_at,
       e.read_at as last_success_at,
       e.changed_at,
       e.released_at,
       e.release,
       e.entries,
       e.last_error
from advisoryd.enrichment e;

comment on view advisoryd_v1.enrichment is 'Published files about CVEs ([enrichment]): the KEV catalogue and the EPSS scores, and how far they are read.';
comment on column advisoryd_v1.enrichment.kind is 'kev or epss.';
comment on column advisoryd_v1.enrichment.configured is 'Whether it is in the configuration.';
comment on column advisoryd_v1.enrichment.last_attempt_at is 'When it was last requested or read from a file.';
comment on column advisoryd_v1.enrichment.last_success_at is 'When it was last read completely, also if it had not changed.';
comment on column advisoryd_v1.enrichment.changed_at is 'When its content was last found changed.';
comment on column advisoryd_v1.enrichment.released_at is 'Date of the file according to its publisher.';
comment on column advisoryd_v1.enrichment.release is 'Version of the catalogue (kev) or of the model (epss).';
comment on column advisoryd_v1.enrichment.entries is 'Number of CVEs in the file.';
comment on column advisoryd_v1.enrichment.last_error is 'Why the last attempt failed; null after a successful one.';

create view advisoryd_v1.known_exploited as
select k.cve,
       k.added_on,
       k.due_on,
       k.is_ransomware as ransomware,
       k.listed_at,
       k.removed_at
from advisoryd.known_exploited k;

comment on view advisoryd_v1.known_exploited is 'The KEV catalogue as last read, and what was removed from it.';
comment on column advisoryd_v1.known_exploited.cve is 'CVE identifier.';
comment on column advisoryd_v1.known_exploited.added_on is 'When it was added, according to the catalogue.';
comment on column advisoryd_v1.known_exploited.due_on is 'Due date in the catalogue.';
comment on column advisoryd_v1.known_exploited.ransomware is 'Whether it is known to be used in ransomware campaigns.';
comment on column advisoryd_v1.known_exploited.listed_at is 'When it was found in the catalogue; for entries of the first catalogue that was read, the date on which it was added.';
comment on column advisoryd_v1.known_exploited.removed_at is 'When it was no longer found in the catalogue; null while it is listed.';

comment on column advisoryd_v1.changes.what is 'Advisories: appeared, joined_watch_list, left_watch_list (a complete full pull no longer contained it), revised (every new version made by upstream), completed (a new version because feed and JSON together hold more of the same upstream version; events beside it compare with the version before), escalated, deescalated, became_zero_day, solution_available, cves_added, rejected, reinstated, kev_added (one of its CVEs was added to the KEV catalogue, and none was in it before), epss_crossed (the highest EPSS score of its CVEs rose to [enrichment] epss_threshold). Tickets: ticket_opened, ticket_revised (every new version), ticket_status, ticket_priority, ticket_assigned, ticket_gone, ticket_returned. Both: corrected (`replay` parsed the raw text of the current version differently; the content upstream did not change), drifted (reading a past period again found it new or changed, although a complete run should have found it before).';
comment on column advisoryd_v1.changes.run_id is 'Run that found it; 0 for kev_added and epss_crossed.';
