-- Internal tables: sources and their runs, advisories, tickets, changes.
-- The schema `advisoryd` is created before the first migration.

-- Sources and runs.

create table advisoryd.source (
    id              integer generated always as identity primary key,
    kind            text not null check (kind in ('watch_list', 'extra_feed', 'tickets', 'sweep', 'details')),
    watch_list_id   bigint unique,
    extra_feed      text unique,
    name            text,
    configured      boolean not null default true,
    followed_since  timestamptz,
    last_attempt_at timestamptz,
    last_success_at timestamptz,
    last_error      text,
    last_error_at   timestamptz,
    last_failure    text check (last_failure in (
                        'token_rejected', 'structure_not_recognised', 'request_budget_exhausted', 'other')),
    covered         tstzmultirange not null default '{}',
    root_element    text,
    served_by       text not null default 'feed' check (served_by in ('feed', 'json')),
    served_why      text,
    rests_until     timestamptz,
    seen            int8multirange not null default '{}',
    seen_at         timestamptz,
    baseline_seq    bigint,
    baseline_at     timestamptz,
    runs            bigint not null default 0,
    head            bytea,
    dropped_runs    bigint not null default 0,
    dropped_head    bytea,
    dropped_covers  tstzmultirange not null default '{}',
    constraint source_watch_list_id_check check ((kind = 'watch_list') = (watch_list_id is not null)),
    constraint source_extra_feed_check check ((kind = 'extra_feed') = (extra_feed is not null))
);
create unique index source_tickets on advisoryd.source (kind) where kind = 'tickets';
create unique index source_sweep on advisoryd.source (kind) where kind = 'sweep';
create unique index source_details on advisoryd.source (kind) where kind = 'details';

comment on table advisoryd.source is 'Everything that is synced: one row per watch list and per extra feed, and one row each for the tickets, the revision scan (sweep) and the advisory details.';
comment on column advisoryd.source.configured is 'Whether it is synced now: it is configured, or discovery found it. A watch list that is no longer followed keeps its rows.';
comment on column advisoryd.source.followed_since is 'Start of the current uninterrupted time in which it is synced. Data age is counted from here before the first complete run.';
comment on column advisoryd.source.last_attempt_at is 'Start of its last run.';
comment on column advisoryd.source.last_success_at is 'End of its last complete run. A failed run does not change it.';
comment on column advisoryd.source.last_error is 'Error of the last failed run; null after a successful run.';
comment on column advisoryd.source.last_failure is 'Category of the last failure; null after a successful run.';
comment on column advisoryd.source.covered is 'Union of the windows of its complete runs, by upstream''s clock. Its upper end is the cursor.';
comment on column advisoryd.source.root_element is 'Root element of the last recognised document. An empty document with the same root element is accepted as empty.';
comment on column advisoryd.source.served_by is 'Where the advisories of a watch list come from: its feed, or the JSON API.';
comment on column advisoryd.source.served_why is 'Why they come from the JSON API.';
comment on column advisoryd.source.rests_until is 'Not requested before this time, because upstream refused it (the feed of a watch list, the revision scan or the details).';
comment on column advisoryd.source.seen is 'Ids in `sighting` of all records of its last complete run. It replaces an update of last_seen_at in each row, so that a run without changes writes one row.';
comment on column advisoryd.source.seen_at is 'Start of the run that wrote `seen`.';
comment on column advisoryd.source.baseline_seq is 'Last change at the end of the first complete run of this source. Changes up to it are the baseline and raise no alerts. Null before.';
comment on column advisoryd.source.baseline_at is 'End of the first complete run of this source. Details requested until then belong to the baseline. Null before.';
comment on column advisoryd.source.runs is 'Number of ended runs, which is the position of the newest one in the digest chain.';
comment on column advisoryd.source.head is 'Digest of the newest run, so that removing its row is detected.';
comment on column advisoryd.source.dropped_runs is 'Position of the newest run that retention has removed.';
comment on column advisoryd.source.dropped_head is 'Digest of that run. The digest chain starts from it.';
comment on column advisoryd.source.dropped_covers is 'Union of the windows of the complete runs that retention has removed.';

