-- A function that nothing uses, and comments in the terms of the documentation.

drop function advisoryd.is_fixed(text);

comment on column advisoryd_v1.sync_runs.digest is 'Digest chained over all runs of the source, verified by `advisoryd verify`.';
comment on column advisoryd_v1.deliveries.due_at is 'Time of the next attempt; null once it was delivered or became a dead letter.';
comment on column advisoryd_v1.deliveries.settled_at is 'When it was delivered or became a dead letter.';
comment on column advisoryd_v1.alert_sinks.dead_letters is 'Number of deliveries that became dead letters.';
comment on column advisoryd_v1.remote_objects.resolved is 'Whether the resolution of the alert was sent.';
comment on column advisoryd_v1.remote_objects.changed_at is 'When an alert about it was last sent.';
comment on column advisoryd.remote_object.is_resolved is 'Whether the last alert that was sent for it is a resolution.';
comment on column advisoryd.source.doubted is 'Ids in `sighting` of the members that a full pull did not contain, while its result is not accepted because too many are missing. Empty if the result of the last full pull was accepted.';
comment on column advisoryd.mirror.doubted_at is 'When a complete read first lacked so many rows that its result is not accepted yet.';
comment on column advisoryd.discovery.unreadable is 'Watch lists without an id in the last response. While there are any, no list counts as deleted.';
