-- Where things come from, how far each source was read, and every attempt.
-- The schema `advisoryd` itself is made before the first migration runs.

create table source (
    id              integer generated always as identity primary key,
    kind            text not null check (kind in ('watch_list', 'extra_feed', 'tickets')),
    watch_list_id   bigint unique,
    extra_feed      text unique,
    name            text,
    configured      boolean not null default true,
    last_attempt_at timestamptz,
    last_success_at timestamptz,
    last_error      text,
    last_error_at   timestamptz,
    covered         tstzmultirange not null default '{}',
    root_element    text,
    seen            int8multirange not null default '{}',
    seen_at         timestamptz,
    check ((kind = 'watch_list') = (watch_list_id is not null)),
    check ((kind = 'extra_feed') = (extra_feed is not null))
);
create unique index source_tickets on source (kind) where kind = 'tickets';

comment on table source is 'Everything that is read: one row per watch list, per extra feed, and one for the tickets.';
comment on column source.configured is 'Whether the configuration names it now; a list that is no longer followed keeps its rows.';
comment on column source.last_attempt_at is 'When a run of it last began.';
comment on column source.last_success_at is 'When its last complete run ended. A failed run never moves it.';
comment on column source.last_error is 'What the last run failed with; null once a run has succeeded.';
comment on column source.covered is 'Union of the windows of its complete runs, by upstream''s clock. Its upper end is the cursor.';
comment on column source.root_element is 'Name of the root element of its last recognised document, so that an empty one is known to be empty.';
comment on column source.seen is 'Ids in `sighting` of all records of its last complete run. It stands in for a last_seen_at in each row, so that a run without changes writes one row.';
comment on column source.seen_at is 'When the run behind `seen` began.';

create table sync_run (
    id          bigint generated always as identity primary key,
    source_id   integer not null references source (id),
    job         text not null check (job in ('feed', 'tickets')),
    mode        text not null check (mode in ('window', 'full', 'incremental', 'import')),
    started_at  timestamptz not null,
    finished_at timestamptz,
    outcome     text not null default 'running' check (outcome in ('running', 'ok', 'failed', 'interrupted')),
    covers      tstzrange,
    requests    bigint not null default 0,
    bytes       bigint not null default 0,
    claimed     bigint,
    seen        bigint not null default 0,
    added       bigint not null default 0,
    changed     bigint not null default 0,
    unchanged   bigint not null default 0,
    quarantined bigint not null default 0,
    error       text,
    check ((outcome = 'running') = (finished_at is null))
);
create unique index sync_run_one_running on sync_run (source_id) where outcome = 'running';
create index sync_run_by_source on sync_run (source_id, started_at desc);
create index sync_run_by_time on sync_run (started_at desc);

comment on table sync_run is 'The ledger: every attempt to read a source, and what came of it.';
comment on column sync_run.covers is 'The window asked for, by upstream''s clock; what it covers counts only when the outcome is ok.';
comment on column sync_run.claimed is 'How many records upstream said there are, where it says so.';

create table quarantine (
    id          bigint generated always as identity primary key,
    run_id      bigint not null,
    last_run_id bigint not null,
    source_id   integer not null references source (id),
    at          timestamptz not null,
    key         text,
    reason      text not null,
    byte_hash   bytea not null,
    raw         text not null,
    unique (source_id, byte_hash)
);
create index quarantine_by_key on quarantine (source_id, key);

comment on column quarantine.last_run_id is 'The run that last received it in these bytes.';
comment on table quarantine is 'Records that were received and could not be understood, as they came. A record that later reads well leaves by itself.';
