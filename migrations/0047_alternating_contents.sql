-- Servers of upstream that disagree: the same source sends two contents of one revision in turn.

alter table advisoryd.sighting add column alternates_at timestamptz;
comment on column advisoryd.sighting.alternates_at is 'When this source last sent a content of the current revision that had been replaced before, after it had done so several times. Such a content is no version.';
create index sighting_alternating on advisoryd.sighting (source_id, alternates_at) where alternates_at is not null;
comment on column advisoryd.sighting.taken_back_at is 'Since when this source, which the current version comes from, sends this content with an earlier modification time than that version, or in turn with that version. It becomes the next version when a later run receives it again, and in the second case when nothing else was received for days.';
comment on column advisoryd.sighting.is_undecided is 'True while this conflicting copy is to be compared again: the source of the current version is no longer followed, or the copy was imported.';

comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, unknown_field, coverage_hole, sink_failing, request_budget_exhausted, removals_unconfirmed, list_quiet, window_not_honoured, details_missing, discovery_incomplete, list_contents_stale or content_alternates; see docs/operations.md.';
comment on view advisoryd_v1.conflicting_copies is 'Records of advisories that differ from the current version of another source, or that were imported and differ from what upstream sent.';