create table advisoryd.sync_run (
    id          bigint generated always as identity primary key,
    source_id   integer not null references advisoryd.source (id),
    place       bigint,
    job         text not null check (job in ('feed', 'tickets', 'sweep', 'details')),
    mode        text not null check (mode in (
                    'window', 'full', 'incremental', 'import', 'reconcile', 'json', 'details')),
    started_at  timestamptz not null,
    finished_at timestamptz,
    outcome     text not null default 'running' check (outcome in ('running', 'ok', 'failed', 'interrupted')),
    covers      tstzrange,
    requests    bigint not null default 0,
    bytes       bigint not null default 0,
    claimed     bigint,
    accounted   bigint,
    seen        bigint not null default 0,
    added       bigint not null default 0,
    changed     bigint not null default 0,
    unchanged   bigint not null default 0,
    quarantined bigint not null default 0,
    error       text,
    received    bytea,
    digest      bytea,
    check ((outcome = 'running') = (finished_at is null))
);
create unique index sync_run_one_running on advisoryd.sync_run (source_id) where outcome = 'running';
create unique index sync_run_by_place on advisoryd.sync_run (source_id, place);
create index sync_run_by_source on advisoryd.sync_run (source_id, started_at desc);
create index sync_run_by_time on advisoryd.sync_run (started_at desc);

comment on table advisoryd.sync_run is 'Run log: every attempt to sync a source, and its result.';
comment on column advisoryd.sync_run.place is 'Position among the ended runs of its source, counted from 1; null while it runs.';
comment on column advisoryd.sync_run.covers is 'Requested window, by upstream''s clock. It counts as covered only if the outcome is ok.';
comment on column advisoryd.sync_run.claimed is 'Number of records according to upstream, if upstream says it.';
comment on column advisoryd.sync_run.accounted is 'Number of distinct records to compare with `claimed`, including quarantined ones; null if the run ended before it was known.';
comment on column advisoryd.sync_run.received is 'Sum of the fingerprints of all received records, including quarantined ones, independent of their order; null if the process died before it was known.';
comment on column advisoryd.sync_run.digest is 'SHA-256 over the digest of the previous run of the source and all columns of this row.';

create table advisoryd.quarantine (
    id          bigint generated always as identity primary key,
    run_id      bigint not null,
    last_run_id bigint not null,
    source_id   integer not null references advisoryd.source (id),
    at          timestamptz not null,
    key         text,
    reason      text not null,
    byte_hash   bytea not null,
    raw         text not null,
    unique (source_id, byte_hash)
);
create index quarantine_by_key on advisoryd.quarantine (source_id, key);

comment on table advisoryd.quarantine is 'Records that could not be parsed, as received. A record is removed when it, or a later version of it, is parsed.';
comment on column advisoryd.quarantine.run_id is 'Run that first received it.';
comment on column advisoryd.quarantine.last_run_id is 'Run that last received it with the same bytes.';
comment on column advisoryd.quarantine.byte_hash is 'Fingerprint of the bytes.';

create table advisoryd.retained (
    singleton       boolean primary key default true check (singleton),
    versions_before timestamptz not null default '-infinity'
);
insert into advisoryd.retained default values;

comment on table advisoryd.retained is 'What retention has removed, so that `prove` does not report it as missing. One row.';
comment on column advisoryd.retained.versions_before is 'Versions replaced before this time may have been removed.';

create table advisoryd.feed_days (
    singleton  boolean primary key default true check (singleton),
    counts     text not null check (counts in ('releases', 'modifications')),
    settled_at timestamptz not null,
    said       text not null,
    run_id     bigint not null
);
comment on table advisoryd.feed_days is 'Whether the parameter `days` of the feeds selects by release or by modification date. At most one row, written when an advisory has shown it.';
comment on column advisoryd.feed_days.said is 'Advisory that showed it: released before the window of a complete run and modified within it.';
comment on column advisoryd.feed_days.run_id is 'That run. It contained the advisory (modifications) or did not (releases).';

-- Watch lists found by `[discovery] watch_lists`.

create table advisoryd.discovered_list (
    id            bigint primary key,
    name          text,
    enabled       boolean not null,
    discovered_at timestamptz not null,
    vanished_at   timestamptz
);
comment on table advisoryd.discovered_list is 'Watch lists found by the last accepted discovery, and those that no longer exist upstream.';
comment on column advisoryd.discovered_list.name is 'Name of the list upstream.';
comment on column advisoryd.discovered_list.enabled is 'Whether the list is enabled upstream. Disabled lists are not followed.';
comment on column advisoryd.discovered_list.discovered_at is 'When it was first found.';
comment on column advisoryd.discovered_list.vanished_at is 'When it was no longer found; null while it exists upstream.';

create table advisoryd.discovery (
    singleton       boolean primary key default true check (singleton),
    last_attempt_at timestamptz,
    last_success_at timestamptz,
    last_error      text,
    doubted_at      timestamptz,
    doubted         bigint[] not null default '{}'
);
insert into advisoryd.discovery default values;

