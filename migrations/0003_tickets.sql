-- Tickets as they are now, and how far they were read.

create table ticket (
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
create index ticket_by_said on ticket (said);
create index ticket_by_changed on ticket (changed_at desc);
create index ticket_by_status on ticket (status, modified_at desc);

comment on table ticket is 'One row per ticket: what it says now. A ticket that is gone upstream keeps its row.';
comment on column ticket.deleted_at is 'When a complete full walk no longer found it.';

create table ticket_reading (
    singleton         boolean primary key default true check (singleton),
    filter            text check (filter in ('modified', 'created', 'none')),
    filter_checked_at timestamptz,
    cursor_at         timestamptz,
    full_walk_at      timestamptz
);
insert into ticket_reading default values;

comment on table ticket_reading is 'How far the tickets were read, and how upstream lets us ask for differences.';
comment on column ticket_reading.filter is 'Which date filter upstream honours; null until it was found out.';
comment on column ticket_reading.cursor_at is 'All that changed before is stored; the next window begins here less the overlap.';
comment on column ticket_reading.full_walk_at is 'When the last complete full walk began.';

create table ticket_walk (
    id          bigint generated always as identity primary key,
    began_at    timestamptz not null,
    claimed     bigint,
    resume_url  text,
    pages       integer not null default 0,
    unfinished  boolean not null default true
);
create unique index ticket_walk_one_unfinished on ticket_walk (unfinished) where unfinished;

create table ticket_walk_page (
    walk_id bigint not null references ticket_walk (id) on delete cascade,
    page    integer not null,
    ids     bigint[] not null,
    primary key (walk_id, page)
);

comment on table ticket_walk is 'A walk over the full collection; an unfinished one is resumed at its checkpoint.';
comment on column ticket_walk.began_at is 'By upstream''s clock.';
comment on column ticket_walk.resume_url is 'The checkpoint: the page that was stored last, which is read again on resuming, because rows may have moved across its end; null for the first page.';
comment on table ticket_walk_page is 'Which tickets each page of an unfinished walk held, so that a missing ticket can be told from one not reached yet.';
