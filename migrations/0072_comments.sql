-- Comments of views in the words of the documentation.

comment on view advisoryd_v1.quarantine is 'Records that were received and not stored as a version: they could not be parsed, are incomplete, or contradict what is stored. The column reason says which.';
comment on view advisoryd_v1.acknowledgements is 'Acknowledgements of advisories, including expired and withdrawn ones. They are kept in this database only and are not sent to upstream.';
comment on view advisoryd_v1.conditions is 'Conditions: problems of advisoryd itself, past and present. One alert is sent when a condition begins and one when it is resolved.';
comment on column advisoryd_v1.conditions.holds is 'Whether the condition is active.';
comment on column advisoryd_v1.conditions.occurrence is 'How many times an alert was sent that it began.';
comment on column advisoryd_v1.conditions.summary is 'Text of the last alert about it.';
comment on column advisoryd_v1.conditions.value is 'Value at the time of the last alert: age in seconds, or number of sources, records, gaps or consecutive failures.';
comment on column advisoryd_v1.advisories.is_rejected is 'Whether the vendor has rejected it (severity rejected).';
comment on column advisoryd_v1.advisories.detail_fetched_at is 'When its details were last fetched from the JSON API; null if they never were.';
comment on column advisoryd_v1.advisory_history.run_id is 'Run that stored this version.';
comment on column advisoryd_v1.ticket_history.run_id is 'Run that stored this version.';
comment on column advisoryd_v1.field_changes.version is 'Version in which the field changed.';
comment on column advisoryd_v1.mirrors.changed_at is 'When an entry was last added or removed, after the first complete read.';
comment on column advisoryd_v1.sync_runs.changed is 'Records from which a new version was made.';
comment on view advisoryd_v1.conflicting_copies is 'Copies of advisories from one source that differ from the current version, which is from another source; and imported copies that differ from what upstream sent.';
comment on column advisoryd_v1.alert_sinks.failing_since is 'Time of the first failed attempt since the last successful one.';
comment on column advisoryd_v1.alert_sinks.last_error is 'Error of the last failed attempt since the last successful one.';
comment on column advisoryd_v1.alert_rules.baseline_matches is 'Number of advisories that were already stored when the rule was added and match it; no alerts were sent for them.';
comment on column advisoryd_v1.watch_lists.state is '`off` (not followed), `missing` (upstream has no such list), `failing` (the last run failed, or the coverage ends in the future), `quiet` (it has fewer new advisories than usual) or `ok`. Null before the first run has ended. Whether the data is fresh is data_age. The command `status` has other values: also `running`, `never ran` and `incomplete`, and not `quiet`.';
comment on column advisoryd_v1.pending_approvals.raw is 'The row as upstream last sent it, as JSON; null if it is longer than 64 KiB.';