comment on table advisoryd.discovery is 'State of the discovery of watch lists. One row.';
comment on column advisoryd.discovery.last_error is 'Error of the last failed discovery; null after a successful one.';
comment on column advisoryd.discovery.doubted_at is 'When a response was first rejected because too many lists were missing from it; null if the last complete response was accepted.';
comment on column advisoryd.discovery.doubted is 'Lists missing from that response.';

create table advisoryd.discovery_request (
    at       timestamptz not null,
    requests bigint not null
);
create index discovery_request_by_time on advisoryd.discovery_request (at);
comment on table advisoryd.discovery_request is 'Requests sent by discovery in the last days, counted against the daily limit of the account.';

-- Advisories. Products and references are documents in the row: as rows of
-- their own, 100,000 advisories would have two million of them, and loading
-- would take longer for them than for everything else.

create table advisoryd.advisory (
    said               text primary key,
    upstream_id        bigint,
    title              text,
    criticality        integer,
    is_rejected        boolean not null,
    severity_rank      smallint generated always as (advisoryd.severity_rank(is_rejected, criticality)) stored,
    released_at        timestamptz,
    modified_at        timestamptz,
    attack_vector      text check (attack_vector in ('none', 'remote', 'local_network', 'local', 'unknown')),
    solution_status    text,
    impacts            text[] not null,
    cves               text[] not null,
    cvss2_score        double precision,
    cvss2_vector       text,
    cvss3_score        double precision,
    cvss3_vector       text,
    cvss4_score        double precision,
    cvss4_vector       text,
    threat_score       double precision,
    is_zero_day        boolean,
    description        text,
    solution           text,
    products           jsonb not null,
    refs               jsonb not null,
    unrecognised       jsonb,
    raw                text not null,
    byte_hash          bytea,
    content_hash       bytea,
    record_modified_at timestamptz,
    detail_hash        bytea,
    whole_hash         bytea,
    source_id          integer not null,
    run_id             bigint not null,
    version            integer not null,
    first_seen_at      timestamptz not null,
    changed_at         timestamptz not null
);
create index advisory_by_severity on advisoryd.advisory (severity_rank desc, modified_at desc);
create index advisory_by_modified on advisoryd.advisory (modified_at desc);
create index advisory_by_changed on advisoryd.advisory (changed_at desc);
create index advisory_by_cve on advisoryd.advisory using gin (cves);
create index advisory_by_text on advisoryd.advisory using gin (advisoryd.advisory_text(title, description, solution));
create index advisory_by_product on advisoryd.advisory using gin (advisoryd.product_text(products));

comment on table advisoryd.advisory is 'Current version of each advisory.';
comment on column advisoryd.advisory.said is 'Advisory identifier (SAID), such as SA87735.';
comment on column advisoryd.advisory.unrecognised is 'Values that were present and not recognised, by field.';
comment on column advisoryd.advisory.raw is 'Record of the feed, decoded to UTF-8. If no feed has sent one (byte_hash is null): the detail as JSON.';
comment on column advisoryd.advisory.byte_hash is 'Fingerprint of the record of the feed; null if no feed has sent one.';
comment on column advisoryd.advisory.content_hash is 'Fingerprint of the parsed record of the feed alone. Equal values mean equal content in different bytes.';
comment on column advisoryd.advisory.record_modified_at is 'Modification time according to the record of the feed alone. Null if there is no detail: then it is modified_at.';
comment on column advisoryd.advisory.detail_hash is 'Fingerprint of the detail merged with the record (detail.byte_hash or former_detail.byte_hash); null if there is none.';
comment on column advisoryd.advisory.whole_hash is 'Fingerprint of record and detail merged, which is the content of the columns. Null if there is no detail: then it is content_hash.';
comment on column advisoryd.advisory.source_id is 'Source of this version. Another source with different content and the same modified_at does not replace it, so that two watch lists cannot create versions in turn.';
comment on column advisoryd.advisory.run_id is 'Run that brought this version.';
comment on column advisoryd.advisory.version is '1 for the first version, incremented with each change of the content.';

-- `replaced_at` is the first column, so that a column added later to both
-- tables has the same position in both.
create table advisoryd.advisory_version (
    replaced_at timestamptz not null,
    like advisoryd.advisory including comments,
    primary key (said, version)
);
alter table advisoryd.advisory_version alter column raw drop not null;
create index advisory_version_by_time on advisoryd.advisory_version (replaced_at, changed_at);
create index advisory_version_with_raw on advisoryd.advisory_version (replaced_at) where raw is not null;

