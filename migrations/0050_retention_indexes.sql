-- Retention deletes the oldest versions in batches. One pull replaces thousands of versions at
-- the same time: with the whole order in the index, no batch sorts all of them.

create index advisory_version_oldest on advisoryd.advisory_version (replaced_at, changed_at, version);
drop index advisoryd.advisory_version_by_time;
create index ticket_version_oldest on advisoryd.ticket_version (replaced_at, changed_at, version);
drop index advisoryd.ticket_version_by_time;
