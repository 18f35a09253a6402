-- Full pulls and full scans that fail while others of the same source succeed.

create index sync_run_full on advisoryd.sync_run (source_id, id desc) where mode = 'full';
comment on column advisoryd_v1.conditions.what is 'data_stale, token_rejected, structure_not_recognised, quarantine_grew, unknown_field, coverage_hole, sink_failing, request_budget_exhausted, removals_unconfirmed, list_quiet, window_not_honoured, details_missing, discovery_incomplete, list_contents_stale, content_alternates or full_read_failed; see docs/operations.md.';