comment on table advisoryd.advisory_version is 'Replaced versions of advisories, with their raw texts. Current versions are in `advisory`.';
comment on column advisoryd.advisory_version.replaced_at is 'When the next version was stored.';
comment on column advisoryd.advisory_version.raw is 'As in `advisory`; null if retention has removed it.';

create table advisoryd.sighting (
    id            bigint generated by default as identity primary key,
    source_id     integer not null,
    said          text not null,
    byte_hash     bytea not null,
    content_hash  bytea not null,
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    dissent       text
);
create unique index sighting_by_said on advisoryd.sighting (said, source_id);
create index sighting_by_bytes on advisoryd.sighting (source_id, byte_hash);

comment on table advisoryd.sighting is 'Which source sent which advisory, and with which bytes.';
comment on column advisoryd.sighting.byte_hash is 'Fingerprint of the bytes last sent by this source. A record with the same bytes is not parsed again.';
comment on column advisoryd.sighting.last_seen_at is 'Valid if the id is not in `seen` of the source; otherwise seen_at of the source is newer.';
comment on column advisoryd.sighting.dissent is 'Record as sent by this source, if its bytes differ from advisory.raw and it is not the source of the current version. Kept so that nothing received is lost.';

create table advisoryd.detail (
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
comment on table advisoryd.detail is 'Last response of the JSON API for each advisory, including advisories in no followed watch list, which are not in `advisory`.';
comment on column advisoryd.detail.raw is 'Complete response as received.';
comment on column advisoryd.detail.byte_hash is 'Fingerprint of the content without custom_info, independent of the order of keys.';
comment on column advisoryd.detail.model is 'Content parsed as an advisory. Derived from raw.';
comment on column advisoryd.detail.modified_at is 'Modification time according to upstream.';
comment on column advisoryd.detail.custom_info is 'Data of the account (related tickets, affected watch lists). It changes independently of modified_at and creates no version.';
comment on column advisoryd.detail.lists is 'Watch lists that custom_info names as affected; null if it names none.';

create table advisoryd.former_detail (
    said      text not null,
    byte_hash bytea not null,
    raw       text not null,
    primary key (said, byte_hash)
);
comment on table advisoryd.former_detail is 'Replaced details that were merged into a version.';

create table advisoryd.wanted_detail (
    said         text primary key,
    wanted_since timestamptz not null,
    reason       text not null check (reason in ('lacks', 'always', 'older', 'sweep', 'json')),
    modified_at  timestamptz,
    attempts     integer not null default 0,
    next_at      timestamptz not null,
    last_error   text,
    listed       jsonb
);
create index wanted_detail_by_time on advisoryd.wanted_detail (next_at);

comment on table advisoryd.wanted_detail is 'Fetch queue of advisory details. It survives crashes and restarts.';
comment on column advisoryd.wanted_detail.reason is 'lacks (the feed gave no products, CVEs or description), always ([feeds] details), older (the stored detail is older than the record), sweep (upstream has a newer version than stored) or json (the JSON API listed it for a watch list).';
comment on column advisoryd.wanted_detail.modified_at is 'Modification time of the requested version according to upstream.';
comment on column advisoryd.wanted_detail.next_at is 'Not requested before this time. Far in the future if upstream has no detail.';
comment on column advisoryd.wanted_detail.listed is 'Entry of the advisory in the JSON API''s collection, as received.';

create table advisoryd.detail_request (
    at timestamptz not null
);
create index detail_request_by_time on advisoryd.detail_request (at);
comment on table advisoryd.detail_request is 'Requests for details of the last day, written before they are sent. Counted against [feeds] details_per_day.';

-- Tickets.

create table advisoryd.ticket (
    id            bigint primary key,
    pretty_id     bigint,
    title         text,
    description   text,
    status_id     bigint,
    status        text,
    priority_id   bigint,
    priority      text,
    queue_id      bigint,
    queue         text,
    assignee_id   bigint,
    assignee      text,
    watch_list_id bigint,
    watch_list    text,
    said          text,
    created_at    timestamptz,
    modified_at   timestamptz,
    deleted_at    timestamptz,
    raw           jsonb not null,
    content_hash  bytea not null,
    run_id        bigint not null,
    version       integer not null,
    first_seen_at timestamptz not null,
    changed_at    timestamptz not null
);
create index ticket_by_said on advisoryd.ticket (said);
create index ticket_by_changed on advisoryd.ticket (changed_at desc);
create index ticket_by_status on advisoryd.ticket (status, modified_at desc);
-- `changes` and `field_changes` name a ticket by its id as text.
create index ticket_by_key on advisoryd.ticket ((id::text));

comment on table advisoryd.ticket is 'Current version of each ticket. A ticket deleted upstream keeps its row.';
comment on column advisoryd.ticket.deleted_at is 'When a complete full scan no longer found it; null while it exists upstream.';
comment on column advisoryd.ticket.content_hash is 'Fingerprint of the content. Equal values mean that there is no new version.';
comment on column advisoryd.ticket.run_id is 'Run that brought this version.';
comment on column advisoryd.ticket.version is '1 for the first version, incremented with each change.';

create table advisoryd.ticket_version (
    replaced_at timestamptz not null,
    like advisoryd.ticket including comments,
    primary key (id, version)
);
alter table advisoryd.ticket_version alter column raw drop not null;
create index ticket_version_by_time on advisoryd.ticket_version (replaced_at, changed_at);
create index ticket_version_with_raw on advisoryd.ticket_version (replaced_at) where raw is not null;
create index ticket_version_by_key on advisoryd.ticket_version ((id::text), version);

comment on table advisoryd.ticket_version is 'Replaced versions of tickets, with their raw texts. Current versions are in `ticket`.';
comment on column advisoryd.ticket_version.replaced_at is 'When the next version was stored.';
comment on column advisoryd.ticket_version.raw is 'As in `ticket`; null if retention has removed it.';

create table advisoryd.ticket_reading (
    singleton         boolean primary key default true check (singleton),
    filter            text check (filter in ('modified', 'created', 'none')),
    filter_checked_at timestamptz,
    cursor_at         timestamptz,
    full_walk_at      timestamptz
);
insert into advisoryd.ticket_reading default values;

comment on table advisoryd.ticket_reading is 'State of the ticket sync. One row.';
comment on column advisoryd.ticket_reading.filter is 'Date filter that upstream supports; null until it was tested.';
comment on column advisoryd.ticket_reading.cursor_at is 'All changes before this time are stored. The next window starts here, minus the overlap.';
comment on column advisoryd.ticket_reading.full_walk_at is 'Start of the last complete full scan.';

create table advisoryd.ticket_walk (
    id         bigint generated always as identity primary key,
    began_at   timestamptz not null,
    claimed    bigint,
    resume_url text,
    pages      integer not null default 0,
    unfinished boolean not null default true
);
create unique index ticket_walk_one_unfinished on advisoryd.ticket_walk (unfinished) where unfinished;

comment on table advisoryd.ticket_walk is 'Full scans of the ticket collection. An unfinished scan is resumed at its checkpoint.';
comment on column advisoryd.ticket_walk.began_at is 'By upstream''s clock.';
comment on column advisoryd.ticket_walk.resume_url is 'Checkpoint: the last stored page. It is read again on resume, because rows may have moved across its end. Null for the first page.';

create table advisoryd.ticket_walk_page (
    walk_id bigint not null references advisoryd.ticket_walk (id) on delete cascade,
    page    integer not null,
    ids     bigint[] not null,
    primary key (walk_id, page)
);
comment on table advisoryd.ticket_walk_page is 'Tickets on each page of an unfinished full scan, to distinguish a missing ticket from one not reached yet.';

-- Changes.

create table advisoryd.change (
    seq           bigint primary key,
    at            timestamptz not null,
    kind          text not null check (kind in ('advisory', 'ticket')),
    key           text not null,
    version       integer not null,
    what          text not null check (what in (
                      'appeared', 'joined_watch_list', 'revised', 'completed', 'escalated', 'deescalated',
                      'became_zero_day', 'solution_available', 'cves_added', 'rejected', 'reinstated',
                      'ticket_opened', 'ticket_revised', 'ticket_status', 'ticket_priority',
                      'ticket_assigned', 'ticket_gone', 'ticket_returned', 'corrected', 'drifted')),
    watch_list_id bigint,
    run_id        bigint not null,
    is_first_load boolean not null default false
);
create index change_by_key on advisoryd.change (key, seq);
create index change_by_time on advisoryd.change (at);

comment on table advisoryd.change is 'Change log of advisories and tickets, one row per event.';
comment on column advisoryd.change.seq is 'Without gaps and in the order of commits: taken from change_counter, whose row stays locked until the commit.';
comment on column advisoryd.change.watch_list_id is 'Watch list through which the change came; null for extra feeds and tickets.';
comment on column advisoryd.change.is_first_load is 'Whether it came with a detail that the first load of a watch list had requested.';

create table advisoryd.change_counter (
    singleton boolean primary key default true check (singleton),
    last      bigint not null
);
insert into advisoryd.change_counter (last) values (0);
comment on table advisoryd.change_counter is 'Last assigned change.seq. A sequence would leave gaps that a later commit may fill; this row does not. One row.';
