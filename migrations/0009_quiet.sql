-- What is usual for a list, and whether upstream went back as far as requested.

alter table advisoryd.source
    add column news_at      timestamptz,
    add column usual_gap    interval,
    add column usual_count  double precision,
    add column recent_count bigint,
    add column cut_off      bigint not null default 0,
    add column oldest_at    timestamptz;

comment on column advisoryd.source.news_at is 'Newest release or modification of a member, according to upstream.';
comment on column advisoryd.source.usual_gap is 'Longest time without one in the last 365 days; null if there were too few to tell.';
comment on column advisoryd.source.usual_count is 'Members usually released in 14 days; null if too little time is covered to tell.';
comment on column advisoryd.source.recent_count is 'Members released in the last 14 days, when this was last computed.';
comment on column advisoryd.source.cut_off is 'Number of members of the requested time that the last full pull lacked because it did not go back as far.';
comment on column advisoryd.source.oldest_at is 'Date of the oldest record of that pull; null if nothing was cut off.';

alter table advisoryd.condition
    drop constraint condition_what_check,
    add constraint condition_what_check check (what in (
        'data_stale', 'token_rejected', 'structure_not_recognised', 'quarantine_grew',
        'coverage_hole', 'sink_failing', 'request_budget_exhausted', 'removals_unconfirmed',
        'list_quiet', 'window_not_honoured'));
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, coverage_hole, sink_failing, request_budget_exhausted, removals_unconfirmed, list_quiet or window_not_honoured; see docs/operations.md.';
