-- Modification times that upstream takes back: an earlier time with other content.

alter table advisoryd.sighting add column taken_back_at timestamptz;
comment on column advisoryd.sighting.taken_back_at is 'Since when this source, which the current version comes from, sends this content with an earlier modification time than that version. It becomes the next version when a later run receives it again.';

alter table advisoryd.detail add column taken_back_hash bytea;
comment on column advisoryd.detail.taken_back_hash is 'Fingerprint of the last response, if its modification time was earlier than that of the stored one. The same response replaces the stored one when it is received again.';

-- Rows of the collection of watch lists that say no id: nobody knows which lists they are.
alter table advisoryd.discovery add column unreadable bigint not null default 0;
comment on column advisoryd.discovery.unreadable is 'Watch lists without an id in the last response. While there are any, no list is regarded as gone.';

comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, unknown_field, coverage_hole, sink_failing, request_budget_exhausted, removals_unconfirmed, list_quiet, window_not_honoured, details_missing, discovery_incomplete or list_contents_stale; see docs/operations.md.';
