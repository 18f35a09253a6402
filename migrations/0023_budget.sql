-- One allowance of requests for all processes that use the same account of upstream.

create table advisoryd.budget (
    account                 text primary key,
    next_at                 timestamptz not null default to_timestamp(0),
    paused_until            timestamptz,
    paused_by               text,
    background_paused_until timestamptz
);

comment on table advisoryd.budget is 'Requests to upstream, by account: when the next one may be sent. Processes reserve slices of the time from next_at on. By the clock of the database.';
comment on column advisoryd.budget.account is 'Keyed hash of the origin of upstream, whose key is the token; the token cannot be computed from it.';
comment on column advisoryd.budget.next_at is 'The first time that no process has reserved for its requests.';
comment on column advisoryd.budget.paused_until is 'Nobody sends a request before this time: upstream answered 429 or Retry-After. Null or in the past: no pause.';
comment on column advisoryd.budget.paused_by is 'The process that received the answer.';
comment on column advisoryd.budget.background_paused_until is 'The same for background requests (details) alone.';

create table advisoryd.budget_holder (
    id           bigint generated always as identity primary key,
    account      text not null references advisoryd.budget (account) on delete cascade,
    kind         text not null check (kind in ('daemon', 'command', 'script')),
    host         text not null,
    pid          integer not null,
    machine      text,
    started      bigint not null,
    per_minute   integer not null,
    per_day      integer not null,
    since        timestamptz not null,
    seen_at      timestamptz not null,
    slice_tokens integer not null default 0,
    slice_until  timestamptz,
    unique (account, kind, host, pid, started)
);

comment on table advisoryd.budget_holder is 'Processes that have sent requests to upstream in the last day.';
comment on column advisoryd.budget_holder.kind is '`daemon`, `command` (sync, check, capture) or `script` (budget take; one row per machine, pid and started are 0).';
comment on column advisoryd.budget_holder.machine is 'Boot and process namespace in which pid is valid. Null if unknown.';
comment on column advisoryd.budget_holder.started is 'When the process started, in clock ticks since the boot; 0 if unknown.';
comment on column advisoryd.budget_holder.per_minute is 'requests_per_minute of its configuration. The smallest of the processes that were seen in the last minutes applies to all.';
comment on column advisoryd.budget_holder.per_day is 'requests_per_day of its configuration; 0 is no limit.';
comment on column advisoryd.budget_holder.seen_at is 'When it last reserved requests.';
comment on column advisoryd.budget_holder.slice_tokens is 'Requests in its last slice.';
comment on column advisoryd.budget_holder.slice_until is 'No request of its last slice is sent after this time.';

create table advisoryd.budget_use (
    holder_id bigint not null references advisoryd.budget_holder (id) on delete cascade,
    minute    timestamptz not null,
    account   text not null,
    requests  integer not null,
    primary key (holder_id, minute)
);
create index budget_use_by_account on advisoryd.budget_use (account, minute);

comment on table advisoryd.budget_use is 'Requests by process and minute, for a day. A slice counts as used when it is reserved; what is not used is taken off when its holder says so.';
