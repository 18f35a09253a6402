-- Elements, attributes and JSON keys that no column is read from.

create table advisoryd.unknown_field (
    source_id     integer not null references advisoryd.source (id) on delete cascade,
    name          text not null,
    first_seen_at timestamptz not null,
    sample        text not null,
    primary key (source_id, name)
);

comment on table advisoryd.unknown_field is 'Elements, attributes and JSON keys of records that no column is read from; each is stored once per source.';

create view advisoryd_v1.unknown_fields as
select advisoryd.source_in_words(s.kind, s.watch_list_id, s.extra_feed) as source,
       f.name,
       f.first_seen_at,
       f.sample
from advisoryd.unknown_field f
join advisoryd.source s on s.id = f.source_id;

comment on view advisoryd_v1.unknown_fields is 'Elements, attributes and JSON keys that upstream sends and no column is read from, once per source. [feeds.aliases] maps them to fields; the raw text of the record contains them.';
comment on column advisoryd_v1.unknown_fields.source is 'Source that sent it, such as watch list 4 or details.';
comment on column advisoryd_v1.unknown_fields.name is 'Path from the record, such as advisory/vendor/@id.';
comment on column advisoryd_v1.unknown_fields.first_seen_at is 'When it was first received.';
comment on column advisoryd_v1.unknown_fields.sample is 'The first value, at most 200 characters.';

-- New versions add conditions; the program knows their names.
alter table advisoryd.condition drop constraint condition_what_check;
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, unknown_field, coverage_hole, sink_failing, request_budget_exhausted, removals_unconfirmed, list_quiet or window_not_honoured; see docs/operations.md.';
